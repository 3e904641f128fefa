"""One head's map with a label for every token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnviz.errors import UsageError
from attnviz.render.image import bar
from attnviz.render.image.page import Box
from attnviz.render.image.paint import Paint, scale_of
from attnviz.render.image.pen import thinned
from attnviz.render.image.style import LINE, POINTS
from attnviz.views.pool import pooled

if TYPE_CHECKING:
    from attnviz.render.image.page import Page
    from attnviz.render.image.pen import Pen
    from attnviz.views.heatmap import Heatmap

SIDE, MOST, LEAST = 9.8, 0.28, 0.6  # inches: of a whole map, of a cell, and the smallest map
AXIS = 0.2  # the axis' name
PAD = 0.05


class MapBody:
    """The map laid out in natural size, or in `room` (inches)."""

    def __init__(self, one: Heatmap, pen: Pen, room: tuple[float, float] | None) -> None:
        self.pen, dpi = pen, pen.style.dpi
        cell = min(MOST, SIDE / max(one.shape)) if room is None else self.cell_in(room, one)
        most = max(1, int(max(one.shape) * cell * dpi))
        self.map = one = pooled(one, most, most)
        self.maps = [one]
        self.cell = max(1, round(max(cell, 1 / dpi) * dpi)) / dpi
        if room is not None:
            self.cell = max(1, int(cell * dpi)) / dpi
        rows, columns = one.shape
        self.map_width, self.map_height = columns * self.cell, rows * self.cell
        self.row_labels = self.labels(True)
        self.column_labels = self.labels(False)
        self.left = AXIS + pen.widest(self.row_labels) + PAD
        widest = pen.widest(self.column_labels)
        self.upright = widest + 0.04 > self.cell
        self.below = AXIS + PAD + (widest if self.upright else LINE)
        self.width = self.left + self.map_width + bar.TOTAL
        self.height = max(self.map_height, 0.8) + self.below

    def cell_in(self, room: tuple[float, float], one: Heatmap) -> float:
        """Inches of a cell that lets map and labels fit the room. Raises UsageError."""
        wide, high = room
        if self.pen.style.labels:
            wide -= self.pen.widest([self.pen.token(one.queries, a, True) for a, _ in one.rows])
            high -= self.pen.widest([self.pen.token(one.keys, a, True) for a, _ in one.columns])
        cell = min(
            (wide - AXIS - PAD - bar.TOTAL) / one.shape[1], (high - AXIS - PAD) / one.shape[0]
        )
        if cell * max(one.shape) < LEAST:
            raise UsageError("--size leaves no room for the map beside its labels",
                             "give more inches, or --no-labels")  # fmt: skip
        return cell

    def labels(self, rows: bool) -> list[str]:
        """The labels of the rows or columns, empty where there is no room."""
        one = self.map
        axis, spans = (one.queries, one.rows) if rows else (one.keys, one.columns)
        if not self.pen.style.labels:
            return [""] * len(spans)
        return thinned(self.pen, axis, [a for a, _ in spans], self.cell)

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
        page.text(left, top + self.map_height / 2, "query", POINTS, rotation=90,
                  va="center", color=theme.faint)  # fmt: skip
        page.text(box.left + self.map_width / 2, top + self.map_height + self.below - AXIS + PAD,
                  "key", POINTS, ha="center", color=theme.faint)  # fmt: skip
        side = Box(box.left, top, box.width, max(box.height, 0.8))
        scale, name = scale_of(self.map, self.pen.style), bar.scale_name(self.map)
        bar.draw_bar(page, scale, name, box.left + box.width, side)
