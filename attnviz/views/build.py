"""From a capture and what was asked for to the picture that answers it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from attnviz.attention.selection import Selection
from attnviz.attention.tokens import is_range, occurrences
from attnviz.views.answer import Answer, answer_about
from attnviz.views.appearance import Appearance
from attnviz.views.heads.choice import Choice, choose
from attnviz.views.heads.head_grid import HeadGrid, head_grid
from attnviz.views.heads.query_grid import QueryGrid, query_grid
from attnviz.views.maps.head_screen import HeadMaps, HeadScreen, Parts, head_maps, head_screen
from attnviz.views.maps.heatmap import has_map
from attnviz.views.request import Request, request

if TYPE_CHECKING:
    from attnviz.attention.axis import Axis
    from attnviz.attention.capture import Capture

ViewName = Literal["auto", "map", "table", "grid", "heads"]


def build(
    capture: Capture,
    selection: Selection | None = None,
    appearance: Appearance | None = None,
    view: ViewName = "auto",
) -> Answer:
    """The picture that answers a selection. Raises SelectionError for what does not exist.

    `auto`: the first look when no head is named, one head's screen when one is, several maps on
    one scale when more are, and a grid of all heads for one `--query`. `map`, `table`: that part
    of one head. `grid`: the maps of all selected heads. `heads`: what each head does.
    """
    asked = request(capture, selection or Selection(), appearance or Appearance())
    parts = _parts(asked, view)
    first = view == "auto" and any(isinstance(part, HeadGrid) for part in parts)
    shown = capture.prediction if capture.prediction.items or capture.prediction.note else None
    return replace(answer_about(capture, *parts), prediction=shown if first else None)


def _parts(asked: Request, view: ViewName) -> tuple[Any, ...]:
    if view == "heads":
        return (head_grid(asked.stack, asked.wanted, several=asked.several),)
    one_query = asked.tokens.queries is not None and not is_range(asked.selection.query)
    if one_query and len(asked.pairs) > 1 and view in ("auto", "grid"):
        return (_query_grid(asked),)
    if view == "grid" or (view == "auto" and asked.selection.names_heads and len(asked.pairs) > 1):
        return (_maps(asked),)
    choice = choose(asked.heads)
    if choice is None:
        return ()
    if view in ("map", "table") or asked.selection.names_heads:
        parts: Parts = view if view in ("map", "table") else "both"
        return (_screen(asked, choice, parts),)
    grids = _grids(asked, choice)
    if has_map(asked.stack.by_layer[choice.head.layer]):
        return (*grids, _screen(asked, choice, "both"))
    return (*grids,)


def _grids(asked: Request, choice: Choice) -> list[HeadGrid]:
    """What each head does, in the shown stack first and then in the others."""
    own = (choice.head.layer, choice.head.head)
    grids = [head_grid(asked.stack, asked.wanted, (own,), asked.several)]
    if asked.selection.stack is None:
        for name, stack in asked.capture.stacks.items():
            if name != asked.stack.name:
                every = {layer: stack.heads(layer) for layer in stack.layers}
                grids.append(head_grid(stack, every, several=True))
    return grids


def _screen(asked: Request, choice: Choice, parts: Parts) -> HeadScreen:
    if asked.selection.single_head or len(asked.pairs) == 1:
        choice = replace(choice, why="asked")
    return head_screen(
        asked.stack, choice.head, asked.appearance, asked.rows, choice.reason, parts, asked.several
    )


def _maps(asked: Request) -> HeadMaps:
    return head_maps(asked.stack, asked.pairs, asked.appearance, asked.rows, asked.several)


def _query_grid(asked: Request) -> QueryGrid:
    queries = asked.tokens.queries or ()
    layer = asked.stack.by_layer[next(iter(asked.wanted))]
    return query_grid(
        asked.stack,
        asked.wanted,
        queries,
        asked.tokens.keys or (),
        occurrence(layer.queries, queries),
        asked.several,
        undone(asked.appearance),
    )


def undone(appearance: Appearance) -> tuple[str, ...]:
    """What a query's grid does not do although it was asked for."""
    asked = {
        "keys were not merged into words": appearance.words,
        "nothing was hidden": appearance.hide_special,
        "nothing was renormalised": appearance.renormalize,
        "no map was pooled": appearance.reduce != "mass",
    }
    return tuple(words for words, wanted in asked.items() if wanted)


def occurrence(axis: Axis, positions: tuple[int, ...]) -> tuple[int, int]:
    """(which, of how many) equal words these positions are."""
    text = "".join(axis.labels[i] for i in positions)
    same = occurrences(text, axis)
    return (same.index(positions) + 1, len(same)) if positions in same else (1, 1)
