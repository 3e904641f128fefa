"""Views as rich renderables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.measure import Measurement
from rich.segment import Segment

from attnviz.render.terminal.answer import body, first_screen
from attnviz.render.terminal.canvas import Canvas
from attnviz.views.answer import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console, ConsoleOptions, RenderResult

    from attnviz.render.terminal.canvas import Line
    from attnviz.views.answer import Body


class Picture:
    """A view that draws itself to the width and colours of the console."""

    def __init__(self, view: Answer | Body) -> None:
        self.view = view

    def lines(self, canvas: Canvas) -> Iterator[Line]:
        """The lines on this canvas."""
        if isinstance(self.view, Answer):
            return first_screen(self.view, canvas)
        return body(self.view, canvas)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        canvas = Canvas.of(console, options.max_width)
        for line in self.lines(canvas):
            yield from line.segments(canvas.width)
            yield Segment.line()

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(min(20, options.max_width), options.max_width)


def print_view(view: Answer | Body, console: Console) -> None:
    """Nothing; prints the view."""
    console.print(Picture(view), crop=False, no_wrap=True)
