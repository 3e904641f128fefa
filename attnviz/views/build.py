"""From a capture and what was asked for to the answer: the views that `--view` names."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from attnviz.attention.selection import Selection
from attnviz.attention.tokens import is_range, occurrences
from attnviz.errors import SelectionError, UsageError
from attnviz.views.answer import answer_about
from attnviz.views.appearance import Appearance
from attnviz.views.heads.choice import Choice, choose
from attnviz.views.heads.head_grid import HeadGrid, head_grid
from attnviz.views.heads.query_grid import QueryGrid, query_grid
from attnviz.views.heads.score_matrix import HeadMatrix, head_matrix
from attnviz.views.maps.arcs import Arcs, arcs
from attnviz.views.maps.head_screen import HeadMaps, HeadScreen, Parts, head_maps, head_screen
from attnviz.views.maps.heatmap import has_map
from attnviz.views.request import Request, request
from attnviz.views.vocabulary import maker_of, shows

if TYPE_CHECKING:
    from attnviz.attention.axis import Axis
    from attnviz.attention.capture import Capture
    from attnviz.views.answer import Answer


def build(
    capture: Capture,
    selection: Selection | None = None,
    appearance: Appearance | None = None,
    view: str = "auto",
) -> Answer:
    """The answer to a selection, by one of the named views of a capture.

    `auto`: the first look when no head is named, one head's screen when one is, several maps on
    one scale when more are, and a grid of all heads for one `--query`.

    Raises SelectionError for what does not exist, UsageError for a view that is none.
    """
    asked = request(capture, selection or Selection(), appearance or Appearance())
    answer = answer_about(capture, *maker_of(view)(asked))
    prediction = capture.prediction
    first = view == "auto" and any(isinstance(part, HeadGrid) for part in answer.parts)
    if not first or not (prediction.items or prediction.note):
        return answer
    return replace(answer, prediction=prediction)


def figure(
    capture: Capture,
    selection: Selection | None = None,
    appearance: Appearance | None = None,
    view: str = "auto",
) -> Answer:
    """The answer as one view, for an image.

    `auto` is the map of one head where one is selected, else the grid of all that are. Raises
    SelectionError for what does not exist, UsageError for a view that is none.
    """
    asked = request(capture, selection or Selection(), appearance or Appearance())
    if view == "auto":
        view = "map" if len(asked.pairs) == 1 else "grid"
    return answer_about(capture, *maker_of(view)(asked))


@shows("auto")
def first_look(asked: Request) -> tuple[Any, ...]:
    """The views that the selection asks for without naming one."""
    if len(asked.pairs) > 1 and one_query(asked):
        return query(asked)
    if len(asked.pairs) > 1 and asked.selection.names_heads:
        return grid(asked)
    choice = choose(asked.heads)
    if choice is None:
        return ()
    if asked.selection.names_heads:
        return (screen(asked, choice, "both"),)
    grids = grids_of(asked, choice)
    if has_map(asked.stack.by_layer[choice.head.layer]):
        return (*grids, screen(asked, choice, "both"))
    return (*grids,)


@shows("map")
def map_alone(asked: Request) -> tuple[HeadScreen]:
    """The map of one head: of several the one to show first."""
    return (screen(asked, chosen(asked), "map"),)


@shows("table")
def table_alone(asked: Request) -> tuple[HeadScreen]:
    """The alignment table of one head: of several the one to show first."""
    return (screen(asked, chosen(asked), "table"),)


@shows("grid")
def grid(asked: Request) -> tuple[HeadMaps]:
    """The maps of all selected heads on one scale."""
    look = asked.appearance
    return (head_maps(asked.stack, asked.pairs, look, asked.rows, asked.several, look.most),)


@shows("heads")
def heads(asked: Request) -> tuple[HeadGrid]:
    """What each selected head does."""
    return (head_grid(asked.stack, asked.wanted, several=asked.several),)


@shows("arcs")
def lines(asked: Request) -> tuple[Arcs]:
    """Lines of the selected heads, of all heads of the one to show first."""
    pairs = asked.pairs
    if not asked.selection.names_heads:
        first = chosen(asked).head
        pairs = [(first.layer, first.head)]
    look = asked.appearance
    return (arcs(asked.stack, pairs, look, asked.rows, look.least, asked.several),)


@shows("matrix")
def matrix(asked: Request) -> tuple[HeadMatrix]:
    """One score of every selected head. Raises UsageError where tokens are named."""
    if asked.selection.query is not None or asked.selection.key is not None:
        raise UsageError("--view matrix shows scores of whole heads", "leave --query and --key")
    return (head_matrix(asked.stack, asked.wanted, asked.appearance.score, asked.several),)


@shows("query")
def query(asked: Request) -> tuple[QueryGrid]:
    """Where one query looks in every selected head. Raises UsageError unless one is named."""
    if not one_query(asked):
        raise UsageError("--view query is about one token", "name it with --query")
    queries = asked.tokens.queries or ()
    layer = asked.stack.by_layer[next(iter(asked.wanted))]
    found = query_grid(
        asked.stack,
        asked.wanted,
        queries,
        asked.tokens.keys or (),
        occurrence(layer.queries, queries),
        asked.several,
        undone(asked.appearance),
    )
    return (found,)


def one_query(asked: Request) -> bool:
    """Whether `--query` names one token or word, not a range."""
    return asked.tokens.queries is not None and not is_range(asked.selection.query)


def chosen(asked: Request) -> Choice:
    """The head to show first. Raises SelectionError when there is none."""
    choice = choose(asked.heads)
    if choice is None:
        raise SelectionError("there is no head to show")
    return choice


def screen(asked: Request, choice: Choice, parts: Parts) -> HeadScreen:
    """The screen of the chosen head, with the reason where nobody asked for it alone."""
    if asked.selection.single_head or len(asked.pairs) == 1:
        choice = replace(choice, why="asked")
    return head_screen(
        asked.stack,
        choice.head,
        asked.appearance,
        asked.rows,
        choice.reason,
        parts,
        asked.several,
    )


def grids_of(asked: Request, choice: Choice) -> list[HeadGrid]:
    """What each head does, in the shown stack first and then in the others."""
    own = (choice.head.layer, choice.head.head)
    grids = [head_grid(asked.stack, asked.wanted, (own,), asked.several)]
    if asked.selection.stack is None:
        for name, stack in asked.capture.stacks.items():
            if name != asked.stack.name:
                every = {layer: stack.heads(layer) for layer in stack.layers}
                grids.append(head_grid(stack, every, several=True))
    return grids


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
