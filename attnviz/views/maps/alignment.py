"""What every query attends to, as a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from attnviz.attention.kept import look_up
from attnviz.attention.words import merge_array, word_groups
from attnviz.views.maps.heatmap import Heatmap, State, blocks, missing_share, sink_columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attnviz.attention.axis import Axis
    from attnviz.attention.capture import AttentionStack, LayerAttention
    from attnviz.views.appearance import Appearance

LEAST = 0.05  # weights below are not listed


@dataclass(frozen=True, eq=False)
class AlignmentTable:
    """For each of `rows` (positions of `queries`): what it attends to.

    `top_keys` int (rows, k), -1 where there are fewer, and `top_weights` (rows, k): the keys that
    are no sink and get at least 0.05, heaviest first. `sink`: the share that goes to sink columns
    and to what the model itself leaves out of the row; `learned`: only the latter. `links`
    (rows, 4): layer, head, key, weight of the link that stands out most in any head of the
    stack, NaN where there is none. `least`: the smallest weight listed. `partial`: only the
    heaviest keys of every query are known, so that `sink` counts no others. `notes` say so, and
    what the picture left out or changed; `sink_labels` are the texts of the sinks.
    """

    queries: Axis
    keys: Axis
    rows: tuple[int, ...]
    top_keys: np.ndarray
    top_weights: np.ndarray
    sink: np.ndarray
    learned: np.ndarray
    links: np.ndarray
    partial: bool = False
    least: float = LEAST
    notes: tuple[str, ...] = ()
    sink_labels: tuple[str, ...] = ()

    def top(self, row: int) -> list[tuple[int, float]]:
        """The (key, weight) listed in a row."""
        pairs = zip(self.top_keys[row], self.top_weights[row], strict=True)
        return [(int(key), float(weight)) for key, weight in pairs if key >= 0]

    def link(self, row: int) -> tuple[int, int, int, float] | None:
        """The strongest link (layer, head, key, weight) of a row, or None."""
        values = self.links[row]
        if np.isnan(values).any():
            return None
        return int(values[0]), int(values[1]), int(values[2]), float(values[3])

    def strongest(self, count: int) -> list[int]:
        """At most `count` rows with the heaviest first key, in their order."""
        best = self.top_weights.max(axis=1, initial=0) if self.top_weights.size else np.zeros(0)
        return sorted(np.argsort(-best, kind="stable")[:count].tolist())


def alignment(
    stack: AttentionStack, layer: LayerAttention, head: int, appearance: Appearance, shown: Heatmap
) -> AlignmentTable:
    """The table of the rows of `shown`, or of every query when it is pooled.

    `layer` is the layer that `shown` was made from, its words merged or not. When that is pooled,
    it has the heaviest keys of every query.
    """
    single = not shown.pooled
    rows = tuple(a for a, _ in shown.rows) if single else tuple(range(len(layer.queries)))
    rows = tuple(i for i in rows if not layer.queries.padding[i])
    index = layer.heads.index(head)
    sinks = sink_columns(layer, head, appearance)
    learned = missing_share(layer, index)[list(rows)]
    partial = not single or shown.cut
    if single:
        keys, weights, sink = _from_map(shown, sinks, appearance.top, set(rows))
    else:
        keys, weights, sink = _from_heaviest(layer, index, sinks, appearance.top, rows)
    return AlignmentTable(
        queries=layer.queries,
        keys=layer.keys,
        rows=rows,
        top_keys=keys,
        top_weights=weights,
        sink=sink + (0 if appearance.renormalize else learned),
        learned=learned,
        links=strongest_links(stack, layer, appearance, rows),
        partial=partial,
        notes=_notes(layer, shown, partial and bool(sinks.any())),
        sink_labels=tuple(dict.fromkeys(layer.keys.labels[i] for i in np.flatnonzero(sinks))),
    )


def _notes(layer: LayerAttention, shown: Heatmap, partial: bool) -> tuple[str, ...]:
    """The notes of the map, and that the heaviest keys are all that the table knows."""
    if not partial:
        return shown.notes
    count = layer.kept["top_keys"].shape[-1]
    return *shown.notes, f"sink counts only what is among the {count} heaviest keys of a query"


def _from_map(
    shown: Heatmap, sinks: np.ndarray, top: int, rows: set[int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Top keys, their weights and the sink share, from a map with one key per column."""
    here = [i for i, (a, _) in enumerate(shown.rows) if a in rows]
    names = np.array([a for a, _ in shown.columns], int)
    off = sinks[names] if len(names) else np.zeros(0, bool)
    top = min(top, len(names))
    keys, weights = np.zeros((len(here), top), int), np.zeros((len(here), top), shown.values.dtype)
    for part in blocks(len(here), len(names)):
        some = here[part]
        known = (shown.states[some] <= State.ZERO) & ~off
        keys[part], weights[part] = heaviest(np.where(known, shown.values[some], 0), top)
    named = np.where(keys >= 0, names[np.maximum(keys, 0)] if len(names) else -1, -1)
    grid = np.ix_(off, np.array(here, int))
    sunk = np.where(shown.states.T[grid] <= State.ZERO, shown.values.T[grid], 0)
    return named, weights, sunk.sum(axis=0).astype(np.float64)


def _from_heaviest(
    layer: LayerAttention, index: int, sinks: np.ndarray, top: int, rows: Sequence[int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same from the heaviest keys that were kept."""
    keys = np.asarray(layer.kept["top_keys"][index])[list(rows)].astype(int)
    weights = np.nan_to_num(np.asarray(layer.kept["top_weights"][index])[list(rows)])
    known = keys >= 0
    off = np.where(known, sinks[np.maximum(keys, 0)], False)
    sink = np.where(off, weights, 0).sum(axis=1).astype(np.float64)
    place, best = heaviest(np.where(known & ~off, weights, 0), top)
    named = np.take_along_axis(keys, np.maximum(place, 0), axis=1)
    return np.where(place >= 0, named, -1), best, sink


def heaviest(values: np.ndarray, top: int) -> tuple[np.ndarray, np.ndarray]:
    """(columns, weights) of the `top` largest values of each row that reach 0.05; -1 for none."""
    shape = len(values), min(top, values.shape[1])
    keys, weights = np.full(shape, -1), np.zeros(shape, values.dtype)
    row, column = np.nonzero(values >= LEAST)
    order = np.lexsort((-values[row, column], row))
    place = np.arange(len(row)) - np.searchsorted(row, row)  # within its row
    best, row, place = order[place < top], row[place < top], place[place < top]
    keys[row, place], weights[row, place] = column[best], values[row, column[best]]
    return keys, weights


def strongest_links(
    stack: AttentionStack, layer: LayerAttention, appearance: Appearance, rows: Sequence[int]
) -> np.ndarray:
    """(rows, 4): layer, head, key, weight of the largest content excess in any head.

    All NaN when one head was observed: its links are its own top keys.
    """
    out = np.full((len(layer.queries), 4), np.nan)
    if sum(len(one.heads) for one in stack.by_layer.values()) == 1:
        return out[list(rows)]
    best = np.zeros(len(layer.queries))
    merged = appearance.words and "weights" in layer.kept
    for number in stack.layers:
        one = stack.by_layer[number]
        links = one.kept.get("links")
        if links is not None and merged:
            words = word_groups(one.queries), word_groups(one.keys)
            links = merge_array(links, look_up("links"), *words)
        if links is None or len(links) != len(out):
            continue
        better = np.nan_to_num(links[:, 3]) > best
        best = np.where(better, links[:, 3], best)
        out[better, 0] = number
        out[better, 1:] = links[better, :3]
    return out[list(rows)]
