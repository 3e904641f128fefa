"""Views as rich renderables."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from rich.measure import Measurement
from rich.segment import Segment

from attnviz.render.terminal.answer import answer_lines
from attnviz.render.terminal.canvas import Canvas
from attnviz.render.terminal.console import make_console
from attnviz.render.terminal.registry import TERMINAL
from attnviz.views.answer import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console, ConsoleOptions, RenderResult

    from attnviz.render.terminal.canvas import Line

PRE = """<pre style="font-family: Menlo, Consolas, 'DejaVu Sans Mono', monospace; line-height: 1.2;
overflow-x: auto; color: {foreground}; background-color: {background}">{code}</pre>"""


class Picture:
    """A view that draws itself to the width and colours of the console."""

    def __init__(self, view: Any) -> None:
        self.view = view

    def lines(self, canvas: Canvas) -> Iterator[Line]:
        """The lines on this canvas."""
        if isinstance(self.view, Answer):
            return answer_lines(self.view, canvas)
        return TERMINAL.of(self.view)(self.view, canvas)

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


def to_html(answer: Answer, width: int) -> str:
    """The picture as HTML of its own: preformatted text whose colours stand in the elements."""
    console = make_console(width, "always", file=io.StringIO(), environ={"COLORTERM": "truecolor"})
    console.record = True
    print_answer(answer, console)
    return console.export_html(inline_styles=True, code_format=PRE)
