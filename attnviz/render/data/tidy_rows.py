"""A view as rows of a table: one row per weight, or per head."""

from __future__ import annotations

import csv
import io
import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from attnviz.views.heads.head_grid import HeadGrid
from attnviz.views.heads.names import names_of
from attnviz.views.heads.query_grid import QueryGrid
from attnviz.views.maps.head_screen import HeadMaps, HeadScreen
from attnviz.views.maps.heatmap import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from _typeshed import SupportsWrite

    from attnviz.views.answer import Answer
    from attnviz.views.heads.head_table import HeadTable
    from attnviz.views.heads.patterns import Head
    from attnviz.views.maps.alignment import AlignmentTable
    from attnviz.views.maps.heatmap import Heatmap

Row = list[Any]
QUOTED_ENDS = "\r\n"
WEIGHTS = ["stack", "layer", "head", "query", "query_label", "key", "key_label", "weight"]
HEADS = ["stack", "layer", "head", "pattern", "strength"]
QUERIES = [
    "stack",
    "layer",
    "head",
    "query",
    "query_label",
    "key",
    "key_label",
    "weight",
    "special",
]


def table_rows(view: Answer) -> Iterator[Row]:
    """The rows of a view, the first one naming the columns.

    Maps and tables give one row per weight that is known; grids one per head. A picture that has
    both gives the weights of its map.
    """
    parts = view.parts
    shown = [part for part in parts if isinstance(part, (HeadScreen, HeadMaps, QueryGrid))]
    if shown:
        yield QUERIES if isinstance(shown[0], QueryGrid) else WEIGHTS
        for part in shown:
            yield from part_rows(part)
        return
    grids = [part for part in parts if isinstance(part, HeadGrid)]
    names = list(dict.fromkeys(name for grid in grids for one in grid.heads for name in one.scores))
    yield [*HEADS, *names]
    for grid in grids:
        yield from grid_rows(grid, names)


def part_rows(part: Any) -> Iterator[Row]:
    """The rows of a head's screen, of several maps, or of a query's grid."""
    if isinstance(part, HeadScreen):
        if part.heatmap is not None:
            yield from map_rows(part.stack, part.head, part.heatmap)
        elif part.table is not None:
            yield from alignment_rows(part.stack, part.head, part.table)
    elif isinstance(part, HeadMaps):
        for head, one in part.maps:
            yield from map_rows(part.stack, head, one)
    elif isinstance(part, QueryGrid):
        yield from query_rows(part)


def map_rows(stack: str, head: Head, one: Heatmap, least: float | None = None) -> Iterator[Row]:
    """One row per known cell, of at least this weight; several positions are written `12-15`."""
    wanted = one.states <= State.ZERO
    if least is not None:
        wanted &= one.values >= least
    rows = [(span(at), one.queries.labels[at[0]]) for at in one.rows]
    columns = [(span(at), one.keys.labels[at[0]]) for at in one.columns]
    for i, j in np.argwhere(wanted).tolist():
        yield [stack, head.layer, head.head, *rows[i], *columns[j], figure(one.values[i, j])]


def alignment_rows(stack: str, head: Head, table: AlignmentTable) -> Iterator[Row]:
    """One row per key that the table lists."""
    for i, query in enumerate(table.rows):
        for key, weight in table.top(i):
            yield [stack, head.layer, head.head, query, table.queries.labels[query],
                   key, table.keys.labels[key], figure(weight)]  # fmt: skip


def query_rows(grid: QueryGrid) -> Iterator[Row]:
    """One row per head."""
    first, last = grid.positions[0], grid.positions[-1]
    label = "".join(grid.queries.labels[i] for i in grid.positions)
    asked = grid.key_positions
    for layer, head, cell in grid.cells:
        key: int | str = cell.key if cell.key >= 0 else ""
        text = grid.keys.labels[cell.key] if cell.key >= 0 else ""
        if asked:
            key, text = span((asked[0], asked[-1] + 1)), "".join(grid.keys.labels[i] for i in asked)
        yield [grid.stack, layer, head, span((first, last + 1)), label, key, text,
               figure(cell.weight), int(cell.special)]  # fmt: skip


def grid_rows(grid: HeadGrid, names: Sequence[str]) -> Iterator[Row]:
    """One row per head with all its scores."""
    for one in grid.heads:
        scores = [figure(one.score(name)) for name in names]
        pattern = one.pattern
        yield [grid.stack, one.layer, one.head, pattern.name, figure(pattern.strength), *scores]


def ranking_rows(table: HeadTable) -> Iterator[Row]:
    """One row per head with its scores and, over several texts, their deviations."""
    spread = [f"{name}_std" for name in table.scores] if table.texts > 1 else []
    yield [*HEADS, "names", *table.scores, *spread]
    for one in table.rows:
        head = one.head
        means = [figure(head.score(name)) for name in table.scores]
        stds = [figure(one.spread.get(name, math.nan)) for name in table.scores if spread]
        pattern = [head.pattern.name, figure(head.pattern.strength)]
        names = " ".join(name.name for name in names_of(head))
        yield [one.stack, head.layer, head.head, *pattern, names, *means, *stds]


def span(positions: tuple[int, int]) -> int | str:
    """The position, or `12-15` for several."""
    first, last = positions
    return first if last - first == 1 else f"{first}-{last - 1}"


def figure(value: float) -> str:
    """A number with 7 digits that count, empty when it is not finite."""
    return f"{float(value):.7g}" if math.isfinite(value) else ""


def to_text(rows: Iterable[Row], form: Literal["tsv", "csv"]) -> str:
    """The rows as text, one line each, as `write_rows` writes them.

    Lone surrogates, which no file can hold, are written as escapes.
    """
    out = io.StringIO()
    write_rows(rows, form, out)
    return out.getvalue().encode("utf-8", "backslashreplace").decode("utf-8")


def write_rows(rows: Iterable[Row], form: Literal["tsv", "csv"], out: SupportsWrite[str]) -> None:
    """Write the rows to an open file, as they come.

    Both forms quote alike: a cell that holds the delimiter, a quotation mark, a line feed or a
    carriage return stands in quotation marks, those inside it doubled. `csv.reader` with the
    form's delimiter reads every cell back from text opened with `newline=""`.
    """
    delimiter = "\t" if form == "tsv" else ","
    csv.writer(_Lines(out), delimiter=delimiter, lineterminator=QUOTED_ENDS).writerows(rows)


class _Lines:
    """Takes the records of `csv.writer`, which quotes what its line end holds; ends them in \\n."""

    def __init__(self, out: SupportsWrite[str]) -> None:
        self.out = out

    def write(self, record: str) -> None:
        """One record."""
        self.out.write(record.removesuffix(QUOTED_ENDS) + "\n")
