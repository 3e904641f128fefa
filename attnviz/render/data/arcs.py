"""Lines from queries to keys as plain values, and as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnviz.render.data.json_values import number
from attnviz.render.data.registry import JSON, ROWS
from attnviz.render.data.tidy_rows import WEIGHTS, figure
from attnviz.views.maps.arcs import Arcs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from attnviz.render.data.registry import Row


@JSON.draws(Arcs)
def arcs_values(view: Arcs) -> dict[str, Any]:
    """The lines, heaviest first, the least weight that has one, and what has none."""
    titles = WEIGHTS[1:-1]
    return {
        "stack": view.stack,
        "least": number(view.least),
        "unseen": number(view.unseen),
        "lines": [
            dict(zip(titles, place, strict=True)) | {"weight": number(weight)}
            for place, weight in lines_of(view)
        ],
        "notes": list(view.notes),
    }


@ROWS.draws(Arcs)
def arcs_rows(views: Sequence[Arcs]) -> Iterator[Row]:
    """One row per line, heaviest first."""
    yield WEIGHTS
    for view in views:
        for place, weight in lines_of(view):
            yield [view.stack, *place, figure(weight)]


def lines_of(view: Arcs) -> Iterator[tuple[list[Any], float]]:
    """Layer, head, query and key with their labels, and the weight of every line."""
    for (which, i, j), weight in zip(view.lines[::-1].tolist(), view.weights[::-1], strict=True):
        head, query, key = view.heads[which], view.rows[i], view.columns[j]
        labels = view.queries.labels[query], view.keys.labels[key]
        yield [head.layer, head.head, query, labels[0], key, labels[1]], float(weight)
