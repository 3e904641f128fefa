"""Lines from queries to the keys they attend to, one set per head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from attnviz.errors import SelectionError
from attnviz.views.heads.observed import heads_of
from attnviz.views.maps.head_maps import notes_of, prepared
from attnviz.views.maps.heatmap import State, heatmap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attnviz.attention.axis import Axis
    from attnviz.attention.capture import AttentionStack
    from attnviz.views.appearance import Appearance
    from attnviz.views.heads.head import Head
    from attnviz.views.request import Rows

LEAST = 0.05  # weights below are not worth a line
MOST_TOKENS, MOST_HEADS = 400, 20


@dataclass(frozen=True, eq=False)
class Arcs:
    """The lines of some heads between the shown queries and keys.

    `lines` int (n, 3): the head's place in `heads`, the query's in `rows`, the key's in `columns`;
    `weights` float (n,), lightest first; `sinks` bool (n,): lines to a key that is off the scale.
    `rows` and `columns` are positions on the axes. Weights below `least` have no line: `unseen` is
    the share of the shown rows' attention that they are.
    """

    stack: str
    heads: tuple[Head, ...]
    queries: Axis
    keys: Axis
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    lines: np.ndarray
    weights: np.ndarray
    sinks: np.ndarray
    least: float
    unseen: float
    several: bool = False
    cross: bool = False
    notes: tuple[str, ...] = ()


def arcs(
    stack: AttentionStack,
    wanted: Sequence[tuple[int, int]],
    appearance: Appearance,
    rows: Rows,
    least: float = LEAST,
    several: bool = False,
) -> Arcs:
    """The lines of these (layer, head), which must see the same tokens. Raises SelectionError."""
    if len(wanted) > MOST_HEADS:
        raise SelectionError(
            f"{len(wanted)} heads are too many for arcs",
            f"choose at most {MOST_HEADS} with --layer or --head",
        )
    layers = {number: prepared(stack.by_layer[number], appearance) for number, _ in wanted}
    first = layers[wanted[0][0]]
    if any((layer.queries, layer.keys) != (first.queries, first.keys) for layer in layers.values()):
        raise SelectionError("these layers see different tokens", "choose one with --layer")
    most = max(
        len(axis) if some is None else len(some)
        for axis, some in ((first.queries, rows.queries), (first.keys, rows.keys))
    )
    if most > MOST_TOKENS:
        raise SelectionError(
            f"{most:,} tokens are too many for arcs",
            f"choose up to {MOST_TOKENS} with --query 0-99 --key 0-99, or another --view",
        )
    queries = range(len(first.queries)) if rows.queries is None else rows.queries
    maps = [heatmap(layers[n], head, appearance, list(queries), rows.keys) for n, head in wanted]
    known = [np.where(one.states <= State.ZERO, np.nan_to_num(one.values), 0) for one in maps]
    found = np.argwhere(np.stack(known) >= least)
    weights = np.stack(known)[tuple(found.T)]
    order = np.argsort(weights, kind="stable")
    names = {
        number: {one.head: one for one in heads_of(stack.by_layer[number])} for number in layers
    }
    total = float(sum(one.sum() for one in known))
    return Arcs(
        stack=stack.name,
        heads=tuple(names[number][head] for number, head in wanted),
        queries=maps[0].queries,
        keys=maps[0].keys,
        rows=tuple(a for a, _ in maps[0].rows),
        columns=tuple(a for a, _ in maps[0].columns),
        lines=found[order],
        weights=weights[order],
        sinks=np.stack([one.sinks for one in maps])[found[order, 0], found[order, 2]],
        least=least,
        unseen=1 - float(weights.sum()) / total if total else 0.0,
        several=several,
        cross=first.cross,
        notes=notes_of(maps),
    )
