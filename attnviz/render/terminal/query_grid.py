"""Where one query looks in every head."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.style import Style

from attnviz.attention.words import joined_label
from attnviz.render.terminal.canvas import Canvas, Line, painted
from attnviz.render.terminal.cells import DARK, LIGHT, percent
from attnviz.render.terminal.ramps import colour, glyph
from attnviz.render.terminal.registry import TERMINAL
from attnviz.render.text.colour import luminance
from attnviz.views.heads.query_grid import QueryGrid
from attnviz.views.maps.scales import number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attnviz.views.heads.query_grid import QueryCell

WIDEST, LEAST_NAMED = 12, 9


@TERMINAL.draws(QueryGrid)
def query_grid(grid: QueryGrid, canvas: Canvas) -> Iterator[Line]:
    """The lines of the grid: heading, cells, best heads, legend."""
    yield from canvas.prose(heading(grid, canvas))
    left = max((len(f"L{layer}") for layer, _ in grid.rows), default=2) + 2
    heads = max((len(row) for _, row in grid.rows), default=1)
    room = canvas.width - left
    least = 4 if grid.key_positions else LEAST_NAMED
    bands = math.ceil(heads / max(1, room // least))
    band = math.ceil(heads / bands)
    cell = min(WIDEST, max(least, room // band))
    for start in range(0, heads, band):
        line = Line().pad(left)
        for head in range(start, min(start + band, heads)):
            line.add(f"H{head}".ljust(cell)[:cell], "dim")
        yield line
        for layer, row in grid.rows:
            line = Line(f"L{layer}", "dim").pad(left)
            for one in row[start : start + band]:
                write(line, grid, one, canvas, cell)
            yield line
    yield from best(grid, canvas, left)
    yield from legend(grid, canvas, left)


def heading(grid: QueryGrid, canvas: Canvas) -> list[tuple[str, str]]:
    """The query, and what the cells show."""
    word = canvas.token(joined_label([grid.queries.labels[i] for i in grid.positions]), 24)
    place = ", ".join(str(grid.queries.positions[i]) for i in grid.positions)
    which, count = grid.occurrence
    twin = f"; {which} of {count} equal words, see #{which % count + 1}" if count > 1 else ""
    what = "the key each head looks at most"
    if grid.key_positions:
        key = canvas.token(joined_label([grid.keys.labels[i] for i in grid.key_positions]), 24)
        what = f"% of its attention that goes to {key}"
    stack = f" · {grid.stack}" if grid.several else ""
    return [(f"From {word}", "bold"), (f" (token {place}{twin}){stack}   {what}", "dim")]


def write(line: Line, grid: QueryGrid, cell: QueryCell | None, canvas: Canvas, width: int) -> None:
    """Write one cell: the key and its weight in percent, on the weight's colour."""
    if cell is None:
        line.add(" " * width)
        return
    inner = width - 1
    if math.isnan(cell.weight):
        line.add("?".ljust(inner), "dim").add(" ")
        return
    place = 0.0 if cell.special else cell.weight / (grid.vmax or 1)
    text = cell_text(grid, cell, canvas, inner, place)
    if cell.special:
        line.add(text, "dim")
    elif canvas.coloured:
        fill = colour(place)
        line.add(text, painted(fill, DARK if luminance(fill) > 0.45 else LIGHT))
    else:
        line.add(text, Style(bold=True) if place >= 0.5 else "")
    line.add(" ")


def cell_text(grid: QueryGrid, cell: QueryCell, canvas: Canvas, width: int, place: float) -> str:
    """`tired 68`; a shade in front of the bare figure where there is no colour."""
    figure = percent(cell.weight) or "0"
    if grid.key_positions:
        mark = "" if canvas.coloured or width < 4 else glyph(place, canvas.glyphs)
        return mark + figure.rjust(width - len(mark))
    room = max(1, width - len(figure) - 1)
    label = canvas.cell(grid.keys.labels[cell.key], room)
    return label + " " * (width - cell_len(label) - len(figure)) + figure


def best(grid: QueryGrid, canvas: Canvas, left: int) -> list[Line]:
    """The heads with the largest weights on ordinary tokens, in words."""
    values = [one for one in grid.cells if not math.isnan(one[2].weight)]
    known = [value for value in values if not value[2].special]
    if not known:
        return []
    lead = "strongest: " if len(known) == len(values) else "strongest to no special token: "
    top = sorted(known, key=lambda cell: -cell[2].weight)[:4]
    words = "   ".join(
        f"L{layer}H{head} {key_text(grid, one.key, canvas)} {one.weight:.2f}"
        for layer, head, one in top
    )
    return canvas.prose([(" " * left + lead, "dim"), (words, "")], indent=left)


def key_text(grid: QueryGrid, key: int, canvas: Canvas) -> str:
    """The text of a key, or of all keys that were asked for."""
    keys = grid.key_positions or (key,)
    return canvas.token(joined_label([grid.keys.labels[i] for i in keys]), 16)


def legend(grid: QueryGrid, canvas: Canvas, left: int) -> list[Line]:
    """What figures and colours mean."""
    words = "figures in %"
    if canvas.coloured:
        words += f", colour 0 – {number(grid.vmax)} linear"
    if any(cell.special for _, _, cell in grid.cells):
        words += ", dim = special tokens, off the scale" if canvas.coloured else ""
    words = ", ".join([words, *grid.notes])
    return canvas.prose([(" " * left + words, "dim")], indent=left)
