"""One head as plain values, and as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnviz.render.data.json_values import shown_head
from attnviz.render.data.registry import JSON, ROWS
from attnviz.render.data.tidy_rows import WEIGHTS, figure, map_rows
from attnviz.views.maps.head_screen import HeadScreen

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from attnviz.render.data.registry import Row
    from attnviz.views.heads.head import Head
    from attnviz.views.maps.alignment import AlignmentTable


@JSON.draws(HeadScreen)
def screen_values(screen: HeadScreen) -> dict[str, Any]:
    """The head with its map and table, and why it was chosen."""
    head = shown_head(screen.stack, screen.head, screen.heatmap, screen.table)
    return {"chosen": chosen(screen), "heads": [head | structure_values(screen)]}


def chosen(screen: HeadScreen) -> dict[str, Any]:
    """The head shown first, and why."""
    return {
        "stack": screen.stack,
        "layer": screen.head.layer,
        "head": screen.head.head,
        "reason": screen.reason,
    } | structure_values(screen)


def structure_values(screen: HeadScreen) -> dict[str, Any]:
    """The heaviest keys and diagonals of a long map, with their shares."""
    one = screen.structure
    if one is None:
        return {}
    return {
        "heavy_keys": [{"key": key, "share": share} for key, share in one.heavy],
        "slashes": [{"offset": offset, "share": share} for offset, share in one.slashes],
    }


@ROWS.draws(HeadScreen)
def screen_rows(screens: Sequence[HeadScreen]) -> Iterator[Row]:
    """One row per weight of the map, else per key that the table lists."""
    yield WEIGHTS
    for screen in screens:
        if screen.heatmap is not None:
            yield from map_rows(screen.stack, screen.head, screen.heatmap)
        elif screen.table is not None:
            yield from alignment_rows(screen.stack, screen.head, screen.table)


def alignment_rows(stack: str, head: Head, table: AlignmentTable) -> Iterator[Row]:
    """One row per key that the table lists."""
    for i, query in enumerate(table.rows):
        for key, weight in table.top(i):
            yield [stack, head.layer, head.head, query, table.queries.labels[query],
                   key, table.keys.labels[key], figure(weight)]  # fmt: skip
