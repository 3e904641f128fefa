"""One head: its map and its table on the same lines where the width allows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from rich.cells import cell_len

from attnviz.render.terminal.canvas import Canvas, Line
from attnviz.render.terminal.cells import LEAST_SHOWN, CellPainter, CellShape
from attnviz.render.terminal.map_lines import (
    header,
    key_lines,
    label_width,
    legend,
    row_label,
    span_text,
)
from attnviz.render.terminal.registry import TERMINAL
from attnviz.render.terminal.table_lines import (
    GAP,
    TableShape,
    heading,
    shapes,
    table_row,
)
from attnviz.views.maps.head_screen import HeadScreen
from attnviz.views.maps.heatmap import take
from attnviz.views.maps.pool import pooled
from attnviz.views.request import ALL

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from attnviz.views.maps.alignment import AlignmentTable
    from attnviz.views.maps.heatmap import Heatmap
    from attnviz.views.maps.structure import Structure
    from attnviz.views.request import Rows

MOST_ROWS = 60
MOST_ASKED = 300  # lines of the cells, and rows of the table, that were asked for
SHORT = 24  # so few rows may be drawn twice: the map with digits, then the table
SINKS, SINK_LABEL = 6, 12  # texts of sinks that are named, and their cells
LISTED = 20  # rows of the table below a pooled map
SIGNED = CellShape("digits", 5)
SPACED, DIGITS, SQUARE, NARROW, HALF = (
    CellShape("digits", 4),
    CellShape("digits", 3),
    CellShape("shade", 2),
    CellShape("shade", 1),
    CellShape("half", 1),
)


@dataclass(frozen=True, slots=True)
class Layout:
    """How a head's screen is laid out: the cells, the table's shape, and whether it is beside."""

    cell: CellShape
    table: TableShape | None
    beside: bool


@TERMINAL.draws(HeadScreen)
def head_screen(screen: HeadScreen, canvas: Canvas) -> Iterator[Line]:
    """The lines of one head's screen."""
    yield from title(screen, canvas)
    if screen.structure is not None:
        yield from structure(screen.structure, canvas)
    most = MOST_ROWS if screen.rows.queries is None else MOST_ASKED
    if screen.heatmap is None:
        if screen.table is not None:
            yield from table_alone(screen.table, canvas, most)
            yield from canvas.prose([(table_words(screen.table, canvas), "dim")])
        return
    chosen = yield from fitted_map(screen.heatmap, screen.table, canvas, screen.rows)
    if screen.table is not None and not chosen.beside:
        yield Line()
        yield from table_alone(screen.table, canvas, most)


