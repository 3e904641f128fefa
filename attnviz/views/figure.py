"""The picture that goes into an image file: one view, and what its title must say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from attnviz.errors import SelectionError
from attnviz.views.answer import answer_about
from attnviz.views.compare.contrast import Contrast
from attnviz.views.compare.within import DistanceMatrix, HeadGroups
from attnviz.views.heads.choice import choose
from attnviz.views.heads.score_matrix import SCORE, HeadMatrix, head_matrix
from attnviz.views.maps.arcs import LEAST, Arcs, arcs
from attnviz.views.maps.head_screen import HeadMaps, HeadScreen, head_maps, head_screen
from attnviz.views.request import request

if TYPE_CHECKING:
    from attnviz.attention.capture import Capture
    from attnviz.attention.selection import Selection
    from attnviz.views.answer import Answer
    from attnviz.views.appearance import Appearance

FigureView = Literal["auto", "heatmap", "grid", "arcs", "matrix"]
ImageBody = HeadScreen | HeadMaps | Arcs | HeadMatrix | HeadGroups | DistanceMatrix | Contrast


def figure_answer(
    capture: Capture,
    selection: Selection,
    appearance: Appearance,
    view: FigureView = "auto",
    score: str = SCORE,
    least: float = LEAST,
    most: int | None = None,
) -> Answer:
    """What an image of this selection shows. Raises SelectionError.

    `auto` is the map of one head where one is selected, else the grid of all that are. Of several
    heads `heatmap` takes the one that `inspect` would show, and so does `arcs` of all heads. `most`
    bounds the rows and columns of every map of a grid, which is pooled where it has more.
    """
    asked = request(capture, selection, appearance)
    pairs, stack = asked.pairs, asked.stack
    if view == "auto":
        view = "heatmap" if len(pairs) == 1 else "grid"
    body: ImageBody
    if view == "grid":
        body = head_maps(stack, pairs, appearance, asked.rows, asked.several, most)
    elif view == "matrix":
        body = head_matrix(stack, asked.wanted, score, asked.several)
    elif (picked := choose(asked.heads)) is None:
        raise SelectionError("there is no head to show")
    elif view == "heatmap":
        reason = picked.reason if len(pairs) > 1 else ""
        body = head_screen(stack, picked.head, appearance, asked.rows, reason, "map", asked.several)
    else:
        wanted = pairs if selection.names_heads else [(picked.head.layer, picked.head.head)]
        body = arcs(stack, wanted, appearance, asked.rows, least, asked.several)
    return answer_about(capture, body)
