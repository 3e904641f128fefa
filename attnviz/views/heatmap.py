"""One head's map as a picture-to-be: values, what kind each cell is, what was left out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from attnviz.errors import CaptureError
from attnviz.views.patterns import popular_keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attnviz.attention.axis import Axis
    from attnviz.attention.capture import LayerAttention
    from attnviz.views.look import Look, Reduce, Scale

Spans = tuple[tuple[int, int], ...]
LEARNED = 0.005  # a missing share below is rounding


class State(IntEnum):
    """What a cell is. No two kinds may look alike."""

    VALUE = 0
    ZERO = 1  # allowed, and exactly 0
    MASKED = 2  # the mask forbids the key
    PADDED = 3  # the query or the key only fills a batch
    NAN = 4
    CUT = 5  # not kept: only the heaviest keys of the query are known


@dataclass(frozen=True, eq=False)
class Heatmap:
    """A map to draw. `values` float32 (rows, columns), `states` uint8 of State, same shape.

    `queries` and `keys` are the whole axes; `rows` and `columns` say which positions (first,
    last + 1) of them each row and column stands for. `sinks` bool (columns,) marks the columns
    drawn off the colour scale. `vmax` is the largest value in the others. `pooled` names what a
    cell of several positions holds, empty when every cell is one. `notes` state what was left
    out or changed; `hidden` names what the look and the selection left out, `left_out` the share
    of the attention that went with it. `measure` is what the values are.
    """

    values: np.ndarray
    states: np.ndarray
    queries: Axis
    keys: Axis
    rows: Spans
    columns: Spans
    sinks: np.ndarray
    vmax: float
    scale: Scale = "linear"
    reduce: Reduce = "mass"
    pooled: str = ""
    notes: tuple[str, ...] = ()
    hidden: str = ""
    left_out: float = 0.0
    measure: str = "attention weight"

    @property
    def shape(self) -> tuple[int, int]:
        """Rows, columns."""
        return self.values.shape[0], self.values.shape[1]

    @property
    def square(self) -> bool:
        """Whether queries and keys are the same tokens."""
        return self.queries.labels == self.keys.labels

    @property
    def sink_labels(self) -> tuple[str, ...]:
        """The texts of the keys drawn off the scale, each once."""
        return sink_labels(self)


def sink_labels(heatmap: Heatmap) -> tuple[str, ...]:
    """The texts of the keys that stand in sink columns of one position, each once."""
    spans = [heatmap.columns[i] for i in np.flatnonzero(heatmap.sinks)]
    return tuple(dict.fromkeys(heatmap.keys.labels[a] for a, b in spans if b - a == 1))


def sink_columns(layer: LayerAttention, head: int, look: Look) -> np.ndarray:
    """Bool (keys,): special tokens, and keys that average more than 0.3 in this head.

    None of them when the look does not split sinks off.
    """
    special = np.array(layer.keys.special, bool)
    if not look.sink_split:
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
    look: Look,
    queries: Sequence[int] | None = None,
    keys: Sequence[int] | None = None,
) -> Heatmap:
    """The map of one head, of these queries and keys (all when None).

    Whole maps where they were kept, else pooled ones, or the heaviest keys of the chosen queries.
    Raises CaptureError when only scores were kept.
    """
    if "weights" in layer.kept:
        full = _whole(layer, head, look)
    elif queries is not None and "top_keys" in layer.kept:
        full = _heaviest(layer, head, look, queries)
    elif "pooled" in layer.kept:
        return _kept_pooled(layer, head, look, chosen=queries is not None or keys is not None)
    else:
        raise CaptureError(
            f"no map of layer {layer.layer} was kept, only scores",
            "select fewer layers or heads, or give --memory more",
        )
    return shown(full, look, queries, keys)


def shown(
    full: Heatmap, look: Look, queries: Sequence[int] | None, keys: Sequence[int] | None
) -> Heatmap:
    """The map without what the look and the selection leave out, renormalised if asked."""
    rows, columns = list(range(full.shape[0])), list(range(full.shape[1]))
    notes = list(full.notes)
    if look.hide_special:
        rows = [i for i in rows if not full.queries.special[full.rows[i][0]]]
        columns = [j for j in columns if not full.keys.special[full.columns[j][0]]]
    if queries is not None:
        rows = _among(rows, full.rows, queries)
    if keys is not None:
        columns = _among(columns, full.columns, keys)
    part = take(full, rows, columns)
    left_out = _left_out(full, part, rows)
    names = [text for asked, text in ((look.hide_special, "special tokens"),
                                       (keys is not None, "other keys")) if asked]  # fmt: skip
    hidden = " and ".join(names)
    if hidden:
        kept = "attention" if not (full.states == State.CUT).any() else "attention that was kept"
        hidden += f" hidden: {{}} of the {kept} is not shown"
        notes.append(hidden.format(f"{left_out:.0%}"))
    if look.renormalize:
        part = renormalized(part)
        notes.append("rows renormalised to 1 over what is shown")
    return replace(part, vmax=largest(part), notes=tuple(notes), hidden=hidden, left_out=left_out)


def _among(indices: Sequence[int], spans: Spans, wanted: Sequence[int]) -> list[int]:
    """The indices whose position is wanted; those asked for win over those hidden."""
    names = set(wanted)
    left = [i for i in indices if spans[i][0] in names]
    return left or [i for i, (first, _) in enumerate(spans) if first in names]


def take(one: Heatmap, rows: Sequence[int], columns: Sequence[int]) -> Heatmap:
    """The map with only these rows and columns."""
    if (len(rows), len(columns)) == one.shape:
        return one
    grid = np.ix_(list(rows), list(columns))
    return replace(
        one,
        values=one.values[grid],
        states=one.states[grid],
        rows=tuple(one.rows[i] for i in rows),
        columns=tuple(one.columns[j] for j in columns),
        sinks=one.sinks[list(columns)],
    )


def renormalized(one: Heatmap) -> Heatmap:
    """The map with every row divided by its sum; rows of zeros stay."""
    known = np.where(one.states <= State.ZERO, one.values, 0)
    sums = known.sum(axis=1, keepdims=True)
    return replace(one, values=one.values / np.where(sums > 0, sums, 1))


def largest(one: Heatmap) -> float:
    """The largest value off the sink columns, or of all when there are no others; of signed
    ones the largest size.
    """
    known = one.states <= State.ZERO
    if one.sinks.any() and not one.sinks.all():
        known &= ~one.sinks
    values = np.abs(one.values) if one.scale == "signed" else one.values
    return float(values.max(initial=0.0, where=known))


def _left_out(full: Heatmap, part: Heatmap, rows: Sequence[int]) -> float:
    """The mean share of these rows' attention that is in `full` but not in `part`."""
    if not rows or full is part:
        return 0.0
    whole = np.where(full.states <= State.ZERO, full.values, 0)[list(rows)].sum(axis=1)
    kept = np.where(part.states <= State.ZERO, part.values, 0).sum(axis=1)
    real = whole > 0
    return float(np.mean(1 - kept[real] / whole[real])) if real.any() else 0.0


