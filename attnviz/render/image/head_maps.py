"""Many heads as small multiples on one scale, drawn as one picture."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from attnviz.errors import UsageError
from attnviz.render.image import bar
from attnviz.render.image.page import Box
from attnviz.render.image.paint import Paint, scale_of
from attnviz.render.image.pen import LONGEST, thinned
from attnviz.render.image.plate import Plate, map_details, of_heads
from attnviz.render.image.registry import IMAGE
from attnviz.render.image.style import LINE, POINTS
from attnviz.render.text.safe import display, fit
from attnviz.views.maps.head_maps import HeadMaps
from attnviz.views.maps.pool import pooled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from attnviz.render.image.page import Page
    from attnviz.render.image.pen import Pen
    from attnviz.views.maps.heatmap import Heatmap

WIDE = 10.0  # inches of a whole grid
LEAST, MOST_TABLE, MOST_LOOSE = 0.24, 1.5, 3.0  # inches of a panel
GAP, TITLE, MANY = 0.04, 0.19, 1000  # inches; so many heads stand closer
PAD = 0.05
FEW = 8  # rows or columns of a panel that would be a mere line beside hundreds of the other


def grid_pixels(count: int) -> int:
    """The rows and columns that a panel is worth when there are so many."""
    return max(48, min(600, int(2400 / math.sqrt(max(1, count)))))


class GridBody:
    """The panels laid out: a table of layers × heads, or one after the other with titles.

    Panels and gaps are measured in whole pixels, `pixel` is one in inches.
    """

    def __init__(self, view: HeadMaps, pen: Pen, room: tuple[float, float] | None) -> None:
        self.pen, self.room, self.pixel = pen, room, 1 / pen.style.dpi
        self.heads = [head for head, _ in view.maps]
        self.layers = sorted({head.layer for head in self.heads})
        self.numbers = sorted({head.head for head in self.heads})
        self.table = min(len(self.layers), len(self.numbers)) > 1 and (
            2 * len(self.heads) > len(self.layers) * len(self.numbers)
        )
        self.left = pen.widest([f"L{layer}" for layer in self.layers]) + PAD if self.table else 0.0
        self.top = LINE + PAD if self.table else TITLE
        gap = GAP if len(self.heads) < MANY else GAP / 2
        self.gap = max(1, round(gap / self.pixel))
        self.gap_down = self.gap if self.table else math.ceil(TITLE / self.pixel)
        self.across, self.down = self.arranged(view)
        self.places = self.placed()
        self.maps, self.cell = self.sized([one for _, one in view.maps])
        self.tall, self.wide = (
            self.side(max(one.shape[i] for one in self.maps), space)
            for i, space in enumerate(self.space())
        )
        self.row_labels, self.column_labels = self.token_labels()
        self.left += pen.widest(self.row_labels) + PAD * any(self.row_labels)
        below = pen.widest(self.column_labels) + PAD * any(self.column_labels)
        self.grid = (self.across * (self.wide + self.gap) - self.gap,
                     self.down * (self.tall + self.gap_down) - self.gap_down)  # fmt: skip
        self.width = self.left + self.grid[0] * self.pixel + bar.TOTAL
        self.height = self.top + max(self.grid[1] * self.pixel, 0.8) + below

    def arranged(self, view: HeadMaps) -> tuple[int, int]:
        """Panels across and down."""
        if self.table:
            return len(self.numbers), len(self.layers)
        count = len(view.maps)
        rows, columns = view.maps[0][1].shape
        width, height = self.room or (1.5, 1.0)
        across = math.ceil(math.sqrt(count * width / height * rows / columns))
        across = min(count, max(1, across))
        across = math.ceil(count / math.ceil(count / across))
        return across, math.ceil(count / across)

    def placed(self) -> list[tuple[int, int]]:
        """(row, column) of every panel."""
        if self.table:
            return [(self.layers.index(h.layer), self.numbers.index(h.head)) for h in self.heads]
        return [divmod(i, self.across) for i in range(len(self.heads))]

    def sized(self, maps: list[Heatmap]) -> tuple[list[Heatmap], int]:
        """The maps pooled to the pixels of a panel, on one scale, and the pixels of a cell."""
        rows = max(one.shape[0] for one in maps)
        columns = max(one.shape[1] for one in maps)
        if self.room is None:
            most = MOST_TABLE if self.table else MOST_LOOSE
            panel = min(most, max(LEAST, WIDE / self.across - self.gap * self.pixel))
        else:
            high, wide = self.space()
            panel = max(rows, columns) * min(wide / columns, high / rows)
        pixels = int(panel / self.pixel)
        if pixels < 4:
            raise UsageError(f"--size leaves no room for {len(maps)} heads", "give more inches")
        small = [pooled(one, pixels, pixels) for one in maps]
        vmax = max(one.vmax for one in small)
        longest = max(max(one.shape) for one in small)
        return [replace(one, vmax=vmax) for one in small], max(1, pixels // longest)

    def space(self) -> tuple[float, float]:
        """Inches (down, across) that a panel may take."""
        if self.room is None:
            return MOST_LOOSE, MOST_LOOSE
        high = (self.room[1] - self.top) / self.down - self.gap_down * self.pixel
        wide = (self.room[0] - self.left - bar.TOTAL) / self.across - self.gap * self.pixel
        return high, wide

    def side(self, cells: int, space: float) -> int:
        """Pixels of so many cells: at least a line of text for each of a few beside many others.

        `space` is the most inches that they may take.
        """
        line = math.ceil(LINE / self.pixel)
        longest = self.cell * max(max(one.shape) for one in self.maps)
        fits = cells <= FEW and cells * line <= min(longest, space / self.pixel)
        return cells * max(self.cell, line if fits else 1)

    def token_labels(self) -> tuple[list[str], list[str]]:
        """The labels of the first panel's rows and columns, thinned; none in a table."""
        one = self.maps[0]
        if self.table or self.room is not None or not self.pen.style.labels:
            return [], []
        rows, columns = one.shape
        down, across = self.tall * self.pixel / rows, self.wide * self.pixel / columns
        near = LINE * 0.95
        row_labels, column_labels = (
            thinned(self.pen, axis, [a for a, _ in spans], max(cell, LINE) if cell > near else cell)
            for axis, spans, cell in (
                (one.queries, one.rows, down), (one.keys, one.columns, across))
        )  # fmt: skip
        room = self.gap * self.pixel  # from the last column to the first of the next panel
        return row_labels, [
            label if i == 0 or (columns - i) * across + room >= near else ""
            for i, label in enumerate(column_labels)
        ]

    def corner(self, place: tuple[int, int]) -> tuple[int, int]:
        """The pixel at the upper left of a panel: down, across."""
        return place[0] * (self.tall + self.gap_down), place[1] * (self.wide + self.gap)

    def montage(self) -> np.ndarray:
        """The colours of all panels side by side, uint8 (pixels, pixels, 4); gaps are clear."""
        paint = Paint(self.pen.style)
        out = np.zeros((self.grid[1], self.grid[0], 4), np.uint8)
        for one, place in zip(self.maps, self.places, strict=True):
            y, x = self.corner(place)
            out[y : y + self.tall, x : x + self.wide] = stretched(paint(one), self.tall, self.wide)
        return out

    def draw(self, page: Page, left: float, top: float) -> None:
        """Draw the panels, their names, and one colour bar."""
        wide, tall = (pixels * self.pixel for pixels in self.grid)
        box = Box(left + self.left, top + self.top, wide, tall)
        page.cells(box, self.montage()).set_axis_off()
        (self.name_table if self.table else self.name_panels)(page, box)
        self.name_tokens(page, box)
        side = Box(box.left, box.top, box.width, max(box.height, 0.8))
        scale = scale_of(self.maps[0], self.pen.style)
        bar.draw_bar(page, scale, bar.scale_name(self.maps[0]), box.left + box.width, side)

    def name_table(self, page: Page, box: Box) -> None:
        """`L0` before every row of panels, `H0` above every column, as far as there is room."""
        wide, tall = self.wide * self.pixel, self.tall * self.pixel
        widest = self.pen.widest([f"H{head}" for head in self.numbers]) + PAD
        every = math.ceil(widest / (wide + self.gap * self.pixel))
        for i in range(0, len(self.numbers), every):
            x = box.left + self.corner((0, i))[1] * self.pixel + wide / 2
            page.text(x, box.top - PAD, f"H{self.numbers[i]}", POINTS, ha="center", va="bottom")
        every = math.ceil(LINE / (tall + self.gap_down * self.pixel))
        for i in range(0, len(self.layers), every):
            y = box.top + self.corner((i, 0))[0] * self.pixel + tall / 2
            page.text(box.left - PAD, y, f"L{self.layers[i]}", POINTS, ha="right", va="center")

    def name_panels(self, page: Page, box: Box) -> None:
        """`L3H5 word` above every panel, as far as there is room."""
        wide = self.wide * self.pixel
        for head, place in zip(self.heads, self.places, strict=True):
            y, x = (pixels * self.pixel for pixels in self.corner(place))
            names = (f"{head.label} {self.pen.plain(head.pattern.name)}", head.label)
            name = next((one for one in names if self.pen.width(one) <= wide), "")
            page.text(box.left + x, box.top + y - 0.03, name, POINTS, va="bottom")

    def name_tokens(self, page: Page, box: Box) -> None:
        """The tokens beside the first column of panels and under the last row."""
        faint = self.pen.style.theme.faint
        tall, wide = self.tall * self.pixel, self.wide * self.pixel
        for row in range(self.down if any(self.row_labels) else 0):
            y = box.top + self.corner((row, 0))[0] * self.pixel
            for i, label in enumerate(self.row_labels):
                if label:
                    middle = y + (i + 0.5) * tall / len(self.row_labels)
                    page.text(box.left - PAD, middle, label, POINTS,
                              ha="right", va="center", color=faint)  # fmt: skip
        last = {column: row for row, column in sorted(self.places)}
        for column, row in last.items() if any(self.column_labels) else ():
            y, x = (pixels * self.pixel for pixels in self.corner((row, column)))
            for j, label in enumerate(self.column_labels):
                if label:
                    middle = box.left + x + (j + 0.5) * wide / len(self.column_labels)
                    page.text(middle, box.top + y + tall + 0.02, label, POINTS,
                              ha="center", rotation=90, color=faint)  # fmt: skip


