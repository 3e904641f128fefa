"""Two captures compared, as plain values for JSON, and as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnviz.render.data.comparison import MOST, NAMES, about, most_row, most_values, named
from attnviz.render.data.json_values import map_values, number
from attnviz.render.data.registry import JSON, ROWS
from attnviz.render.data.tidy_rows import figure
from attnviz.views.compare.contrast import Contrast

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from attnviz.render.data.registry import Row


@JSON.draws(Contrast)
def contrast_values(view: Contrast) -> dict[str, Any]:
    """The heads that moved most, and the difference of the first of them."""
    moved = [
        named(head.one) | {"distance": number(head.distance), "most": most_values(head.most)}
        for head in view.rows
    ]
    return about(view) | {
        "first": view.first,
        "second": view.second,
        "compared": "words" if view.words else "tokens",
        "unmatched": list(view.unmatched),
        "moved": moved,
        "difference": named(view.shown) | {"map": map_values(view.difference)},
    }


@ROWS.draws(Contrast)
def contrast_rows(views: Sequence[Contrast]) -> Iterator[Row]:
    """One row per head."""
    [view] = views
    yield ["stack", *NAMES, "pattern", "other_pattern", "distance", *MOST]
    for head in view.rows:
        own = [view.stack, head.one.layer, head.one.head, head.one.pattern.name]
        yield [*own, head.other.pattern.name, figure(head.distance), *most_row(head.most)]
