"""Captures of a batch without what only fills it up, as each text alone would have given."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from attnviz.attention.axis import Axis
    from attnviz.attention.capture import Capture, LayerAttention

# Which axes of an array run over queries and keys, by its name.
QUERIES = {"weights": 1, "top_keys": 1, "top_weights": 1, "row_sums": 1, "links": 0}
KEYS = {"weights": 2, "column_means": 1}


def unpadded(capture: Capture) -> Capture:
    """The capture with only the positions that are not padding; itself where there is none."""
    stacks = {
        name: replace(stack, by_layer={n: cropped(one) for n, one in stack.by_layer.items()})
        for name, stack in capture.stacks.items()
    }
    return replace(capture, stacks=stacks)


def cropped(layer: LayerAttention) -> LayerAttention:
    """The layer without padding. Keys that arrays name are counted anew."""
    if not any(layer.queries.padding) and not any(layer.keys.padding):
        return layer
    rows, columns = real(layer.queries), real(layer.keys)
    kept = {name: cut(name, np.asarray(value), rows, columns) for name, value in layer.kept.items()}
    allowed = layer.allowed
    return replace(
        layer,
        queries=layer.queries.take(range(*rows.indices(len(layer.queries)))),
        keys=layer.keys.take(range(*columns.indices(len(layer.keys)))),
        kept=kept,
        allowed=None if allowed is None else allowed[rows, columns].copy(),
    )


def cut(name: str, values: np.ndarray, rows: slice, columns: slice) -> np.ndarray:
    """One array of a layer, in memory of its own."""
    where = [slice(None)] * values.ndim
    if name in QUERIES:
        where[QUERIES[name]] = rows
    if name in KEYS:
        where[KEYS[name]] = columns
    found = values[tuple(where)].copy()
    if name == "top_keys":
        found[(found < columns.start) | (found >= columns.stop)] = -1  # all of weight 0
        found[found >= 0] -= columns.start
    elif name == "links":
        found[:, 1] -= columns.start
    elif name == "heavy_keys":
        found[..., 0] -= columns.start
    elif name == "window_at":
        found -= (rows.start, columns.start)
    return found


def real(axis: Axis) -> slice:
    """Where the positions are that are not padding: they follow each other."""
    return slice(axis.first, axis.first + axis.real)
