"""Heads as points of a plane: near ones attend alike."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.colors import to_hex

from attnviz.errors import UsageError
from attnviz.render.image.page import Box
from attnviz.render.image.style import HEAD_COLOURS, LINE, POINTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attnviz.render.image.page import Page
    from attnviz.render.image.pen import Pen
    from attnviz.views.compare.comparison import HeadGroups
    from attnviz.views.maps.heatmap import Heatmap

WIDE, LEAST, EDGE = 6.5, 1.5, 0.25  # inches: of the plane, the least height, around the points
DOT = 22.0  # square points
PAD, GAP = 0.05, 0.01  # inches: beside a point, between two names
CLOSE = 0.9  # of a line's height


class PointsBody:
    """The plane laid out in natural size, or in `room` (inches); both axes have one scale."""

    def __init__(self, view: HeadGroups, pen: Pen, room: tuple[float, float] | None) -> None:
        self.view, self.pen = view, pen
        self.maps: list[Heatmap] = []
        low, high = view.points.min(axis=0), view.points.max(axis=0)
        span = np.maximum(high - low, 1e-6)
        wide, high_room = (WIDE, WIDE) if room is None else room
        if min(wide, high_room) < LEAST:
            raise UsageError("--size leaves no room for the points", "give more inches")
        inner = np.array([wide - 2 * EDGE - 0.5, high_room - 2 * EDGE])
        self.scale = float((inner / span).min())
        self.low = low
        self.width = wide
        self.height = max(LEAST, float(span[1]) * self.scale + 2 * EDGE)

    def place(self, point: np.ndarray) -> tuple[float, float]:
        """Inches from the upper left corner of the plane."""
        x, y = (point - self.low) * self.scale + EDGE
        return float(x), self.height - float(y)

    def draw(self, page: Page, left: float, top: float) -> None:
        """Draw the points in the colour of their group, and the names that have room."""
        theme = self.pen.style.theme
        axes = page.axes(Box(left, top, self.width, self.height))
        axes.set_xlim(0, self.width)
        axes.set_ylim(self.height, 0)
        axes.set_xticks([])
        axes.set_yticks([])
        for side in axes.spines.values():
            side.set_visible(True)
            side.set_color(theme.faint)
            side.set_linewidth(0.4)
        at = {id(head): self.place(point)
              for head, point in zip(self.view.heads, self.view.points, strict=True)}  # fmt: skip
        for head, other in pairwise(sorted(self.view.heads, key=lambda one: (one.layer, one.head))):
            if self.view.same_keys(head, other):
                ends = zip(at[id(head)], at[id(other)], strict=True)
                axes.plot(*ends, color=theme.faint, linewidth=0.5, alpha=0.35, zorder=0)
        named: list[tuple[float, float, str, str]] = []
        several = [one for one in self.view.groups if len(one.heads) > 1]
        for group in self.view.groups:
            alone = len(group.heads) == 1
            colour = theme.faint if alone else colour_of(several.index(group), len(several))
            places = np.array([at[id(head)] for head in group.heads])
            axes.scatter(places[:, 0], places[:, 1], s=DOT, c=colour, linewidths=0, alpha=0.9)
            first = [group.typical, *(head for head in group.heads if head is not group.typical)]
            named += [(*at[id(head)], head.label, theme.ink if alone else colour) for head in first]
        taken = [Spot(x - PAD, y, 2 * PAD) for x, y in at.values()]
        for x, y, label, colour in named:
            free = (one for one in spots(x, y, self.pen.width(label))
                    if one.left > 0 and one.left + one.width < self.width
                    and all(one.apart(other) for other in taken))  # fmt: skip
            spot = next(free, None)
            if spot is not None:
                taken.append(spot)
                where = (left + spot.left, top + spot.middle)
                page.text(*where, label, POINTS, va="center", color=colour)


class Spot(NamedTuple):
    """Where one line of text may stand (inches)."""

    left: float
    middle: float
    width: float

    def apart(self, other: Spot) -> bool:
        """Whether there is room between the two."""
        beside = (
            self.left + self.width + GAP < other.left or other.left + other.width + GAP < self.left
        )
        return beside or abs(self.middle - other.middle) > LINE * CLOSE


def spots(x: float, y: float, width: float) -> Iterator[Spot]:
    """Where the name of a point may stand, the best first: right, left, above, below."""
    yield Spot(x + PAD + 0.02, y, width)
    yield Spot(x - PAD - 0.02 - width, y, width)
    for middle in (y - LINE, y + LINE):
        yield Spot(x - width / 2, middle, width)
        yield Spot(x - PAD, middle, width)
        yield Spot(x + PAD - width, middle, width)


def colour_of(number: int, count: int) -> str:
    """The colour of a group out of so many."""
    if count <= len(HEAD_COLOURS):
        return HEAD_COLOURS[number]
    return to_hex(mpl.colormaps["tab20"](number % 20))
