"""An answer shown where there is no command line: printed, as HTML, a figure, plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from attnviz.render.image.style import ImageStyle
    from attnviz.render.terminal.picture import Picture
    from attnviz.views.answer import Answer

WIDTH = 120  # columns of a picture in a notebook


def show(answer: Answer, width: int | None, color: Literal["auto", "always", "never"]) -> None:
    """Print the answer."""
    from attnviz.render.terminal.console import make_console
    from attnviz.render.terminal.picture import print_answer

    print_answer(answer, make_console(width, color))


def picture(answer: Answer) -> Picture:
    """The answer for a console of rich."""
    from attnviz.render.terminal.picture import Picture

    return Picture(answer)


def html(answer: Answer) -> str:
    """The answer as HTML: the picture of the terminal."""
    from attnviz.render.terminal.picture import to_html

    return to_html(answer, WIDTH)


def figure(answer: Answer, style: ImageStyle | None) -> Figure:
    """The one view of the answer as a figure of matplotlib."""
    from attnviz.render.image.draw import draw
    from attnviz.render.image.style import ImageStyle

    return draw(answer, style or ImageStyle()).figure


def values(answer: Answer) -> dict[str, Any]:
    """The answer as `--json` prints it."""
    from attnviz.render.data.answer import answer_values

    return answer_values(answer)
