"""One query of one head as a figure: a row per key, a column of bars per step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from attnviz.render.image.page import Box
from attnviz.render.image.pen import LONGEST
from attnviz.render.image.plate import Plate, no_size
from attnviz.render.image.registry import IMAGE
from attnviz.render.image.style import HEAD_COLOURS, LINE, POINTS
from attnviz.render.text.figures import TITLES, plain_short, share
from attnviz.render.text.safe import display, fit
from attnviz.views.steps.head_trace import HeadTrace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from attnviz.render.image.page import Page
    from attnviz.render.image.pen import Pen
    from attnviz.views.maps.heatmap import Heatmap

ROW, NUMBER, BARS, GAP, PAD = 1.45 * LINE, 0.5, 0.75, 0.12, 0.08  # inches
BETWEEN = 0.3  # inches above the products
FORWARD, BACKWARD = HEAD_COLOURS[0], HEAD_COLOURS[1]  # of positive and negative numbers


@dataclass(frozen=True)
class Column:
    """One step of every listed row: its name, its numbers and how they are written."""

    name: str
    values: np.ndarray
    words: Sequence[str]


class Table:
    """Rows with a label each, and columns of numbers with bars; `bold` is the row asked for."""

    def __init__(
        self, name: str, labels: Sequence[str], columns: Sequence[Column], pen: Pen, bold: int = -1
    ) -> None:
        self.name, self.labels, self.columns, self.pen, self.bold = name, labels, columns, pen, bold
        self.left = pen.widest([name, *labels]) + PAD
        self.width = self.left + len(columns) * (NUMBER + PAD + BARS + GAP) - GAP
        self.height = ROW * (len(labels) + 1)

    def draw(self, page: Page, left: float, top: float) -> None:
        """Draw names, labels, numbers and bars."""
        theme = self.pen.style.theme
        page.text(left, top, self.name, POINTS, color=theme.faint)
        for row, label in enumerate(self.labels, start=1):
            weight = "bold" if row - 1 == self.bold else "normal"
            page.text(left, top + row * ROW, label, POINTS, weight=weight)
        at = left + self.left
        for column in self.columns:
            page.text(at + NUMBER, top, column.name, POINTS, color=theme.faint, ha="right")
            for row, words in enumerate(column.words, start=1):
                page.text(at + NUMBER, top + row * ROW, words, POINTS, ha="right")
            self.bars(column, page, Box(at + NUMBER + PAD, top + ROW, BARS, self.height - ROW))
            at += NUMBER + PAD + BARS + GAP

    def bars(self, column: Column, page: Page, box: Box) -> None:
        """A bar per row from 0, to the left for negative numbers."""
        axes = page.axes(box)
        values = np.where(np.isfinite(column.values), column.values, 0.0)
        low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
        axes.set_xlim(low, high if high > low else 1.0)
        axes.set_ylim(len(values) - 0.3, -0.3)
        colours = [FORWARD if value >= 0 else BACKWARD for value in values]
        axes.barh(np.arange(len(values)), values, height=0.62, color=colours)
        axes.set_xticks([])
        axes.set_yticks([])


class HeadTraceBody:
    """The keys from score to weight, and below them the products behind one score."""

    def __init__(self, view: HeadTrace, pen: Pen) -> None:
        self.maps: list[Heatmap] = []
        self.tables = [key_table(view, pen), *product_table(view, pen)]
        self.width = max(table.width for table in self.tables)
        self.height = sum(one.height for one in self.tables) + BETWEEN * (len(self.tables) - 1)

    def draw(self, page: Page, left: float, top: float) -> None:
        """Draw the tables under each other."""
        for table in self.tables:
            table.draw(page, left, top)
            top += table.height + BETWEEN


def key_table(view: HeadTrace, pen: Pen) -> Table:
    """A row per listed key."""
    listed = view.listed
    norms, added = view.norms
    steps = [
        (TITLES.get(name, view.score), values[listed]) for name, values in view.columns.items()
    ]
    columns = [Column(name, found, [plain_short(n) for n in found]) for name, found in steps]
    weights = view.steps.weights[listed]
    closed = ~np.isfinite(view.steps.masked[listed])
    words = ["masked" if off else share(n) for off, n in zip(closed, weights, strict=True)]
    columns.append(Column("weight", weights, words))
    columns.append(Column(added, norms[listed], [plain_short(n) for n in norms[listed]]))
    labels = [pen.token(view.keys, k, numbered=True) for k in listed]
    bold = listed.index(view.traced.key) if view.traced.key is not None else -1
    return Table("key", labels, columns, pen, bold)


def product_table(view: HeadTrace, pen: Pen) -> Iterator[Table]:
    """A row per dimension, the largest products first; nothing where no key was asked for."""
    products = view.products
    if products is None:
        return
    order = products.order[: view.terms]
    query, key = products.names
    parts = ((query, products.query), (key, products.key), (f"{query} × {key}", products.terms))
    columns = [Column(name, one[order], [f"{n:.4f}" for n in one[order]]) for name, one in parts]
    yield Table("dimension", [str(i) for i in order], columns, pen)


def left_out(view: HeadTrace) -> Iterator[str]:
    """What has no row."""
    rest = sorted(set(view.open.tolist()) - set(view.listed))
    if rest:
        yield f"{len(rest):,} more keys, together {share(float(view.steps.weights[rest].sum()))}"
    products = view.products
    if products is not None and len(products.terms) > view.terms:
        off = products.order[view.terms :]
        yield f"{len(off)} more dimensions, together {products.terms[off].sum():.4f}"


@IMAGE.draws(HeadTrace)
class HeadTracePlate(Plate):
    """One query of one head."""

    view: HeadTrace

    @property
    def stack(self) -> str:
        """The stack, where it must be named."""
        return self.view.traced.stack if self.view.several else ""

    @property
    def subject(self) -> str:
        """`L3H5, from it (query 8)`."""
        traced = self.view.traced
        query = fit(display(self.view.queries.labels[traced.query]), LONGEST)
        return f"{traced.label}, from {query} (query {traced.query})"

    def texts(self) -> Iterator[str]:
        """The keys."""
        yield from self.view.keys.labels

    def details(self, shown: Sequence[Heatmap]) -> Iterator[str]:
        """Every formula, what is left out, and the agreement."""
        view = self.view
        steps = (f"{name} ({shape}): {words}" for name, (words, shape) in view.formulas.items())
        yield from filter(None, (view.sharing, *steps, *left_out(view), *view.notes))
        yield view.agreement

    def body(self, pen: Pen, room: tuple[float, float] | None) -> HeadTraceBody:
        """A row per key. Raises UsageError where a size is asked for."""
        no_size(room)
        return HeadTraceBody(self.view, pen)
