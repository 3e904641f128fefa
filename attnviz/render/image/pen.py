"""Texts of an image: which fonts draw them, how wide they are, how they break into lines."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties

from attnviz.render.image import fonts
from attnviz.render.image.style import LINE, POINTS
from attnviz.render.text.safe import display, fit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from attnviz.attention.axis import Axis
    from attnviz.render.image.style import ImageStyle

LONGEST = 24  # cells of a token's label
BREAK = re.compile(r"(?<![=–×]) (?![·=–×])")  # spaces at which a line may end


class Pen:
    """Measures and makes labels in the fonts that can draw `texts`; notes what none can."""

    def __init__(self, style: ImageStyle, texts: Iterable[str]) -> None:
        self.style = style
        self.families = fonts.families(map(display, texts), style.font)
        self.missing: set[str] = set()
        self._glyphs = frozenset(fonts.glyphs_of(self.families))
        self._renderer = FigureCanvasAgg(Figure(dpi=100)).get_renderer()  # type: ignore[no-untyped-call]

    @property
    def warning(self) -> str:
        """What to say when tokens had to be shown by their index; else empty."""
        if not self.missing:
            return ""
        chars = " ".join(sorted(self.missing)[:8]) + (" …" if len(self.missing) > 8 else "")
        advice = fonts.advice(self.missing)
        return f"no installed font can draw {chars}: such tokens are shown as #index; {advice}"

    def font(self, size: float = POINTS, weight: str = "normal") -> FontProperties:
        """The fonts at a size in points."""
        return FontProperties(family=self.families, size=size, weight=weight)

    def width(self, text: str, size: float = POINTS, weight: str = "normal") -> float:
        """Inches that a text takes."""
        wide, _, _ = self._renderer.get_text_width_height_descent(
            text, self.font(size, weight), ismath=False
        )
        return float(wide) / 100

    def widest(self, texts: Sequence[str], size: float = POINTS) -> float:
        """Inches of the widest of the texts, 0 when there is none."""
        return max((self.width(text, size) for text in texts if text), default=0.0)

    def plain(self, text: str) -> str:
        """The text as it can be drawn: what has no glyph is replaced."""
        return "".join(c if c in self._glyphs else "□" for c in display(text))

    def token(self, axis: Axis, position: int, numbered: bool = False) -> str:
        """The label of a position; `#12` where no font can draw its token."""
        index = axis.positions[position]
        shown = fit(display(axis.labels[position]), LONGEST)
        if not fonts.drawable(shown, self._glyphs):
            self.missing |= set(shown) - self._glyphs
            return f"#{index}"
        return f"{index} {shown}" if numbered else shown

    def wrapped(self, text: str, room: float, size: float, weight: str = "normal") -> list[str]:
        """The text in lines of at most `room` inches, broken at spaces but not beside a sign."""
        lines: list[str] = []
        for word in BREAK.split(text):
            longer = f"{lines[-1]} {word}" if lines else word
            if lines and self.width(longer, size, weight) <= room:
                lines[-1] = longer
            else:
                lines.append(word)
        return lines


def thinned(pen: Pen, axis: Axis, places: Sequence[int], cell: float) -> list[str]:
    """A label for every row or column of `cell` inches, empty where there is no room for it.

    With labels left out, those that stay have their index in front.
    """
    step = max(1, -int(-LINE // cell))
    return [
        pen.token(axis, place, numbered=step > 1) if i % step == 0 else ""
        for i, place in enumerate(places)
    ]
