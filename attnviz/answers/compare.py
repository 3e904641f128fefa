"""Which heads attend alike, and what moved between two runs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from attnviz.attention.selection import Selection
from attnviz.views.answer import Answer, answer_about
from attnviz.views.appearance import Appearance
from attnviz.views.compare.contrast import contrast
from attnviz.views.compare.within import layer_matrix, like_head, require_whole, side_by_side
from attnviz.views.request import request
from attnviz.views.vocabulary import maker_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from attnviz.attention.capture import Capture
    from attnviz.views.compare.contrast import Kind
    from attnviz.views.request import Request

FEW = 8  # heads that are shown side by side


def compare(
    first: Capture,
    second: Capture | None = None,
    selection: Selection | None = None,
    *,
    layers: bool = False,
    view: str = "table",
    top: int = 10,
    words: bool = False,
    progress: Callable[[float], None] | None = None,
) -> Answer:
    """The heads of a capture compared with each other, or head by head with a second capture.

    Alone: groups of heads that attend alike (`view` matrix: the distance of every two); with one
    head selected the `top` heads most like it, with a few all of them side by side; with `layers`
    layer by layer. `words` compares words in place of tokens. `progress` is told the share that is
    done. Raises CaptureError for maps that were not kept whole, SelectionError.
    """
    selection, appearance = selection or Selection(), Appearance(words=words)
    if second is None:
        asked = request(first, selection, appearance)
        return answer_about(first, within(asked, layers, view, top, progress))
    same_input = inputs_of(first) == inputs_of(second)
    kind: Kind = "models" if same_input and first.model != second.model else "texts"
    names = names_of(first, second, kind)
    moved = contrast(first, second, selection, appearance, kind, names, top)
    notes = dict.fromkeys((*first.notes, *second.notes))
    failed = (check for check in second.checks if check.ok is False)
    answer = answer_about(first, moved)
    return replace(answer, notes=tuple(notes), checks=(*first.checks, *failed))


def within(
    asked: Request,
    layers: bool,
    view: str,
    top: int,
    progress: Callable[[float], None] | None,
) -> Any:
    """The comparison of heads of one capture that the selection asks for."""
    if layers:
        return layer_matrix(asked, progress)
    if asked.selection.single_head is not None and len(asked.pairs) == 1:
        everything = replace(asked.selection, layers=(), heads=(), pairs=())
        among = request(asked.capture, everything, asked.appearance)
        return like_head(among, asked.pairs[0], top)
    if view == "table" and few(asked):
        return side_by_side(asked)
    return maker_of(view, "comparison")(asked, top, progress)


def inputs_of(capture: Capture) -> tuple[str | None, ...]:
    """What was read."""
    return capture.text, capture.pair, capture.target


def few(asked: Request) -> bool:
    """Whether a few heads are named, to be shown side by side."""
    named = asked.selection.heads or asked.selection.pairs
    return bool(named) and 1 < len(asked.pairs) <= FEW


def check_whole(capture: Capture, selection: Selection) -> None:
    """Raise CaptureError unless the maps that are compared were kept whole."""
    require_whole(request(capture, selection, Appearance()))


def names_of(first: Capture, second: Capture, kind: Kind) -> tuple[str, str]:
    """What tells the captures apart: their texts, or the models with what differs of them."""
    if kind == "texts":
        return first.text, second.text
    one, other = first.model, second.model
    names = [one.name, other.name]
    if one.name == other.name:
        for n, model in enumerate((one, other)):
            names[n] += f" @{(model.revision or '?')[:8]}" if one.revision != other.revision else ""
            names[n] += f" {model.dtype}" if one.dtype != other.dtype else ""
    return names[0], names[1]
