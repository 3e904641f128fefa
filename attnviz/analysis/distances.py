"""How differently heads attend (docs/metrics.md, Jensen-Shannon distance).

The distance of two heads is the mean over the counted queries of the Jensen-Shannon divergence of
their rows, each a share of its sum, in units of ln 2: 0 for equal rows, 1 for rows that share no
key. Its square root is a metric, and that of points in a Euclidean space (Endres and Schindelin
2003; Fuglede and Topsøe 2004). Unlike Clark et al. 2019 (arXiv 1906.04341), nothing is smoothed.

A row that sums to 0, all of its weight on learned sinks, counts as one that looks at a key of its
own: at 0 from other such rows and at 1 from the rest. A NaN weight in a counted row makes the
distances of its head NaN, and so does counting no query.

With f(x) = Σ x ln x over a row, the divergence of a and b is f(2a)/4 + f(2b)/4 − f(a+b)/2: one
logarithm for a cell of a pair. numpy takes it in place in buffers that stay in cache.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

Progress = Callable[[float], None]

BLOCK_CELLS = 8192  # cells of every head that are compared in one go,
BLOCK_BYTES = 32 << 20  # or fewer: what they may take in all
TILE = 16  # heads whose cells stay in cache while all others pass
BUFFER_CELLS = 1 << 17  # sums of a thread in one call: long enough to let other threads run
THREADS = min(8, os.cpu_count() or 1)
TINY = 1e-30  # added to every share: changes none but 0, whose logarithm it keeps finite


def head_distances(
    maps: Sequence[np.ndarray],
    counted: np.ndarray,
    progress: Progress | None = None,
    *,
    causal: bool = False,
) -> np.ndarray:
    """Distances between all heads: float32 (heads, heads) in [0, 1], symmetric, 0 on the diagonal.

    `maps`: one array (heads of the layer, queries, keys) for each layer, on the same queries and
    keys; the heads of the result follow one another as they do there. Indexed row by row, so that
    lazily decoded maps stay as they are. `counted`: bool (queries,). With `causal` the cells of
    later keys are not read (square maps only). `progress` is told the share done. Takes at most
    64 MiB beside the result, or more where one row of all heads takes more than half of that.
    Raises ValueError when the shapes do not fit.
    """
    check_shapes(maps, counted)
    heads = sum(len(one) for one in maps)
    total = np.zeros((heads, heads), np.float32)
    rows = row_widths(maps, counted, causal)
    everything = sum(width + 1 for _, width in rows) * max(1, heads * (heads - 1) / 2)
    done = 0.0
    with ThreadPoolExecutor(THREADS) as pool:
        for block in blocks(rows, min(BLOCK_CELLS, BLOCK_BYTES // (4 * max(1, heads)))):
            cells = gathered(maps, block, heads)
            for compared in add_pairs(total, cells, pool):
                done += compared
                if progress is not None:
                    progress(done / everything)
    finish(total, len(rows))
    return total


def pair_distances(
    a: np.ndarray, b: np.ndarray, counted: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Each head of `a` against the same of `b`, both (heads, queries, keys).

    Returns the distances of the heads, float64 (heads,), and those of every query, (heads,
    queries), NaN where it is not counted. Raises ValueError when the shapes differ.
    """
    check_shapes([a, b], counted)
    if a.shape != b.shape:
        raise ValueError(f"maps of shape {a.shape} and {b.shape} cannot be compared head by head")
    rows = np.flatnonzero(counted)
    queries = np.full(a.shape[:2], np.nan)
    for head in range(len(a)):
        queries[head, rows] = row_distances(a[head], b[head], rows)
    return means(queries[:, rows]), queries


