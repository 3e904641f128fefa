"""One head's map as a picture-to-be, from what the run kept of it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from attnviz.errors import CaptureError
from attnviz.views.heads.observed import popular_keys
from attnviz.views.maps.cells import Heatmap as Heatmap
from attnviz.views.maps.cells import Spans as Spans
from attnviz.views.maps.cells import State as State
from attnviz.views.maps.cells import blocks as blocks
from attnviz.views.maps.cells import largest as largest
from attnviz.views.maps.cells import shown as shown
from attnviz.views.maps.cells import sink_labels as sink_labels
from attnviz.views.maps.cells import take as take
from attnviz.views.window import covers, window_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attnviz.attention.axis import Axis
    from attnviz.attention.capture import LayerAttention
    from attnviz.views.appearance import Appearance

LEARNED = 0.005  # a missing share below is rounding


def sink_columns(layer: LayerAttention, head: int, appearance: Appearance) -> np.ndarray:
    """Bool (keys,): special tokens, and keys that average more than 0.3 in this head.

    None of them when the look does not split sinks off.
    """
    special = np.array(layer.keys.special, bool)
    if not appearance.sink_split:
        return np.zeros_like(special)
    means = layer.kept.get("column_means")
    if means is not None:
        special |= popular_keys(means[layer.heads.index(head)], layer.keys)
    return np.asarray(special & ~np.array(layer.keys.padding, bool))


def missing_share(layer: LayerAttention, index: int) -> np.ndarray:
    """Float (queries,): the share of each row that goes to no key (learned sinks)."""
    sums = layer.kept.get("row_sums")
    if sums is None:
        return np.zeros(len(layer.queries))
    missing = 1 - np.asarray(sums[index], np.float64)
    return np.asarray(np.where(missing > LEARNED, missing, 0.0))


def has_map(layer: LayerAttention) -> bool:
    """Whether anything was kept of the layer's maps beside scores."""
    return "weights" in layer.kept or "pooled" in layer.kept


def heatmap(
    layer: LayerAttention,
    head: int,
    appearance: Appearance,
    queries: Sequence[int] | None = None,
    keys: Sequence[int] | None = None,
) -> Heatmap:
    """The map of one head, of these queries and keys (all when None).

    Whole maps where they were kept, or a window that holds all of these, else the heaviest keys of
    the chosen queries, or pooled maps.
    Raises CaptureError when only scores were kept.
    """
    if "weights" in layer.kept:
        full = _whole(layer, head, appearance)
    elif covers(layer, queries, keys):
        full = _window(layer, head, appearance)
    elif queries is not None and "top_keys" in layer.kept:
        full = _heaviest(layer, head, appearance, queries)
    elif "pooled" in layer.kept:
        return _kept_pooled(layer, head, appearance, chosen=queries is not None or keys is not None)
    else:
        raise CaptureError(
            f"no map of layer {layer.layer} was kept, only scores",
            "select fewer layers or heads, or give --memory more",
        )
    return shown(full, appearance, queries, keys, row_totals(layer, head, full))


def row_totals(layer: LayerAttention, head: int, full: Heatmap) -> np.ndarray | None:
    """Float (rows,): what the rows of a window give to all keys; None where they all stand."""
    if full.shape[1] == len(layer.keys) or "row_sums" not in layer.kept:
        return None
    sums = np.asarray(layer.kept["row_sums"][layer.heads.index(head)], np.float64)
    return np.asarray(np.nan_to_num(sums)[[a for a, _ in full.rows]])


def _whole(layer: LayerAttention, head: int, appearance: Appearance) -> Heatmap:
    values = np.asarray(layer.kept["weights"][layer.heads.index(head)], np.float32)
    notes = ("words: keys summed, queries averaged",) if appearance.words else ()
    return _of(layer, head, appearance, values, cell_states(values, layer), notes)


def cell_states(values: np.ndarray, layer: LayerAttention) -> np.ndarray:
    """uint8 (queries, keys): the State of every cell of a whole map."""
    states = np.empty(values.shape, np.uint8)
    causal = layer.causal and values.shape[0] == values.shape[1]
    for rows in blocks(*values.shape):
        own = states[rows]
        own[...] = values[rows] == 0  # VALUE or ZERO
        if layer.allowed is not None:
            own[~layer.allowed[rows]] = State.MASKED
        elif causal:
            own[np.triu(np.ones(own.shape, bool), 1 + rows.start)] = State.MASKED
    states[np.array(layer.queries.padding, bool), :] = State.PADDED
    states[:, np.array(layer.keys.padding, bool)] = State.PADDED
    for rows in blocks(*values.shape):
        states[rows][~np.isfinite(values[rows])] = State.NAN
    return states


def _window(layer: LayerAttention, head: int, appearance: Appearance) -> Heatmap:
    """The window that was kept at full resolution."""
    rows, columns = window_of(layer)
    values = np.asarray(layer.kept["window"][layer.heads.index(head)], np.float32)
    states = np.asarray(values == 0).astype(np.uint8)
    states[~np.asarray(layer.kept["window_allowed"])] = State.MASKED
    states[np.array(layer.queries.padding, bool)[rows.start : rows.stop], :] = State.PADDED
    states[:, np.array(layer.keys.padding, bool)[columns.start : columns.stop]] = State.PADDED
    states[~np.isfinite(values)] = State.NAN
    one = _of(
        layer,
        head,
        appearance,
        values,
        states,
        ("words were not merged",) if appearance.words else (),
    )
    return replace(
        one,
        rows=tuple((i, i + 1) for i in rows),
        columns=tuple((j, j + 1) for j in columns),
        sinks=one.sinks[columns.start : columns.stop],
    )