def fitted_map(
    heatmap: Heatmap, table: AlignmentTable | None, canvas: Canvas, asked: Rows = ALL
) -> Generator[Line, None, Layout]:
    """The lines of a map pooled to this width, with its table where it fits beside it.

    Queries that were asked for are pooled only where there are too many, and so are keys: those
    that do not fit the width stand below.
    """
    most = MOST_ROWS if asked.queries is None or heatmap.pooled else MOST_ASKED
    small = pooled(heatmap, most, len(heatmap.columns))
    chosen = layout(small, table, canvas)
    room = canvas.width - label_width(small, canvas)
    fits = max(1, room * 2 if chosen.cell.kind == "half" else room // chosen.cell.width)
    rows, columns = small.shape
    if asked.keys is None or heatmap.pooled or rows * -(-columns // fits) > MOST_ASKED:
        small = pooled(small, most, fits)
    yield from map_lines(small, table, chosen, canvas, fits)
    return chosen


def title(screen: HeadScreen, canvas: Canvas) -> list[Line]:
    """The head's name and why it is shown, or else its scores."""
    name = f"{screen.stack} {screen.head.label}" if screen.several else screen.head.label
    parts = [(name, "bold"), ("  ", ""), (screen.reason or scores(screen), "dim")]
    return canvas.prose([part for part in parts if part[0]])


def structure(one: Structure, canvas: Canvas) -> list[Line]:
    """The heaviest keys and diagonals of a long map, with their shares of its attention."""
    parts: list[tuple[str, str]] = []
    for name, found, whole in one.parts(lambda label: canvas.token(label, SINK_LABEL).strip()):
        parts += [(f"{name} ", ""), (f"{'   '.join(found)}   {whole}   ", "dim")]
    return canvas.prose(parts)


def scores(screen: HeadScreen) -> str:
    """The head's pattern and scores in words."""
    names = {"content": "content", "previous": "previous", "next": "next", "self": "self",
             "special": "special tokens", "first": "first token",
             "punctuation": "punctuation", "normalized_entropy": "relative entropy"}  # fmt: skip
    found = [f"{words} {screen.head.score(name):.2f}" for name, words in names.items()
             if screen.head.score(name) >= 0.005]  # fmt: skip
    return " · ".join(found)


def layout(small: Heatmap, table: AlignmentTable | None, canvas: Canvas) -> Layout:
    """The best way to draw map and table in this width."""
    rows, columns = small.shape
    room = canvas.width - label_width(small, canvas)
    cells = [*wide_cells(small, canvas), *digit_cells(small)]
    narrow = [SQUARE, NARROW, HALF] if canvas.halves else [SQUARE, NARROW]
    below = next((c for c in [*cells, *narrow] if c.columns(columns) <= room), narrow[-1])
    if table is None or small.pooled:
        return Layout(below, None, beside=False)
    full = shapes(table, canvas, table.top_keys.shape[1])
    best = [one for one in full if one.keys > 1] or full
    orders = [(cells, best), (cells, full)]
    if rows > SHORT or below.kind != "digits":
        orders += [([one], some) for one in narrow for some in (best, full)]
    for some_cells, some_tables in orders:
        for cell in some_cells:
            for shape in some_tables:
                if cell.columns(columns) + GAP + shape.width <= room:
                    return Layout(cell, shape, beside=True)
    return Layout(below, None, beside=False)


def wide_cells(small: Heatmap, canvas: Canvas) -> list[CellShape]:
    """Cells wide enough for the texts of the keys, where these are not the texts of the rows."""
    if small.square or small.pooled:
        return []
    widest = max((cell_len(canvas.token(t)) for t in small.keys.labels), default=0)
    return [CellShape("digits", n) for n in range(min(10, widest + 1), 4, -1)]


def digit_cells(small: Heatmap) -> list[CellShape]:
    """Cells for the figures of the weights: wider ones first where 100 would touch the next."""
    if small.scale == "signed":
        return [SIGNED]
    full = np.round(100 * small.values[:, :-1].astype(np.float64)) >= 100
    beside = small.values[:, 1:] >= LEAST_SHOWN
    return [SPACED, DIGITS] if (full & beside).any() else [DIGITS]


def map_lines(
    small: Heatmap, table: AlignmentTable | None, chosen: Layout, canvas: Canvas, fits: int
) -> Iterator[Line]:
    """The map with its header and legend, and the table's rows where they are beside it.

    Keys after the first `fits` stand below, as many at a time.
    """
    indent = label_width(small, canvas)
    end = indent + chosen.cell.columns(small.shape[1]) + GAP
    shape = chosen.table if chosen.beside else None
    painter = CellPainter(small, canvas, chosen.cell)
    places = {query: i for i, query in enumerate(table.rows)} if table is not None else {}
    rows, columns = (range(count) for count in small.shape)
    for start in range(0, max(1, len(columns)), fits):
        part = columns[start : start + fits]
        *above, index = header(take(small, rows, part), canvas, chosen.cell, indent)
        yield from above
        yield index.pad(end).join(heading(shape, canvas)) if shape else index
        for i in rows:
            line = row_label(small, i, canvas, indent)
            for text, style in painter.row(i, part):
                line.add(text, style)
            place = places.get(small.rows[i][0])
            if shape and table is not None and place is not None:
                line.pad(end).join(table_row(table, place, shape, canvas))
            yield line
    if not small.square and not small.pooled and chosen.cell.width <= 4:
        yield from key_lines(small, canvas, indent)
    yield from legend([small], canvas, chosen.cell, indent)
    own = set(small.notes)
    if table is not None:
        words = [note for note in table.notes if note not in own] + learned_words(table)
        if words:
            yield from canvas.prose([(", ".join(words), "dim")])


def table_alone(table: AlignmentTable, canvas: Canvas, most: int = MOST_ROWS) -> Iterator[Line]:
    """The table without a map: all rows, or the strongest of many with what is left out."""
    count = len(table.rows)
    picked = list(range(count)) if count <= most else table.strongest(LISTED)
    axis = table.queries
    index = max((len(span_text(axis, (i, i + 1))) for i in table.rows), default=1)
    widest = max((cell_len(canvas.token(axis.labels[i])) for i in table.rows), default=1)
    label = max(1, min(widest, 12, canvas.width // 4))
    options = shapes(table, canvas, table.top_keys.shape[1])
    indent = index + 1 + label + GAP
    shape = next((option for option in options if indent + option.width <= canvas.width), None)
    if shape is None:
        shape = replace(options[-1], link=0)
        if indent + shape.width > canvas.width:
            shape = replace(shape, share=0)
    yield Line("query"[:indent], "dim").pad(indent).join(heading(shape, canvas))
    for i in picked:
        query = table.rows[i]
        line = Line(span_text(axis, (query, query + 1)).rjust(index) + " ", "dim")
        line.add(canvas.cell(axis.labels[query], label)).pad(indent)
        yield line.join(table_row(table, i, shape, canvas))
    if len(picked) < count:
        first, last = axis.positions[table.rows[0]], axis.positions[table.rows[-1]]
        some = f"--query {first}-{min(first + MOST_ROWS - 1, last)}"
        words = f"… {count - len(picked):,} more queries: {some} shows a range"
        yield from canvas.prose([(f"{words}; these have the heaviest keys", "dim")])
    if not shape.share:
        yield from canvas.prose([("no room for the sink share", "dim")])


def table_words(table: AlignmentTable, canvas: Canvas) -> str:
    """What a table without a map leaves unsaid: what it lists, what sinks are, what was changed."""
    labels = [canvas.token(label, SINK_LABEL) for label in table.sink_labels]
    names = " ".join(labels[:SINKS] + ["…"] * (len(labels) > SINKS))
    words = [f"weights below {table.least:.2f} are not listed"]
    words += [f"sink = the share of {names}, which are not listed either"] if names else []
    return ", ".join([*words, *table.notes, *learned_words(table)])


def learned_words(table: AlignmentTable) -> list[str]:
    """That rows give a share to no key at all, where they do."""
    if not (table.learned > 0).any():
        return []
    return [f"sink holds the learned sink: {table.learned.mean():.0%} of a row on average"]
