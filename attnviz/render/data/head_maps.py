"""The maps of several heads as plain values, and as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnviz.render.data.json_values import shown_head
from attnviz.render.data.registry import JSON, ROWS
from attnviz.render.data.tidy_rows import WEIGHTS, map_rows
from attnviz.views.maps.head_maps import HeadMaps

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from attnviz.render.data.registry import Row


@JSON.draws(HeadMaps)
def maps_values(view: HeadMaps) -> dict[str, Any]:
    """Every head with its map."""
    heads = [shown_head(view.stack, head, shown, None) for head, shown in view.maps]
    return {"chosen": None, "heads": heads}


@ROWS.draws(HeadMaps)
def maps_rows(views: Sequence[HeadMaps]) -> Iterator[Row]:
    """One row per weight."""
    yield WEIGHTS
    for view in views:
        for head, shown in view.maps:
            yield from map_rows(view.stack, head, shown)
