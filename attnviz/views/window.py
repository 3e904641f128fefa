"""The rectangle of a map that was kept at full resolution beside a pooled one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnviz.attention.ranges import ranges
from attnviz.errors import CaptureError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attnviz.attention.capture import LayerAttention


def window_of(layer: LayerAttention) -> tuple[range, range]:
    """The queries and keys of the window that the run kept; empty when it kept none."""
    if "window" not in layer.kept:
        return range(0), range(0)
    _, height, width = layer.kept["window"].shape
    top, left = (int(first) for first in layer.kept["window_at"])
    return range(top, top + height), range(left, left + width)


def covers(
    layer: LayerAttention, queries: Sequence[int] | None, keys: Sequence[int] | None
) -> bool:
    """Whether the window holds all these queries and keys (every one of the layer when None)."""
    sides = zip(window_of(layer), (queries, keys), (layer.queries, layer.keys), strict=True)
    for kept, asked, axis in sides:
        wanted = range(len(axis)) if asked is None else asked
        if not wanted or min(wanted) not in kept or max(wanted) not in kept:
            return False
    return True


def require_window(
    layer: LayerAttention, queries: Sequence[int] | None, keys: Sequence[int] | None
) -> None:
    """Raise CaptureError unless whole maps or this window were kept."""
    if "weights" in layer.kept or covers(layer, queries, keys):
        return
    names = " × ".join(
        f"{side} {ranges(asked)}" if asked else f"all {side}"
        for side, asked in (("queries", queries), ("keys", keys))
    )
    rows, columns = window_of(layer)
    there = f", but {ranges(rows)} × {ranges(columns)}" if rows else ""
    raise CaptureError(
        f"{names} of layer {layer.layer} were not kept at full resolution{there}",
        "run the model on the text again with this --query and --key",
    )
