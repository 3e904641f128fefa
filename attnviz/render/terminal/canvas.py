"""What the drawing functions draw on: lines of styled text, and what the terminal can do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.color import Color
from rich.segment import Segment
from rich.style import Style

from attnviz.render.terminal.console import is_ascii
from attnviz.render.terminal.ramps import ASCII, BLOCKS, RGB
from attnviz.render.text.safe import display, fit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rich.console import Console

TO_ASCII = {" · ": ", ", "·": ".", "×": "x", "–": "-", "…": "~", "✓": "ok", "│": "|", "─": "-",
            "█": "#", "≥": ">=", "↓": "v", "→": "->", "±": "+-",
            "∞": "inf", "√": "sqrt ", "Σ": "sum", "ᵀ": "'", "‖": "|", "α": "a"}  # fmt: skip


TIE = "\u00a0"  # a space at which no line is broken; labels have none, see `safe`


class Depth(IntEnum):
    """How many colours a cell may have."""

    NONE = 0  # none, or 16 that follow no order: glyphs
    FEW = 1  # 256
    TRUE = 2


class Line:
    """One line, built from left to right. A `whole` one is not cut where it is too wide."""

    def __init__(self, text: str = "", style: str | Style = "", whole: bool = False) -> None:
        self.parts: list[tuple[str, Style]] = []
        self.whole = whole
        self.width = 0
        self.add(text, style)

    def add(self, text: str, style: str | Style = "") -> Line:
        """The line itself, with this text at its end."""
        if text:
            self.parts.append((text, Style.parse(style) if isinstance(style, str) else style))
            self.width += cell_len(text)
        return self

    def pad(self, width: int) -> Line:
        """The line itself, at least `width` cells wide."""
        return self.add(" " * (width - self.width))

    def join(self, other: Line) -> Line:
        """The line itself, with another at its end."""
        self.parts.extend(other.parts)
        self.width += other.width
        return self

    def segments(self, width: int) -> Iterator[Segment]:
        """The line as rich segments, cut at `width` cells, without spaces at its end."""
        parts = [Segment(text, style) for text, style in self.parts]
        if self.width > width and not self.whole:
            parts = Segment.adjust_line_length(parts, width, pad=False)
        while parts and not parts[-1].text.strip(" ") and not has_background(parts[-1].style):
            parts.pop()
        if parts and not has_background(parts[-1].style):
            parts[-1] = Segment(parts[-1].text.rstrip(" "), parts[-1].style)
        yield from Segment.simplify(parts)


def has_background(style: Style | None) -> bool:
    """Whether spaces in this style can be seen."""
    return style is not None and (style.bgcolor is not None or bool(style.reverse))


@dataclass(frozen=True, slots=True)
class Canvas:
    """A width, a colour depth and a character set."""

    width: int
    depth: Depth
    ascii: bool = False

    @classmethod
    def of(cls, console: Console, width: int | None = None) -> Canvas:
        """The canvas that this console offers."""
        depth = {"truecolor": Depth.TRUE, "256": Depth.FEW}.get(str(console.color_system))
        if depth is None or console.no_color or console.is_dumb_terminal:
            depth = Depth.NONE
        return cls(width or console.width, depth, is_ascii(console))

    @property
    def coloured(self) -> bool:
        """Whether cells can carry a value as colour."""
        return self.depth is not Depth.NONE

    @property
    def halves(self) -> bool:
        """Whether one character can show two colours."""
        return self.coloured and not self.ascii

    @property
    def glyphs(self) -> str:
        """The glyph ramp."""
        return ASCII if self.ascii else BLOCKS

    def token(self, label: str, width: int | None = None) -> str:
        """A label made safe, in at most `width` cells."""
        shown = display(label, self.ascii)
        return shown if width is None else self.cut(shown, width)

    def cut(self, shown: str, width: int) -> str:
        """A safe text in at most `width` cells, an ellipsis at its end where it is longer."""
        return fit(self.text(shown), width, "~" if self.ascii else "…")

    def cell(self, label: str, width: int) -> str:
        """A label made safe, in exactly `width` cells."""
        shown = self.token(label, width)
        return shown + " " * (width - cell_len(shown))

    def text(self, words: str) -> str:
        """Our own words in the characters this canvas has."""
        if not self.ascii:
            return words
        for mark, plain in TO_ASCII.items():
            words = words.replace(mark, plain)
        return words

    def prose(
        self, parts: Iterable[tuple[str, str]], indent: int = 0, start: Line | None = None
    ) -> list[Line]:
        """Lines of (words, style), broken between words where they do not fit, but not at a TIE.

        The first line goes on where `start` ends; the others begin at `indent`.
        """
        lines = [start or Line()]
        room = max(1, self.width)
        for words, style in parts:
            for piece in _pieces(self.text(words), room - indent):
                if lines[-1].width + cell_len(piece.rstrip(" ")) > room:
                    lines.append(Line(" " * indent))
                    piece = piece.lstrip(" ")
                lines[-1].add(piece.replace(TIE, " "), style)
        return lines


def _pieces(words: str, room: int) -> Iterator[str]:
    """Words with the spaces before them; one too long for a line is cut into several."""
    start = 0
    while start < len(words):
        end = start
        while end < len(words) and words[end] == " ":
            end += 1
        while end < len(words) and words[end] != " ":
            end += 1
        piece = words[start:end]
        while cell_len(piece.strip(" ")) > max(1, room):
            head = ""
            for char in piece:
                if head and cell_len(head + char) > max(1, room):
                    break
                head += char
            yield head
            piece = piece[len(head) :]
        yield piece
        start = end


@lru_cache(maxsize=16384)
def painted(background: RGB | None, foreground: RGB | None = None, bold: bool = False) -> Style:
    """A cell's style; None leaves the terminal's own colour."""
    return Style(
        color=None if foreground is None else Color.from_rgb(*foreground),
        bgcolor=None if background is None else Color.from_rgb(*background),
        bold=bold or None,
    )


def counted(number: int, noun: str) -> str:
    """`1 head`, `12 heads`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
