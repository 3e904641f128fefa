"""One score of every head, layers × heads."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich.style import Style

from attnviz.render.terminal.canvas import Canvas, Line, painted
from attnviz.render.terminal.cells import DARK, LIGHT
from attnviz.render.terminal.head_table import GAP, short
from attnviz.render.terminal.ramps import colour
from attnviz.render.terminal.registry import TERMINAL
from attnviz.render.text.colour import luminance
from attnviz.views.heads.score_matrix import HeadMatrix

if TYPE_CHECKING:
    from collections.abc import Iterator


@TERMINAL.draws(HeadMatrix)
def score_matrix(view: HeadMatrix, canvas: Canvas) -> Iterator[Line]:
    """Layers × heads of one score, with figures on the colours of the scale."""
    where = f" · {view.stack}" if view.several else ""
    yield from canvas.prose([(f"{view.score.replace('_', ' ')} of every head{where}", "bold")])
    known = [number for row in view.values.tolist() for number in row if not math.isnan(number)]
    top = max(known, default=0.0)
    left = max((len(f"L{layer}") for layer in view.layers), default=2) + GAP
    cell = max(4, *(len(f"H{head}") for head in view.heads)) + 1
    band = max(1, (canvas.width - left + 1) // cell)
    for start in range(0, len(view.heads), band):
        line = Line().pad(left)
        for head in view.heads[start : start + band]:
            line.add(f"H{head}".rjust(cell - 1) + " ", "dim")
        yield line
        for layer, row in zip(view.layers, view.values.tolist(), strict=True):
            line = Line(f"L{layer}", "dim").pad(left)
            for number in row[start : start + band]:
                line.add(*figure(number, top, cell - 1, canvas)).add(" ")
            yield line
    yield from canvas.prose([(f"the largest is {short(top)}", "dim")])


def figure(number: float, top: float, width: int, canvas: Canvas) -> tuple[str, Style | str]:
    """A number of the matrix and its colours; bold where there is no colour and it is large."""
    if math.isnan(number):
        return "-".rjust(width), "dim"
    place = min(1.0, max(0.0, number / (top or 1)))
    text = short(number).rjust(width)
    if not canvas.coloured:
        return text, Style(bold=True) if place >= 0.5 else ""
    fill = colour(place)
    return text, painted(fill, DARK if luminance(fill) > 0.45 else LIGHT)
