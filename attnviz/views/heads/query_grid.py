"""Where one query looks in every head, or how much every head gives to one key."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from attnviz.views.window import covers, window_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from attnviz.attention.axis import Axis
    from attnviz.attention.capture import AttentionStack, LayerAttention


@dataclass(frozen=True, slots=True)
class QueryCell:
    """The key that a head looks at most (-1 where nothing is known), and its weight.

    `special` keys are drawn off the scale.
    """

    key: int
    weight: float
    special: bool = False


@dataclass(frozen=True, eq=False)
class QueryGrid:
    """Layers × heads for the query at `positions`; with `key_positions`, of one key only.

    `rows` holds (layer, its cells by head number, None where a head is missing). `occurrence`
    tells which of several equal words this is (1, 3): the first of three; (1, 1) when alone.
    `notes` state what is not known, and what was asked for and not done.
    """

    stack: str
    queries: Axis
    keys: Axis
    positions: tuple[int, ...]
    key_positions: tuple[int, ...]
    rows: tuple[tuple[int, tuple[QueryCell | None, ...]], ...]
    vmax: float
    occurrence: tuple[int, int] = (1, 1)
    several: bool = False
    notes: tuple[str, ...] = ()

    @property
    def cells(self) -> list[tuple[int, int, QueryCell]]:
        """Every (layer, head, cell), layer by layer."""
        return [(layer, head, cell) for layer, row in self.rows
                for head, cell in enumerate(row) if cell is not None]  # fmt: skip


def query_grid(
    stack: AttentionStack,
    wanted: Mapping[int, tuple[int, ...]],
    queries: Sequence[int],
    keys: Sequence[int] = (),
    occurrence: tuple[int, int] = (1, 1),
    several: bool = False,
    notes: tuple[str, ...] = (),
) -> QueryGrid:
    """The grid of the wanted heads (layer: heads). Several positions are one word: their mean."""
    rows = []
    for number, heads in wanted.items():
        layer = stack.by_layer[number]
        found = {head: _cell(layer, head, queries, keys) for head in heads}
        width = range(max(found, default=-1) + 1)
        rows.append((number, tuple(found.get(head) for head in width)))
    first = stack.by_layer[next(iter(wanted))]
    weights = [cell.weight for _, row in rows for cell in row
               if cell and not cell.special and not math.isnan(cell.weight)]  # fmt: skip
    unknown = any(cell and math.isnan(cell.weight) for _, row in rows for cell in row)
    return QueryGrid(
        stack=stack.name,
        queries=first.queries,
        keys=first.keys,
        positions=tuple(queries),
        key_positions=tuple(keys),
        rows=tuple(rows),
        vmax=max(weights, default=0.0),
        occurrence=occurrence,
        several=several,
        notes=(*partial_notes(stack, wanted, unknown, queries, keys or None), *notes),
    )


def partial_notes(
    stack: AttentionStack,
    layers: Iterable[int],
    unknown: bool,
    queries: Sequence[int],
    keys: Sequence[int] | None,
) -> tuple[str, ...]:
    """That only the heaviest keys are known, where some layer kept no more of these queries."""
    found = [stack.by_layer[layer] for layer in layers]
    kept = [one.kept for one in found
            if "weights" not in one.kept and not covers(one, queries, keys)]  # fmt: skip
    if not kept:
        return ()
    counts = [one["top_keys"].shape[-1] for one in kept if "top_keys" in one]
    heaviest = f"only the {min(counts, default=0)} heaviest keys of every query were kept"
    return (heaviest, "? = not among them") if unknown else (heaviest,)


def _cell(
    layer: LayerAttention, head: int, queries: Sequence[int], keys: Sequence[int]
) -> QueryCell:
    row = row_weights(layer, head, queries, keys or None)
    if row is None or np.isnan(row).all():
        return QueryCell(-1, math.nan)
    if keys and np.isnan(row[list(keys)]).all():
        return QueryCell(keys[0], math.nan)
    row = np.nan_to_num(row)
    if keys:
        return QueryCell(keys[0], float(row[list(keys)].sum()))
    key = int(np.argmax(row))
    return QueryCell(key, float(row[key]), layer.keys.special[key])


def row_weights(
    layer: LayerAttention, head: int, queries: Sequence[int], keys: Sequence[int] | None = None
) -> np.ndarray | None:
    """Float (keys,): the mean row of these queries, from whole maps, a window or the heaviest keys.

    NaN where a key is not among those that were kept of every query, which in a window are at least
    `keys`.
    """
    index = layer.heads.index(head)
    chosen = list(queries)
    if "weights" in layer.kept:
        return np.asarray(layer.kept["weights"][index, chosen].mean(axis=0))
    row = np.full(len(layer.keys), np.nan)
    if covers(layer, queries, keys):
        rows, columns = window_of(layer)
        kept = layer.kept["window"][index, [query - rows.start for query in chosen]]
        row[columns.start : columns.stop] = kept.mean(axis=0)
        return row
    if "top_keys" not in layer.kept:
        return None
    known = np.ones(len(row), bool)
    total = np.zeros(len(row))
    for query in chosen:
        top = layer.kept["top_keys"][index, query]
        kept_keys = top[top >= 0]
        own = np.zeros(len(row), bool)
        own[kept_keys] = True
        if layer.causal and len(layer.queries) == len(layer.keys):
            own[query + 1 :] = True  # later keys get nothing, which is known
        known &= own
        weights = layer.kept["top_weights"][index, query][top >= 0]
        total[kept_keys] += weights / len(chosen)
    return np.where(known, total, np.nan)