def stretched(values: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """The array with its cells repeated to this size; itself where it has it already."""
    if values.shape[:2] == (rows, columns):
        return values
    down = np.arange(rows) * values.shape[0] // rows
    across = np.arange(columns) * values.shape[1] // columns
    return values[np.ix_(down, across)]


@IMAGE.draws(HeadMaps)
class HeadMapsPlate(Plate):
    """Several heads."""

    view: HeadMaps

    @property
    def maps(self) -> Sequence[Heatmap]:
        """The maps of all heads."""
        return [shown for _, shown in self.view.maps]

    @property
    def subject(self) -> str:
        """How many heads, and of which layer."""
        return of_heads([(head.layer, head.label) for head, _ in self.view.maps])

    def details(self, shown: Sequence[Heatmap]) -> Iterator[str]:
        """What is said of every map, and which tokens are shown."""
        return map_details(shown, chosen(shown[0]) if shown else ())

    def body(self, pen: Pen, room: tuple[float, float] | None) -> GridBody:
        """The maps beside and below each other."""
        return GridBody(self.view, pen, room)


def chosen(heatmap: Heatmap) -> Iterator[str]:
    """Which queries and keys a map shows where others than special tokens and padding are left out.

    `query 8 it`, `queries 3–9` or `5 of 20 queries`.
    """
    for axis, spans, name, names in ((heatmap.queries, heatmap.rows, "query", "queries"),
                                     (heatmap.keys, heatmap.columns, "key", "keys")):  # fmt: skip
        shown = [i for first, end in spans for i in range(first, end)]
        rest = set(range(len(axis))) - set(shown)
        if not shown or not any(not axis.special[i] and not axis.padding[i] for i in rest):
            continue
        first, last = axis.positions[shown[0]], axis.positions[shown[-1]]
        if len(shown) == 1:
            yield f"{name} {first} {fit(display(axis.labels[shown[0]]), LONGEST)}"
        elif last - first == len(shown) - 1:
            yield f"{names} {first}–{last}"
        else:
            yield f"{len(shown)} of {len(axis)} {names}"
