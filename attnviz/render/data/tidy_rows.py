"""A view as rows of a table: one row per weight, or per head."""

from __future__ import annotations

import csv
import io
import math
from typing import TYPE_CHECKING, Literal

import numpy as np

from attnviz.views.maps.heatmap import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from _typeshed import SupportsWrite

    from attnviz.render.data.registry import Row
    from attnviz.views.heads.head import Head
    from attnviz.views.maps.heatmap import Heatmap

QUOTED_ENDS = "\r\n"
WEIGHTS = ["stack", "layer", "head", "query", "query_label", "key", "key_label", "weight"]
HEADS = ["stack", "layer", "head", "pattern", "strength"]


def map_rows(stack: str, head: Head, heatmap: Heatmap, least: float | None = None) -> Iterator[Row]:
    """One row per known cell, of at least this weight; several positions are written `12-15`."""
    wanted = heatmap.states <= State.ZERO
    if least is not None:
        wanted &= heatmap.values >= least
    rows = [(span(at), heatmap.queries.labels[at[0]]) for at in heatmap.rows]
    columns = [(span(at), heatmap.keys.labels[at[0]]) for at in heatmap.columns]
    for i, j in np.argwhere(wanted).tolist():
        yield [stack, head.layer, head.head, *rows[i], *columns[j], figure(heatmap.values[i, j])]


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
