"""Several heads on one shared scale."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from attnviz.attention.words import merge_layer
from attnviz.views.heads.observed import heads_of
from attnviz.views.maps.heatmap import Heatmap, heatmap, missing_share
from attnviz.views.maps.pool import pooled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attnviz.attention.capture import AttentionStack, LayerAttention
    from attnviz.views.appearance import Appearance
    from attnviz.views.heads.head import Head
    from attnviz.views.request import Rows


@dataclass(frozen=True, eq=False)
class HeadMaps:
    """Several heads on one scale, from 0 to `vmax`. `notes` are those of all maps together."""

    stack: str
    maps: tuple[tuple[Head, Heatmap], ...]
    vmax: float
    cross: bool = False
    several: bool = False
    notes: tuple[str, ...] = ()


def prepared(layer: LayerAttention, appearance: Appearance) -> LayerAttention:
    """The layer as the look wants it: its words merged or not."""
    return merge_layer(layer) if appearance.words else layer


def head_maps(
    stack: AttentionStack,
    wanted: Sequence[tuple[int, int]],
    appearance: Appearance,
    rows: Rows,
    several: bool = False,
    most: int | None = None,
) -> HeadMaps:
    """The maps of these (layer, head) on one scale, each pooled to at most `most` × `most`."""
    found: list[tuple[Head, Heatmap]] = []
    cross = False
    ready: dict[int, tuple[LayerAttention, dict[int, Head]]] = {}
    for number, head in wanted:
        if number not in ready:
            layer = prepared(stack.by_layer[number], appearance)
            ready[number] = layer, {one.head: one for one in heads_of(stack.by_layer[number])}
        layer, heads = ready[number]
        cross = cross or layer.cross
        shown = heatmap(layer, head, appearance, rows.queries, rows.keys)
        shown = shown if most is None else pooled(shown, most, most)
        found.append((heads[head], with_learned(shown, layer, head)))
    vmax = max((one.vmax for _, one in found), default=0.0)
    return HeadMaps(
        stack=stack.name,
        maps=tuple((head, replace(one, vmax=vmax)) for head, one in found),
        vmax=vmax,
        cross=cross,
        several=several,
        notes=notes_of([one for _, one in found]),
    )


def with_learned(cells: Heatmap, layer: LayerAttention, head: int) -> Heatmap:
    """The map with a note on the share that its rows give to no key (learned sinks)."""
    missing = missing_share(layer, layer.heads.index(head))
    short = set(missing.nonzero()[0].tolist())
    rows = (i for a, b in cells.rows for i in range(a, b) if not layer.queries.padding[i])
    if not short or not any(i in short for i in rows):
        return cells
    note = "a learned sink takes what rows lack to 100 %"
    if cells.hidden or any("renormalised to 1" in note for note in cells.notes):
        note = "learned sinks are not shown"
    return replace(cells, notes=(*cells.notes, note))


def notes_of(maps: Sequence[Heatmap]) -> tuple[str, ...]:
    """The notes of several maps, each once; shares left out run from the least to the largest."""
    shares = [one.left_out for one in maps if one.hidden]
    low, high = (f"{share:.0%}" for share in (min(shares, default=0), max(shares, default=0)))
    share = low if low == high else f"{low} to {high}"
    notes: dict[str, None] = {}
    for one in maps:
        own = one.hidden.format(f"{one.left_out:.0%}")
        notes |= dict.fromkeys(one.hidden.format(share) if note == own else note
                               for note in one.notes)  # fmt: skip
    return tuple(notes)
