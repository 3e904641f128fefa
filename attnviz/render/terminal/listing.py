"""Lines of text as they are, so that commands and paths in them can be copied."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnviz.render.terminal.canvas import Line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attnviz.render.terminal.canvas import Canvas
    from attnviz.views.listing import Listing


def listing(view: Listing, canvas: Canvas) -> Iterator[Line]:
    """The lines, made safe and not cut: the terminal breaks those that are too long."""
    for text in view.lines:
        body = text.lstrip(" ")
        shown = canvas.token(body) if body else ""
        yield Line(" " * (len(text) - len(body)) + shown, whole=True)