def distances_to(maps: Sequence[np.ndarray], array: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """The distances of all heads of `maps` (see `head_distances`) to the head with the map `one`.

    `one`: (queries, keys). Returns float64 (heads,). Raises ValueError when the shapes do not fit.
    """
    check_shapes([*maps, array[None]], counted)
    rows = np.flatnonzero(counted)
    found = [
        row_distances(layer[head], array, rows) for layer in maps for head in range(len(layer))
    ]
    return means(np.array(found).reshape(len(found), len(rows)))


def check_shapes(maps: Sequence[np.ndarray], counted: np.ndarray) -> None:
    """Raises ValueError unless all maps are on the same queries and keys, and `counted` too."""
    shapes = {one.shape[1:] for one in maps}
    if len(shapes) > 1:
        raise ValueError(f"maps on different queries or keys: {sorted(shapes)}")
    for shape in shapes:
        if shape[:1] != counted.shape:
            raise ValueError(f"counted has shape {counted.shape} for {shape[0]} queries")


def row_widths(
    maps: Sequence[np.ndarray], counted: np.ndarray, causal: bool
) -> list[tuple[int, int]]:
    """The counted rows, each with the number of keys that are read."""
    if not len(maps):
        return []
    _, queries, keys = maps[0].shape
    triangle = causal and queries == keys
    return [(int(row), int(row) + 1 if triangle else keys) for row in np.flatnonzero(counted)]


def blocks(rows: list[tuple[int, int]], cells: int) -> Iterator[list[tuple[int, int]]]:
    """The rows in runs of about this many cells, at least one row each."""
    run: list[tuple[int, int]] = []
    room = cells
    for row, width in rows:
        if run and width >= room:
            yield run
            run, room = [], cells
        run.append((row, width))
        room -= width + 1
    if run:
        yield run


def gathered(maps: Sequence[np.ndarray], rows: list[tuple[int, int]], heads: int) -> np.ndarray:
    """The shares of these rows end to end, float32 (heads, cells)."""
    cells = np.empty((heads, sum(width + 1 for _, width in rows)), np.float32)
    top = 0
    for layer in maps:
        left = 0
        for row, width in rows:
            out = cells[top : top + len(layer), left : left + width + 1]
            write_shares(layer[:, row, :width], out)
            left += width + 1
        top += len(layer)
    return cells


def write_shares(rows: np.ndarray, out: np.ndarray) -> None:
    """Write the rows (…, keys) divided by their sums to `out` (…, keys + 1).

    The last column is the key of its own that a row with the sum 0 looks at.
    """
    sums = rows.sum(axis=-1, keepdims=True, dtype=out.dtype)
    empty = sums <= 0
    np.divide(rows, np.where(empty, 1, sums), out=out[..., :-1])
    out[..., -1:] = empty
    out += out.dtype.type(TINY)


def add_pairs(total: np.ndarray, cells: np.ndarray, pool: ThreadPoolExecutor) -> Iterator[float]:
    """Add the divergences of all pairs above the diagonal, summed over these cells (heads, cells).

    Yields how many cells were compared, as it goes.
    """
    heads, width = cells.shape
    own = np.empty(heads, np.float32)
    for top in range(0, heads, TILE):
        own[top : top + TILE] = x_log_x(cells[top : top + TILE] * np.float32(2))
    own /= 4

    def tile(top: int) -> float:
        compared = 0
        stop = min(top + TILE, heads)
        step = max(1, BUFFER_CELLS // width)
        sums = np.empty((2, step, width), np.float32)
        for left in range(top, heads, step):
            right = min(left + step, heads)
            for i in range(top, stop):
                j = max(left, i + 1)
                if j < right:
                    both = np.add(cells[j:right], cells[i], out=sums[0, : right - j])
                    joint = x_log_x(both, sums[1, : right - j])
                    total[i, j:right] += own[i] + own[j:right] - joint / 2
                    compared += (right - j) * width
        return compared

    return pool.map(tile, range(0, heads, TILE))


def x_log_x(values: np.ndarray, logs: np.ndarray | None = None) -> np.ndarray:
    """Σ x ln x over the last axis; `logs` is overwritten."""
    with np.errstate(invalid="ignore"):  # a negative weight: NaN, as for a NaN weight
        logs = np.log(values, out=logs)
    return np.asarray(np.vecdot(values, logs))


def finish(total: np.ndarray, rows: int) -> None:
    """Turn sums over rows above the diagonal into the whole matrix of means in [0, 1]."""
    total /= rows * math.log(2) or math.nan
    np.clip(total, 0, 1, out=total)
    for i in range(len(total)):
        total[i, i] = 0
        total[i + 1 :, i] = total[i, i + 1 :]


def row_distances(a: np.ndarray, b: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The distances of these rows of two maps (queries, keys), float64 (rows,)."""
    keys = a.shape[1]
    out = np.empty(len(rows))
    step = max(1, BUFFER_CELLS // max(1, keys))
    shares: np.ndarray[Any, np.dtype[np.float64]] = np.empty((2, step, keys + 1))
    for start in range(0, len(rows), step):
        some = rows[start : start + step]
        one, other = shares[:, : len(some)]
        write_shares(a[some], one)
        write_shares(b[some], other)
        joint = x_log_x(one + other)
        out[start : start + step] = (x_log_x(2 * one) + x_log_x(2 * other)) / 4 - joint / 2
    return np.clip(out / math.log(2), 0, 1)


def means(distances: np.ndarray) -> np.ndarray:
    """The means over the last axis; NaN over nothing."""
    return np.asarray(distances.sum(axis=-1) / (distances.shape[-1] or math.nan))
