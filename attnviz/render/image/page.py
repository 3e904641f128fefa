"""The page around a view: heading, margins, size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from matplotlib.figure import Figure

from attnviz.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.text import Text

    from attnviz.render.image.pen import Pen
    from attnviz.views.maps.heatmap import Heatmap

MARGIN, LEAST_WIDTH = 0.15, 4.2
TITLE, DETAIL = 10.0, 7.0  # points
SPACING = 1.3 / 72  # inches of a line per point
SIDE, PIXELS = 2**16 - 1, 10**8  # the longest side and the most pixels that can be drawn


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in inches from the top left corner of the page."""

    left: float
    top: float
    width: float
    height: float


class Body(Protocol):
    """A view laid out: its size in inches, its maps as they are drawn, and how to draw it."""

    width: float
    height: float
    maps: list[Heatmap]

    def draw(self, page: Page, left: float, top: float) -> None:
        """Draw everything, from this corner on."""


@dataclass(frozen=True, slots=True)
class Heading:
    """The title, the small print that says what the picture is, what went wrong, and what holds a
    long map together.
    """

    title: str
    details: tuple[str, ...]
    failed: str = ""
    structure: str = ""

    def lines(self, pen: Pen, room: float) -> list[tuple[str, float, str, str]]:
        """(text, points, weight, colour) of every line, in this width."""
        theme = pen.style.theme
        parts = [(self.title, TITLE, "bold", theme.ink), (self.failed, DETAIL, "bold", "#d62828")]
        small = (" · ".join(self.details), self.structure)
        parts += [(text, DETAIL, "normal", theme.faint) for text in small]
        return [(line, size, weight, colour) for text, size, weight, colour in parts if text
                for line in pen.wrapped(pen.plain(text), room, size, weight)]  # fmt: skip

    def height(self, pen: Pen, room: float) -> float:
        """Inches of all lines with the gap below."""
        return sum(size * SPACING for _, size, _, _ in self.lines(pen, room)) + 0.12


class Page:
    """A figure of a known size whose places are given in inches from its top left corner.

    Raises UsageError when it would have more pixels than can be drawn.
    """

    def __init__(self, pen: Pen, width: float, height: float) -> None:
        style = pen.style
        self.pen = pen
        self.width, self.height = (
            math.ceil(side * style.dpi) / style.dpi for side in (width, height)
        )
        pixels = (round(self.width * style.dpi), round(self.height * style.dpi))
        if max(pixels) > SIDE or math.prod(pixels) > PIXELS:
            raise UsageError(
                f"{pixels[0]:,} × {pixels[1]:,} pixels are too many for a picture",
                "give a smaller --dpi or --size",
            )
        self.figure = Figure((self.width, self.height), dpi=style.dpi, facecolor=style.theme.paper)

    def axes(self, box: Box) -> Axes:
        """Axes without decoration, on whole pixels."""
        box = self.snapped(box)
        place = (box.left / self.width, 1 - (box.top + box.height) / self.height,
                 box.width / self.width, box.height / self.height)  # fmt: skip
        axes = self.figure.add_axes(place)
        axes.set_facecolor("none")
        axes.tick_params(length=0, pad=2)
        for spine in axes.spines.values():
            spine.set_visible(False)
        return axes

    def snapped(self, box: Box) -> Box:
        """The box with its edges on whole pixels."""
        dpi = self.pen.style.dpi
        sides = (box.left, box.top, box.width, box.height)
        return Box(*(round(side * dpi) / dpi for side in sides))

    def cells(self, box: Box, colours: np.ndarray) -> Axes:
        """Draws colours, uint8 (rows, columns, 4), on whole pixels; gives axes of a unit a cell."""
        box, dpi = self.snapped(box), self.pen.style.dpi
        rows, columns = colours.shape[:2]
        big = colours.repeat(max(1, round(box.height * dpi / rows)), axis=0)
        big = big.repeat(max(1, round(box.width * dpi / columns)), axis=1)
        below = self.height - box.top - box.height
        self.figure.figimage(big, round(box.left * dpi), round(below * dpi), origin="upper")
        axes = self.axes(box)
        axes.set_xlim(-0.5, columns - 0.5)
        axes.set_ylim(rows - 0.5, -0.5)
        return axes

    def text(self, left: float, top: float, text: str, size: float, **options: Any) -> Text:
        """A text whose upper left corner (by default) is here."""
        weight = options.pop("weight", "normal")
        options = {"color": self.pen.style.theme.ink, "va": "top", "ha": "left"} | options
        return self.figure.text(left / self.width, 1 - top / self.height, text, parse_math=False,
                                fontproperties=self.pen.font(size, weight), **options)  # fmt: skip


def compose(pen: Pen, heading: Heading, body: Body) -> Page:
    """The page with heading and body. Raises UsageError when they do not fit its size."""
    size = pen.style.size
    width = size[0] if size else max(body.width, LEAST_WIDTH) + 2 * MARGIN
    top = MARGIN + heading.height(pen, width - 2 * MARGIN)
    height = size[1] if size else top + body.height + MARGIN
    page = Page(pen, width, height)
    y = MARGIN
    for text, points, weight, colour in heading.lines(pen, width - 2 * MARGIN):
        page.text(MARGIN, y, text, points, weight=weight, color=colour)
        y += points * SPACING
    body.draw(page, MARGIN, top)
    return page


def room_of(pen: Pen, heading: Heading) -> tuple[float, float] | None:
    """Inches left for the body where the size is given. Raises UsageError when too few are.

    Two lines are kept for what the layout adds to the small print.
    """
    if pen.style.size is None:
        return None
    width, height = pen.style.size
    left = width - 2 * MARGIN
    below = height - 2 * MARGIN - heading.height(pen, left) - 2 * DETAIL * SPACING
    if left < 1 or below < 1:
        raise UsageError(
            f"--size {width:g}x{height:g} leaves no room for the picture", "give more inches"
        )
    return left, below