def _whole(layer: LayerAttention, head: int, look: Look) -> Heatmap:
    values = np.asarray(layer.kept["weights"][layer.heads.index(head)], np.float32)
    notes = ("words: keys summed, queries averaged",) if look.words else ()
    return _of(layer, head, look, values, cell_states(values, layer), notes)


def cell_states(values: np.ndarray, layer: LayerAttention) -> np.ndarray:
    """uint8 (queries, keys): the State of every cell of a whole map."""
    states = np.asarray(values == 0).astype(np.uint8)  # VALUE or ZERO
    if layer.allowed is not None:
        states[~layer.allowed] = State.MASKED
    elif layer.causal and values.shape[0] == values.shape[1]:
        states[np.triu(np.ones(values.shape, bool), 1)] = State.MASKED
    states[np.array(layer.queries.padding, bool), :] = State.PADDED
    states[:, np.array(layer.keys.padding, bool)] = State.PADDED
    states[~np.isfinite(values)] = State.NAN
    return states


def _heaviest(layer: LayerAttention, head: int, look: Look, queries: Sequence[int]) -> Heatmap:
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
    if look.words:
        notes.append("words were not merged")
    one = _of(layer, head, look, values, states, tuple(notes))
    return replace(one, rows=tuple((i, i + 1) for i in chosen))


def _kept_pooled(layer: LayerAttention, head: int, look: Look, chosen: bool) -> Heatmap:
    """The pooled map that the run kept."""
    index = layer.heads.index(head)
    values = np.asarray(layer.kept["pooled"][index], np.float32)
    rows = spans(len(layer.queries), values.shape[0])
    columns = spans(len(layer.keys), values.shape[1])
    sinks = sink_columns(layer, head, look)
    states = np.where(values == 0, State.ZERO, State.VALUE).astype(np.uint8)
    if layer.causal and len(layer.queries) == len(layer.keys):
        ahead = np.array([a for a, _ in columns])[None] >= np.array([b for _, b in rows])[:, None]
        states[ahead] = State.MASKED
    states[_all_in(layer.queries.padding, rows), :] = State.PADDED
    states[:, _all_in(layer.keys.padding, columns)] = State.PADDED
    sums = np.asarray(layer.kept.get("row_sums", np.zeros((index + 1, len(layer.queries)))))[index]
    broken = np.isnan(sums) & ~np.array(layer.queries.padding, bool)
    states[[bool(broken[a:b].any()) for a, b in rows], :] = State.NAN
    states[~np.isfinite(values)] = State.NAN
    notes = ["the maps were not kept whole"]
    if look.words:
        notes.append("words were not merged")
    if look.hide_special or look.renormalize:
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
        scale=look.scale,
        reduce="mass",
        pooled="mass" if values.shape != (len(layer.queries), len(layer.keys)) else "",
        notes=tuple(notes),
    )
    return replace(one, vmax=largest(one))


def _all_in(flags: Sequence[bool], found: Spans) -> np.ndarray:
    """Bool (spans,): whether a flag holds at every position of a span."""
    return np.array([all(flags[a:b]) for a, b in found], bool)


def spans(length: int, bins: int) -> Spans:
    """The positions (first, last + 1) of `bins` even bins, as the observers make them."""
    edges = [-(-b * length // bins) for b in range(bins + 1)]
    return tuple(pairwise(edges))


@cache
def singles(length: int) -> Spans:
    """One span for every position."""
    return tuple((i, i + 1) for i in range(length))


def _of(
    layer: LayerAttention,
    head: int,
    look: Look,
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
        sinks=sink_columns(layer, head, look),
        vmax=0.0,
        scale=look.scale,
        reduce=look.reduce,
        notes=notes,
    )
