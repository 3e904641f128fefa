"""One head's map with a label for every token."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from attnviz.errors import UsageError
from attnviz.render.image import bar
from attnviz.render.image.page import Box
from attnviz.render.image.paint import Paint, scale_of
from attnviz.render.image.pen import thinned
from attnviz.render.image.style import LINE, POINTS
from attnviz.views.maps.pool import pooled

if TYPE_CHECKING:
    from attnviz.render.image.page import Page
    from attnviz.render.image.pen import Pen
    from attnviz.views.maps.heatmap import Heatmap

SIDE, MOST, LEAST = 9.8, 0.28, 0.6  # inches: of a whole map, of a cell, and the smallest map
AXIS = 0.2  # the axis' name
PAD = 0.05
FEW = 8  # rows or columns that would be a mere line beside hundreds of the other


class MapBody:
    """The map laid out in natural size, or in `room` (inches).

    Cells are square, but few rows or columns are at least a line of text wide where that fits.
    Raises UsageError when the room is too small.
    """

    def __init__(self, one: Heatmap, pen: Pen, room: tuple[float, float] | None) -> None:
        self.pen, dpi = pen, pen.style.dpi
        wide, high = (SIDE, SIDE) if room is None else self.space(room, one)
        cell = min(wide / one.shape[1], high / one.shape[0])
        if room is None:
            cell = min(MOST, cell)
        elif cell * max(one.shape) < LEAST:
            raise UsageError("--size leaves no room for the map beside its labels",
                             "give more inches, or --no-labels")  # fmt: skip
        most = max(1, int(max(one.shape) * cell * dpi))
        self.map = one = pooled(one, most, most)
        self.maps = [one]
        self.cell = max(1, round(max(cell, 1 / dpi) * dpi)) / dpi
        if room is not None:
            self.cell = max(1, int(cell * dpi)) / dpi
        rows, columns = one.shape
        line, longest = math.ceil(LINE * dpi) / dpi, max(rows, columns) * self.cell
        fits = (cells <= FEW and cells * line <= min(longest, space)
                for cells, space in ((rows, high), (columns, wide)))  # fmt: skip
        self.down, self.across = (max(self.cell, line) if fit else self.cell for fit in fits)
        self.map_width, self.map_height = columns * self.across, rows * self.down
        self.row_labels = self.labels(True)
        self.column_labels = self.labels(False)
        self.left = AXIS + pen.widest(self.row_labels) + PAD
        widest = pen.widest(self.column_labels)
        self.upright = widest + 0.04 > self.across
        self.below = AXIS + PAD + (widest if self.upright else LINE)
        self.width = self.left + self.map_width + bar.TOTAL
        self.height = max(self.map_height, 0.8) + self.below

    def space(self, room: tuple[float, float], heatmap: Heatmap) -> tuple[float, float]:
        """Inches (across, down) that the room has for the map beside its labels."""
        wide, high = room
        if self.pen.style.labels:
            wide -= self.pen.widest(
                [self.pen.token(heatmap.queries, a, True) for a, _ in heatmap.rows]
            )
            high -= self.pen.widest(
                [self.pen.token(heatmap.keys, a, True) for a, _ in heatmap.columns]
            )
        return wide - AXIS - PAD - bar.TOTAL, high - AXIS - PAD

    def labels(self, rows: bool) -> list[str]:
        """The labels of the rows or columns, empty where there is no room."""
        one = self.map
        axis, spans = (one.queries, one.rows) if rows else (one.keys, one.columns)
        if not self.pen.style.labels:
            return [""] * len(spans)
        return thinned(self.pen, axis, [a for a, _ in spans], self.down if rows else self.across)

    def draw(self, page: Page, left: float, top: float) -> None:
        """Draw map, labels, axis names and colour bar."""
        box = Box(left + self.left, top, self.map_width, self.map_height)
        axes = page.cells(box, Paint(self.pen.style)(self.map))
        theme, font = self.pen.style.theme, self.pen.font(POINTS)
        for axis, labels in ((axes.yaxis, self.row_labels), (axes.xaxis, self.column_labels)):
            shown = [i for i, label in enumerate(labels) if label]
            axis.set_ticks(shown, [labels[i] for i in shown], parse_math=False,
                           fontproperties=font, color=theme.ink)  # fmt: skip
        if self.upright:
            axes.tick_params(axis="x", rotation=90)
        if self.map.measure != "distance":
            page.text(left, top + self.map_height / 2, "query", POINTS, rotation=90,
                      va="center", color=theme.faint)  # fmt: skip
            page.text(box.left + self.map_width / 2,
                      top + self.map_height + self.below - AXIS + PAD,
                      "key", POINTS, ha="center", color=theme.faint)  # fmt: skip
        side = Box(box.left, top, box.width, max(box.height, 0.8))
        scale, name = scale_of(self.map, self.pen.style), bar.scale_name(self.map)
        bar.draw_bar(page, scale, name, box.left + box.width, side)
