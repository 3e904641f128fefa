"""The views that images show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnviz.render.registry import Drawings

if TYPE_CHECKING:
    from collections.abc import Callable

    from attnviz.render.image.plate import Plate
    from attnviz.views.answer import Answer

PICTURES = "a picture shows map, grid, arcs or matrix"
IMAGE: Drawings[Callable[[Any, Answer], Plate]] = Drawings(
    "attnviz.render.image",
    {
        "HeadGrid": ("what each head does has no picture", PICTURES),
        "QueryGrid": ("a query in every head has no picture", PICTURES),
        "HeadTable": ("a list of heads has no picture", "--view matrix has one"),
        "LikeHead": ("a list of heads has no picture", "write it as .csv, .json or .txt"),
        "Listing": ("a list of lines has no picture", "--json gives its values"),
    },
)
