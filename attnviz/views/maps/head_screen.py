"""One head's map with its table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from attnviz.errors import CaptureError
from attnviz.views.maps.alignment import AlignmentTable, alignment
from attnviz.views.maps.head_maps import prepared, with_learned
from attnviz.views.maps.heatmap import Heatmap, heatmap
from attnviz.views.maps.structure import Structure, structure
from attnviz.views.request import ALL, Rows

if TYPE_CHECKING:
    from attnviz.attention.capture import AttentionStack
    from attnviz.views.appearance import Appearance
    from attnviz.views.heads.head import Head

Parts = Literal["both", "map", "table"]


@dataclass(frozen=True, eq=False)
class HeadScreen:
    """One head: what it does, why it is shown, its map and its table (either may be absent).

    `rows` are the queries and keys that were asked for. `structure` is what holds a long map
    together that is shown as a whole.
    """

    stack: str
    head: Head
    reason: str
    heatmap: Heatmap | None
    table: AlignmentTable | None
    cross: bool = False
    several: bool = False
    rows: Rows = ALL
    structure: Structure | None = None


def head_screen(
    stack: AttentionStack,
    head: Head,
    appearance: Appearance,
    rows: Rows,
    reason: str = "",
    parts: Parts = "both",
    several: bool = False,
) -> HeadScreen:
    """The screen of one head, without its table where not even the heaviest keys were kept.

    Raises CaptureError when the table alone is wanted there.
    """
    layer = prepared(stack.by_layer[head.layer], appearance)
    shown = heatmap(layer, head.head, appearance, rows.queries, rows.keys)
    known = not shown.pooled or "top_keys" in layer.kept
    if parts == "table" and not known:
        raise CaptureError(
            f"the heaviest keys of layer {head.layer} were not kept, only pooled maps",
            "give --memory more, or some rows with --query",
        )
    table = None
    if parts != "map" and known:
        table = alignment(stack, layer, head.head, appearance, shown)
    if parts == "map":
        shown = with_learned(shown, layer, head.head)
    return HeadScreen(
        stack=stack.name,
        head=head,
        reason=reason,
        heatmap=shown if parts != "table" else None,
        table=table,
        cross=layer.cross,
        several=several,
        rows=rows,
        structure=structure(layer, head.head) if rows == ALL or shown.pooled else None,
    )
