"""Two captures compared: the heads that moved most, and the difference of the first of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnviz.render.terminal.canvas import Canvas, Line, plural
from attnviz.render.terminal.comparison import NAME, does, heading, small, where
from attnviz.render.terminal.head_screen import fitted_map
from attnviz.render.terminal.registry import TERMINAL
from attnviz.views.compare.contrast import Contrast

if TYPE_CHECKING:
    from collections.abc import Iterator


@TERMINAL.draws(Contrast)
def contrast(view: Contrast, canvas: Canvas) -> Iterator[Line]:
    """The heads that moved most between two captures, and the difference of the first of them."""
    names = [canvas.token(name, 40) for name in view.names]
    yield from canvas.prose(heading("Heads that moved most", view, canvas))
    yield from canvas.prose([("from  ", "dim"), (names[0], ""), ("  to  ", "dim"), (names[1], "")])
    yield from canvas.prose([(words, "dim") for words in matching(view)])
    for row in view.rows:
        start = Line(f"  {row.one.label}".ljust(10), "bold").add(
            f"{small(row.distance).rjust(6)}  "
        )
        start.join(does(row.one, canvas))
        if row.other.pattern.name != row.one.pattern.name:
            start.add(canvas.text(" → "), "dim").join(does(row.other, canvas))
        start.pad(18 + 2 * NAME)
        yield from canvas.prose([(where(row.most, canvas), "dim")], 6, start)
    if view.left_out:
        total = len(view.rows) + view.left_out
        yield Line(canvas.text(f"… {view.left_out:,} more: --top {total}"), "dim")
    yield Line()
    what = f"   {names[1]} less {names[0]}"
    yield from canvas.prose([(view.shown.label, "bold"), (what, "dim")])
    yield from fitted_map(view.difference, None, canvas)


def matching(view: Contrast) -> Iterator[str]:
    """What of both captures corresponds."""
    unit = "words" if view.words else "tokens"
    if any(view.unmatched):
        first, second = view.unmatched
        yield (
            f"compared: the {unit} that both have in the same order; {first} of the first and "
            f"{second} of the second have no counterpart, and count together as one key. "
        )
    elif view.words:
        yield "compared: words, because the models cut them into different tokens. "
    if view.missing:
        exist = "exists" if view.missing == 1 else "exist"
        yield f"{plural(view.missing, 'head')} {exist} in one of them only. "
