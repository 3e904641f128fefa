"""A trace as one figure: every step a matrix with its name, formula and shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import Normalize

from attnviz.render.image.page import Box
from attnviz.render.image.plate import Plate, no_size
from attnviz.render.image.registry import IMAGE
from attnviz.render.image.score_matrix import limits
from attnviz.render.image.style import LINE, POINTS
from attnviz.render.text.colour import luminance
from attnviz.render.text.figures import alike
from attnviz.views.maps.heatmap import State
from attnviz.views.steps.hand_trace import HandTrace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from attnviz.render.image.page import Page
    from attnviz.render.image.pen import Pen
    from attnviz.views.maps.heatmap import Heatmap
    from attnviz.views.steps.hand_trace import Step

CELL, HIGH, WRITTEN = (0.5, 0.06), 0.28, 0.42  # inches: widest and smallest, height, with figures
SIDE, GAP, PAD = 4.0, 0.35, 0.06  # of a panel, between panels, beside labels
TITLE, SMALL = POINTS + 1, POINTS - 1


@dataclass(frozen=True)
class Panel:
    """One matrix (rows, columns) with its words and the labels of rows and columns.

    `closed`, bool of the same shape, tells the cells that the mask forbids.
    """

    title: str
    formula: str
    values: np.ndarray
    rows: Sequence[str]
    columns: Sequence[str]
    closed: np.ndarray
    weights: bool
    pen: Pen

    @property
    def cell(self) -> tuple[float, float]:
        """Width and height of a cell in inches."""
        rows, columns = self.values.shape
        wide = min(CELL[0], max(CELL[1], SIDE / columns))
        return wide, min(HIGH, max(CELL[1], SIDE / rows))

    @property
    def left(self) -> float:
        """Inches of the row labels."""
        return self.pen.widest(list(self.rows)) + PAD if self.rows else 0.0

    @property
    def top(self) -> float:
        """Inches of the words and the column labels."""
        return 2.4 * LINE + (LINE if self.columns else 0.0) + PAD

    @property
    def width(self) -> float:
        """Inches of everything."""
        words = max(self.pen.width(self.title, TITLE, "bold"), self.pen.width(self.formula, SMALL))
        return float(max(self.left + self.values.shape[1] * self.cell[0], words))

    @property
    def height(self) -> float:
        """Inches of everything."""
        return float(self.top + self.values.shape[0] * self.cell[1])

    def draw(self, page: Page, left: float, top: float) -> None:
        """Draw words, labels, cells, and figures where they have room."""
        theme = self.pen.style.theme
        page.text(left, top, self.title, TITLE, weight="bold")
        page.text(left, top + 1.3 * LINE, self.formula, SMALL, color=theme.faint)
        rows, columns = self.values.shape
        wide, high = self.cell
        box = Box(left + self.left, top + self.top, columns * wide, rows * high)
        axes = page.axes(box)
        shown = np.ma.masked_array(self.values, self.closed)
        low, high_ = (0.0, 1.0) if self.weights else limits(np.where(self.closed, 0, self.values))
        style = self.pen.style
        colours = style.diverging if low < 0 < high_ else style.colormap
        colours = colours.with_extremes(bad=theme.states[State.MASKED])
        image = axes.imshow(shown, cmap=colours, norm=Normalize(low, high_),
                            interpolation="nearest", aspect="auto")  # fmt: skip
        axes.xaxis.tick_top()
        for axis, names, room, each in ((axes.yaxis, self.rows, LINE, high),
                                        (axes.xaxis, self.columns, 2 * LINE, wide)):  # fmt: skip
            ticks = range(0, len(names), max(1, -int(-room // each)))
            axis.set_ticks(ticks, [names[i] for i in ticks],
                           fontproperties=self.pen.font(SMALL), color=theme.faint)  # fmt: skip
        if wide < WRITTEN or high < LINE:
            return
        form = alike(self.values)
        for row, column in np.ndindex(rows, columns):
            value = float(self.values[row, column])
            if self.closed[row, column]:
                words, ink = "0" if self.weights else "-∞", theme.faint
            else:
                red, green, blue, _ = image.to_rgba(self.values[row, column], bytes=True)
                dark = luminance((red, green, blue)) > 0.5
                words, ink = format(value + 0.0, form), "black" if dark else "white"
            axes.text(column, row, words, ha="center", va="center", color=ink, parse_math=False,
                      fontproperties=self.pen.font(SMALL))  # fmt: skip


class HandBody:
    """Given matrices in the first row of panels, and below them the steps, a row per head."""

    def __init__(self, view: HandTrace, pen: Pen) -> None:
        self.maps: list[Heatmap] = []
        heads = len(view.steps[0].values)
        given = [given_panel(one, pen) for one in view.given]
        self.rows = [given] + [
            [step_panel(step, head, heads, view, pen) for step in view.steps if not step.unchanged]
            for head in range(heads)
        ]
        self.width = max(sum(one.width + GAP for one in row) - GAP for row in self.rows)
        self.height = sum(max(one.height for one in row) + GAP for row in self.rows) - GAP

    def draw(self, page: Page, left: float, top: float) -> None:
        """Draw every row of panels."""
        for row in self.rows:
            at = left
            for panel in row:
                panel.draw(page, at, top)
                at += panel.width + GAP
            top += max(one.height for one in row) + GAP


def given_panel(step: Step, pen: Pen) -> Panel:
    """A matrix that was given."""
    values = np.atleast_2d(step.values[0])
    shape = " × ".join(map(str, step.shape))
    rows = [str(i) for i in range(len(values))] if values.shape[0] > 1 else []
    open_ = np.zeros(values.shape, bool)
    return Panel(step.name, f"given, {shape}", values, rows, [], open_, False, pen)


def step_panel(step: Step, head: int, heads: int, view: HandTrace, pen: Pen) -> Panel:
    """What one step gives in one head, for the queries and keys that are shown."""
    output = step.name == "output"
    columns = range(step.values.shape[2]) if output else view.keys
    part = np.ix_(view.queries, columns)
    values = step.values[head][part]
    closed = np.zeros(values.shape, bool)
    if step.name in ("masked", "weights"):
        closed = np.isneginf(view.masked[head][part])
    title = f"{step.name}, head {head}" if heads > 1 else step.name
    formula = f"{step.formula}, {' × '.join(map(str, step.values.shape[1:]))}"
    rows = [f"q{i}" for i in view.queries]
    names = [str(j) if output else f"k{j}" for j in columns]
    return Panel(title, formula, values, rows, names, closed, step.name == "weights", pen)


@IMAGE.draws(HandTrace)
class HandTracePlate(Plate):
    """Attention over hand-made numbers."""

    view: HandTrace

    @property
    def subject(self) -> str:
        """The mechanism and its paper."""
        return self.view.title

    def texts(self) -> Iterator[str]:
        """The formulas."""
        yield from (step.formula for step in self.view.steps)

    def details(self, shown: Sequence[Heatmap]) -> Iterator[str]:
        """The formula of the whole, and what is to be said of the numbers."""
        yield from (self.view.formula, *self.view.notes)

    def body(self, pen: Pen, room: tuple[float, float] | None) -> HandBody:
        """A panel per matrix. Raises UsageError where a size is asked for."""
        no_size(room)
        return HandBody(self.view, pen)
