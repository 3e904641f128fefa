"""Maps made smaller: neighbouring cells become one, and the picture says so."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from attnviz.views.maps.cells import BLOCK
from attnviz.views.maps.heatmap import Heatmap, State, largest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ISOLATED = 4  # up to this many sink columns stay columns of their own
Bins = list[tuple[int, int]]
VALUE, ZERO = int(State.VALUE), int(State.ZERO)
# What a pooled cell is, by the highest rank that it holds.
BY_RANK = np.array(
    [State.PADDED, State.MASKED, State.CUT, State.ZERO, State.VALUE, State.NAN], np.uint8
)
RANK = np.argsort(BY_RANK).astype(np.uint8)  # of every State


def pooled(heatmap: Heatmap, max_rows: int, max_columns: int) -> Heatmap:
    """The map in at most this many rows and columns; itself when it fits.

    With `mass` a pooled cell is the attention that a query of its rows gives to all its columns
    together, on average: rows sum to what they did. `mean` is the mean of its cells, without those
    that are masked or padding, `max` the largest (docs/metrics.md, pooling).
    """
    height, width = heatmap.shape
    if height <= max_rows and width <= max_columns:
        return heatmap
    rows = even_bins(height, max(1, max_rows))
    columns = column_bins(heatmap.sinks, max(1, max_columns))
    parts = [_reduced(part, bins, columns) for part, bins in _parts(heatmap, rows)]
    values, states, cells = (np.concatenate(some) for some in zip(*parts, strict=True))
    small = replace(
        heatmap,
        values=values,
        states=states,
        rows=tuple((heatmap.rows[a][0], heatmap.rows[b - 1][1]) for a, b in rows),
        columns=tuple((heatmap.columns[a][0], heatmap.columns[b - 1][1]) for a, b in columns),
        sinks=np.logical_or.reduceat(heatmap.sinks, [a for a, _ in columns]),
        pooled=heatmap.reduce,
        cells=cells,
    )
    return replace(small, vmax=largest(small))


def even_bins(length: int, count: int) -> Bins:
    """At most `count` bins of one size (the last may be smaller)."""
    size = -(-length // min(count, max(1, length)))
    return [(i, min(i + size, length)) for i in range(0, length, size)]


def column_bins(sinks: np.ndarray, count: int) -> Bins:
    """At most `count` bins; a few sink columns stay alone, so that they drown no others."""
    length = len(sinks)
    if length <= count:
        return [(i, i + 1) for i in range(length)]
    alone = sinks if 0 < int(sinks.sum()) <= ISOLATED and count >= 4 * ISOLATED else None
    if alone is None:
        return even_bins(length, count)
    size = -(-length // count)
    while True:
        bins = _broken_bins(alone, size)
        if len(bins) <= count:
            return bins
        size += 1


def _broken_bins(alone: np.ndarray, size: int) -> Bins:
    """Bins of at most `size`, with every column of `alone` in its own."""
    bins: Bins = []
    start = 0
    for j in range(len(alone) + 1):
        here = j < len(alone) and bool(alone[j])
        if j > start and (j == len(alone) or here or j - start == size):
            bins.append((start, j))
            start = j
        if here:
            bins.append((j, j + 1))
            start = j + 1
    return bins


def _parts(heatmap: Heatmap, rows: Bins) -> Iterator[tuple[Heatmap, Bins]]:
    """The map in parts of at most `BLOCK` cells, or of one bin of rows, each with its bins."""
    tall = max(b - a for a, b in rows)
    size = max(1, BLOCK // max(1, tall * heatmap.shape[1]))
    for i in range(0, len(rows), size):
        some = rows[i : i + size]
        start = some[0][0]
        cut = slice(start, some[-1][1])
        part = replace(
            heatmap,
            values=heatmap.values[cut],
            states=heatmap.states[cut],
            rows=heatmap.rows[cut],
            cells=None if heatmap.cells is None else heatmap.cells[cut],
        )
        yield part, [(a - start, b - start) for a, b in some]


def _reduced(
    heatmap: Heatmap, rows: Bins, columns: Bins
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values and states of the pooled cells, and how many cells of the map each holds."""
    tops, lefts = [a for a, _ in rows], [a for a, _ in columns]
    known = heatmap.states <= ZERO
    values = np.where(known, heatmap.values, np.float32(0))
    held = known * np.float32(1) if heatmap.cells is None else heatmap.cells * known
    cells = _summed(held, tops, lefts)
    if heatmap.reduce == "max":
        out = np.maximum.reduceat(np.maximum.reduceat(values, tops, axis=0), lefts, axis=1)
    elif heatmap.reduce == "mean":
        out = _summed(values * held, tops, lefts) / np.maximum(cells, 1)
    else:
        real = (heatmap.states != State.PADDED).any(axis=1).astype(np.float32)
        real *= np.array([b - a for a, b in heatmap.rows], np.float32)
        values = values * np.where(real > 0, real, 1)[:, None]
        out = _summed(values, tops, lefts)
        out = out / np.maximum(np.add.reduceat(real, tops), 1)[:, None]
    return out, _pooled_states(heatmap.states, out, tops, lefts), cells


def _summed(values: np.ndarray, tops: Sequence[int], lefts: Sequence[int]) -> np.ndarray:
    """The sums of the cells that begin at these rows and columns."""
    return np.asarray(np.add.reduceat(np.add.reduceat(values, tops, axis=0), lefts, axis=1))


def _pooled_states(
    states: np.ndarray, values: np.ndarray, tops: Sequence[int], lefts: Sequence[int]
) -> np.ndarray:
    """The state of every pooled cell: NaN if any is, else what any holds, values first."""
    ranks = np.maximum.reduceat(np.maximum.reduceat(RANK[states], tops, axis=0), lefts, axis=1)
    out = BY_RANK[ranks]
    out[(out == VALUE) & (values == 0)] = ZERO
    return out
