"""One head's map with its table, and several heads on one shared scale."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from attnviz.attention.words import merge_layer
from attnviz.views.alignment import AlignmentTable, alignment
from attnviz.views.heatmap import Heatmap, heatmap
from attnviz.views.patterns import Head, heads_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attnviz.attention.capture import AttentionStack, LayerAttention
    from attnviz.views.look import Look

Parts = Literal["both", "map", "table"]


@dataclass(frozen=True, eq=False)
class HeadScreen:
    """One head: what it does, why it is shown, its map and its table (either may be absent)."""

    stack: str
    head: Head
    reason: str
    heatmap: Heatmap | None
    table: AlignmentTable | None
    cross: bool = False
    several: bool = False


@dataclass(frozen=True, eq=False)
class HeadMaps:
    """Several heads on one scale, from 0 to `vmax`."""

    stack: str
    maps: tuple[tuple[Head, Heatmap], ...]
    vmax: float
    cross: bool = False
    several: bool = False


@dataclass(frozen=True, slots=True)
class Rows:
    """The query and key positions to show, all when None. Positions are those of tokens."""

    queries: tuple[int, ...] | None = None
    keys: tuple[int, ...] | None = None


def prepared(layer: LayerAttention, look: Look) -> LayerAttention:
    """The layer as the look wants it: its words merged or not."""
    return merge_layer(layer) if look.words else layer


def head_screen(
    stack: AttentionStack,
    head: Head,
    look: Look,
    rows: Rows,
    reason: str = "",
    parts: Parts = "both",
    several: bool = False,
) -> HeadScreen:
    """The screen of one head."""
    layer = prepared(stack.by_layer[head.layer], look)
    shown = heatmap(layer, head.head, look, rows.queries, rows.keys)
    table = alignment(stack, layer, head.head, look, shown) if parts != "map" else None
    return HeadScreen(
        stack=stack.name,
        head=head,
        reason=reason,
        heatmap=shown if parts != "table" else None,
        table=table,
        cross=layer.cross,
        several=several,
    )


def head_maps(
    stack: AttentionStack,
    wanted: Sequence[tuple[int, int]],
    look: Look,
    rows: Rows,
    several: bool = False,
) -> HeadMaps:
    """The maps of these (layer, head) on one scale."""
    found: list[tuple[Head, Heatmap]] = []
    cross = False
    ready: dict[int, tuple[LayerAttention, dict[int, Head]]] = {}
    for number, head in wanted:
        if number not in ready:
            layer = prepared(stack.by_layer[number], look)
            ready[number] = layer, {one.head: one for one in heads_of(stack.by_layer[number])}
        layer, heads = ready[number]
        cross = cross or layer.cross
        found.append((heads[head], heatmap(layer, head, look, rows.queries, rows.keys)))
    vmax = max((one.vmax for _, one in found), default=0.0)
    return HeadMaps(
        stack=stack.name,
        maps=tuple((head, replace(one, vmax=vmax)) for head, one in found),
        vmax=vmax,
        cross=cross,
        several=several,
    )
