"""Lines from a column of queries to a column of keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex, to_rgb

from attnviz.render.image.page import Box
from attnviz.render.image.pen import thinned
from attnviz.render.image.plate import Plate, of_heads
from attnviz.render.image.registry import IMAGE
from attnviz.render.image.style import HEAD_COLOURS, LINE, POINTS
from attnviz.views.maps.arcs import Arcs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from attnviz.attention.axis import Axis
    from attnviz.render.image.page import Page
    from attnviz.render.image.pen import Pen
    from attnviz.views.maps.heatmap import Heatmap

ROW, TALLEST, BETWEEN = 0.17, 14.0, 2.6  # inches: a token, all tokens, between the columns
PAD, HEADER = 0.06, 0.22
THINNEST, THICKEST = 0.4, 2.2  # points


class ArcsBody:
    """The two columns laid out in natural size, or in `room` (inches)."""

    def __init__(self, view: Arcs, pen: Pen, room: tuple[float, float] | None) -> None:
        self.view, self.pen = view, pen
        self.maps: list[Heatmap] = []
        several = len(view.heads) > 1
        self.top = HEADER + (LINE + PAD) * several
        most = max(len(view.rows), len(view.columns))
        natural = min(TALLEST, most * ROW)
        self.tall = natural if room is None else room[1] - self.top
        self.queries = self.labels(view.queries, view.rows)
        self.keys = self.labels(view.keys, view.columns)
        sides = (pen.widest([*self.queries, "query"]) + PAD, pen.widest([*self.keys, "key"]) + PAD)
        self.left = sides[0]
        names = sum(pen.width(head.label) + 2 * PAD for head in view.heads) * several
        self.between = max(BETWEEN, names - sum(sides))
        if room is not None:
            self.between = max(0.5, room[0] - sum(sides))
        self.width = sum(sides) + self.between
        self.height = self.top + self.tall

    def labels(self, axis: Axis, places: tuple[int, ...]) -> list[str]:
        """The labels of a column, thinned where there are too many."""
        if not self.pen.style.labels:
            return [""] * len(places)
        return thinned(self.pen, axis, places, self.tall / max(1, len(places)))

    def colours(self) -> list[str]:
        """One colour per head."""
        if len(self.view.heads) <= len(HEAD_COLOURS):
            return list(HEAD_COLOURS[: len(self.view.heads)])
        return [to_hex(mpl.colormaps["tab20"](i)) for i in range(len(self.view.heads))]

    def draw(self, page: Page, left: float, top: float) -> None:
        """Draw columns, lines, and the names of the heads."""
        theme, view = self.pen.style.theme, self.view
        box = Box(left + self.left, top + self.top, self.between, self.tall)
        axes = page.axes(box)
        axes.set_axis_off()
        axes.set_xlim(0, 1)
        axes.set_ylim(1, 0)
        axes.add_collection(self.lines())
        for x, name, labels, side in ((0, "query", self.queries, "right"),
                                      (1, "key", self.keys, "left")):  # fmt: skip
            at = box.left + x * self.between + (PAD if x else -PAD)
            page.text(at, box.top - PAD, name, POINTS, ha=side, va="bottom", color=theme.faint)
            for i, label in enumerate(labels):
                if label:
                    y = box.top + (i + 0.5) / len(labels) * self.tall
                    page.text(at, y, label, POINTS, ha=side, va="center")
        if len(view.heads) > 1:
            at = left
            for head, colour in zip(view.heads, self.colours(), strict=True):
                page.text(at, top, head.label, POINTS, weight="bold", color=colour)
                at += self.pen.width(head.label) + 2 * PAD

    def lines(self) -> LineCollection:
        """The lines: width and strength of the colour follow the weight; sinks are grey."""
        view, theme = self.view, self.pen.style.theme
        head, query, key = view.lines.T
        y = (query + 0.5) / max(1, len(view.rows)), (key + 0.5) / max(1, len(view.columns))
        ends = np.stack([np.stack([np.zeros(len(head)), y[0]], -1),
                         np.stack([np.ones(len(head)), y[1]], -1)], 1)  # fmt: skip
        rgb = np.array([to_rgb(colour) for colour in self.colours()])[head]
        rgb[view.sinks] = to_rgb(theme.sinks[0])
        strength = np.where(view.sinks, 0.5, 0.15 + 0.85 * view.weights)
        return LineCollection(
            list(ends),
            colors=np.column_stack([rgb, strength]),
            linewidths=np.where(view.sinks, THINNEST, THINNEST + THICKEST * view.weights),
            capstyle="round",
        )


@IMAGE.draws(Arcs)
class ArcsPlate(Plate):
    """Lines of some heads."""

    view: Arcs

    @property
    def subject(self) -> str:
        """How many heads, and of which layer."""
        return of_heads([(head.layer, head.label) for head in self.view.heads])

    def texts(self) -> Iterator[str]:
        """The labels of both columns."""
        yield from (*self.view.queries.labels, *self.view.keys.labels)

    def details(self, shown: Sequence[Heatmap]) -> Iterator[str]:
        """What a line is, and how much of the attention has none."""
        view = self.view
        yield "width and strength = weight"
        if view.sinks.any():
            yield "grey = to special tokens or keys that take over 30 %"
        yield f"weights below {view.least:g} have no line: {view.unseen:.0%} of the attention"
        yield from view.notes

    def body(self, pen: Pen, room: tuple[float, float] | None) -> ArcsBody:
        """The two columns and the lines between them."""
        return ArcsBody(self.view, pen, room)
