"""The cells of a map as styled characters, one way for every kind of terminal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from rich.style import Style

from attnviz.render.terminal.canvas import Canvas, painted
from attnviz.render.terminal.ramps import LEVELS, RGB, SIGNS, colour, glyph, grey
from attnviz.render.text.colour import luminance
from attnviz.views.maps.heatmap import Heatmap, State
from attnviz.views.maps.scales import positions

if TYPE_CHECKING:
    from collections.abc import Iterator

Kind = Literal["digits", "shade", "half"]
Part = tuple[str, Style]

LIGHT: RGB = (236, 236, 236)
DARK: RGB = (16, 16, 16)
FAINT: RGB = (128, 128, 136)
DIM = Style(dim=True)
PLAIN = Style()
LEAST_SHOWN = 0.005  # a smaller weight rounds to 0 %, and its cell has no digits


@dataclass(frozen=True, slots=True)
class Mark:
    """How a cell that is no value looks: its glyphs, and its colours where there are any."""

    glyph: str
    ascii: str
    background: RGB | None
    foreground: RGB
    meaning: str


MARKS: dict[State, Mark] = {
    State.ZERO: Mark("0", "0", (64, 50, 14), (150, 120, 90), "exactly 0"),
    State.MASKED: Mark("·", "_", None, FAINT, "masked"),
    State.PADDED: Mark("╱", "/", (44, 56, 78), (130, 150, 180), "padding"),
    State.NAN: Mark("!", "!", (200, 30, 40), (255, 255, 255), "not a number"),
    State.CUT: Mark("┊", "'", (20, 56, 36), (110, 150, 130), "not kept"),
}


@dataclass(frozen=True, slots=True)
class CellShape:
    """How a key is drawn: `digits` in `width` columns, a `shade` of `width`, or two keys in
    the halves of one column."""

    kind: Kind
    width: int

    def columns(self, keys: int) -> int:
        """How many columns this many keys take."""
        return -(-keys // 2) if self.kind == "half" else keys * self.width


class CellPainter:
    """Draws the rows of one map."""

    def __init__(self, heatmap: Heatmap, canvas: Canvas, shape: CellShape) -> None:
        self.map, self.canvas, self.shape = heatmap, canvas, shape
        places = np.nan_to_num(positions(heatmap))
        self.levels = np.rint(places * LEVELS).astype(int).tolist()
        self.values = heatmap.values.tolist()
        self.states = [[State(state) for state in row] for row in heatmap.states.tolist()]
        self.sinks = heatmap.sinks.tolist()

    def row(self, i: int, columns: range | None = None) -> Iterator[Part]:
        """The cells of row `i` in these columns (all when None), as (text, style)."""
        columns = range(self.map.shape[1]) if columns is None else columns
        if self.shape.kind == "half":
            yield from self._halves(i, columns)
            return
        for j in columns:
            yield self._coloured(i, j) if self.canvas.coloured else self._plain(i, j)

    def background(self, i: int, j: int) -> RGB | None:
        """The colour of a cell, None for the terminal's own."""
        state = self.states[i][j]
        if state is not State.VALUE:
            return MARKS[state].background
        place = self.levels[i][j] / LEVELS
        return grey(place) if self.sinks[j] else colour(place, ramp_of(self.map))

    def _coloured(self, i: int, j: int) -> Part:
        state, width = self.states[i][j], self.shape.width
        fill = self.background(i, j)
        if state is State.MASKED:
            return " " * width, PLAIN
        if state is not State.VALUE:
            mark = MARKS[state]
            return centred(self._mark(mark), width), painted(fill, mark.foreground)
        text = figures(self.values[i][j], width) if self.shape.kind == "digits" else " " * width
        ink = DARK if fill is not None and luminance(fill) > 0.45 else LIGHT
        return text, painted(fill, ink if self.shape.kind == "digits" else None)

    def _plain(self, i: int, j: int) -> Part:
        state, width = self.states[i][j], self.shape.width
        digits = self.shape.kind == "digits"
        if state is not State.VALUE:
            mark = self._mark(MARKS[state])
            return centred(mark, width) if digits else mark * width, DIM
        value = self.values[i][j]
        if digits:
            strong = self._strength(i, j) >= 0.5 and not self.sinks[j]
            return figures(value, width), Style(bold=True) if strong else PLAIN
        if self.sinks[j]:
            return tenths(value).rjust(width), DIM
        ramp = SIGNS if self.map.scale == "signed" else self.canvas.glyphs
        return glyph(self.levels[i][j] / LEVELS, ramp) * width, PLAIN

    def _strength(self, i: int, j: int) -> float:
        """How far a value is from 0 on the scale, 0 to 1."""
        place: float = self.levels[i][j] / LEVELS
        return abs(2 * place - 1) if self.map.scale == "signed" else place

    def _halves(self, i: int, columns: range) -> Iterator[Part]:
        for j in columns[::2]:
            left = self.background(i, j)
            right = self.background(i, j + 1) if j + 1 in columns else None
            yield half_block(left, right, "▌", "▐")

    def _mark(self, mark: Mark) -> str:
        return mark.ascii if self.canvas.ascii else mark.glyph


def ramp_of(heatmap: Heatmap) -> str:
    """The colour ramp of a map."""
    return "diverging" if heatmap.scale == "signed" else "viridis"


def half_block(first: RGB | None, second: RGB | None, near: str, far: str) -> Part:
    """Two colours in one character; None is the terminal's own background."""
    if first is None and second is None:
        return " ", PLAIN
    if first is None:
        return far, painted(None, second)
    return near, painted(second, first)


def percent(value: float) -> str:
    """A weight in percent without a sign, empty when it rounds to 0."""
    return "" if abs(value) < LEAST_SHOWN else f"{100 * value:.0f}"


def figures(value: float, width: int) -> str:
    """A weight in percent in a cell of at least 3 columns."""
    return centred(percent(value).rjust(2), width)


def centred(text: str, width: int) -> str:
    """A text in the middle of a cell of this width, or just left of it."""
    left = (width - len(text)) // 2
    return (" " * left + text).ljust(width)


def tenths(value: float) -> str:
    """A weight as one digit of tenths: 1 to 9, a space for less than half of one."""
    digit = min(9, round(value * 10))
    return str(digit) if digit else " "
