"""Views as rich renderables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.measure import Measurement
from rich.segment import Segment

from attnviz.render.terminal.answer import answer_lines, body
from attnviz.render.terminal.canvas import Canvas
from attnviz.views.answer import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console, ConsoleOptions, RenderResult

    from attnviz.render.terminal.canvas import Line


class Picture:
    """A view that draws itself to the width and colours of the console."""

    def __init__(self, view: Any) -> None:
        self.view = view

    def lines(self, canvas: Canvas) -> Iterator[Line]:
        """The lines on this canvas."""
        if isinstance(self.view, Answer):
            return answer_lines(self.view, canvas)
        return body(self.view, canvas)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        canvas = Canvas.of(console, options.max_width)
        for line in self.lines(canvas):
            yield from line.segments(canvas.width)
            yield Segment.line()

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(min(20, options.max_width), options.max_width)


def print_answer(answer: Answer, console: Console) -> None:
    """Print the answer."""
    console.print(Picture(answer), crop=False, no_wrap=True)