def _heaviest(
    layer: LayerAttention, head: int, appearance: Appearance, queries: Sequence[int]
) -> Heatmap:
    """These rows rebuilt from the heaviest keys of each; all other cells are cut out."""
    index, chosen = layer.heads.index(head), sorted(set(queries))
    keys = np.asarray(layer.kept["top_keys"][index])[chosen].astype(int)
    weights = np.asarray(layer.kept["top_weights"][index])[chosen]
    values = np.zeros((len(chosen), len(layer.keys)), np.float32)
    states = np.full(values.shape, State.CUT, np.uint8)
    if layer.causal and len(layer.queries) == len(layer.keys):
        states[np.arange(len(layer.keys))[None] > np.array(chosen)[:, None]] = State.MASKED
    row, place = np.nonzero((keys >= 0) & (weights != 0))
    values[row, keys[row, place]] = weights[row, place]
    states[row, keys[row, place]] = State.VALUE
    states[np.array(layer.queries.padding, bool)[chosen], :] = State.PADDED
    states[:, np.array(layer.keys.padding, bool)] = State.PADDED
    states[~np.isfinite(values)] = State.NAN
    notes = [f"only the {keys.shape[1]} heaviest keys of every query were kept"]
    if appearance.words:
        notes.append("words were not merged")
    one = _of(layer, head, appearance, values, states, tuple(notes))
    return replace(one, rows=tuple((i, i + 1) for i in chosen))


def _kept_pooled(layer: LayerAttention, head: int, appearance: Appearance, chosen: bool) -> Heatmap:
    """The map that the run pooled, by what the look asks for where that was kept."""
    index = layer.heads.index(head)
    values = np.asarray(layer.kept["pooled"][index], np.float32)
    cells = layer.kept.get("pooled_cells")
    reduce = "mass" if cells is None else appearance.reduce
    rows = spans(layer.queries, values.shape[0])
    columns = spans(layer.keys, values.shape[1])
    if reduce == "max":
        values = np.asarray(layer.kept["pooled_max"][index], np.float32)
    elif reduce == "mean" and cells is not None:
        queries = np.array([b - a for a, b in rows], np.float32)
        values = values * queries[:, None] / np.maximum(cells, 1)
    sinks = sink_columns(layer, head, appearance)
    states = np.where(values == 0, State.ZERO, State.VALUE).astype(np.uint8)
    if cells is not None:
        states[np.asarray(cells) == 0] = State.MASKED
    elif layer.causal and len(layer.queries) == len(layer.keys):
        ahead = np.array([a for a, _ in columns])[None] >= np.array([b for _, b in rows])[:, None]
        states[ahead] = State.MASKED
    states[_all_in(layer.queries.padding, rows), :] = State.PADDED
    states[:, _all_in(layer.keys.padding, columns)] = State.PADDED
    sums = np.asarray(layer.kept.get("row_sums", np.zeros((index + 1, len(layer.queries)))))[index]
    broken = np.isnan(sums) & ~np.array(layer.queries.padding, bool)
    states[[bool(broken[a:b].any()) for a, b in rows], :] = State.NAN
    states[~np.isfinite(values)] = State.NAN
    notes = ["the maps were not kept whole"]
    if appearance.reduce != reduce:
        notes.append(f"they were pooled by {reduce}, not by {appearance.reduce}")
    if appearance.words:
        notes.append("words were not merged")
    if appearance.hide_special or appearance.renormalize:
        notes.append("nothing was hidden or renormalised")
    if chosen:
        notes.append("all queries and keys are shown")
    one = Heatmap(
        values=values,
        states=states,
        queries=layer.queries,
        keys=layer.keys,
        rows=rows,
        columns=columns,
        sinks=np.array([sinks[a:b].any() for a, b in columns], bool),
        vmax=0.0,
        scale=appearance.scale,
        reduce=reduce,
        pooled=reduce if values.shape != (len(layer.queries), len(layer.keys)) else "",
        notes=tuple(notes),
        cells=None if cells is None else np.asarray(cells),
    )
    return replace(one, vmax=largest(one))


def _all_in(flags: Sequence[bool], found: Spans) -> np.ndarray:
    """Bool (spans,): whether a flag holds at every position of a span."""
    return np.array([all(flags[a:b]) for a, b in found], bool)


def spans(axis: Axis, bins: int) -> Spans:
    """The positions (first, last + 1) of `bins` even bins without padding, as the observers'."""
    edges = [axis.first - (-b * axis.real // bins) for b in range(bins + 1)]
    return tuple(pairwise(edges))


@cache
def singles(length: int) -> Spans:
    """One span for every position."""
    return tuple((i, i + 1) for i in range(length))


def _of(
    layer: LayerAttention,
    head: int,
    appearance: Appearance,
    values: np.ndarray,
    states: np.ndarray,
    notes: tuple[str, ...],
) -> Heatmap:
    return Heatmap(
        values=values,
        states=states,
        queries=layer.queries,
        keys=layer.keys,
        rows=singles(values.shape[0]),
        columns=singles(values.shape[1]),
        sinks=sink_columns(layer, head, appearance),
        vmax=0.0,
        scale=appearance.scale,
        reduce=appearance.reduce,
        notes=notes,
    )
