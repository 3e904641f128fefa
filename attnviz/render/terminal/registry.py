"""The views that the terminal draws."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnviz.render.registry import Drawings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from attnviz.render.terminal.canvas import Canvas, Line

TERMINAL: Drawings[Callable[[Any, Canvas], Iterator[Line]]] = Drawings(
    "attnviz.render.terminal",
    {
        "Arcs": (
            "arcs are drawn in pictures",
            "-o FILE.svg, or --view map or grid for the terminal",
        )
    },
)
