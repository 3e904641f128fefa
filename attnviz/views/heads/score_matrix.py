"""One score of every head of a stack, layers × heads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from attnviz.errors import SelectionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from attnviz.attention.capture import AttentionStack

SCORE = "content"
EDGE = "edge"  # the weight of one query on one key, sorted by like a score
NEEDS = {
    EDGE: "an edge is named by --query and --key",
    "prefix_matching": "it takes a run of its own: attnviz heads --probe repeated-tokens -m MODEL",
}


@dataclass(frozen=True, eq=False)
class HeadMatrix:
    """`values` float (layers, heads) of one score, NaN where a head is missing or not wanted."""

    stack: str
    score: str
    layers: tuple[int, ...]
    heads: tuple[int, ...]
    values: np.ndarray
    several: bool = False


def head_matrix(
    stack: AttentionStack,
    wanted: Mapping[int, tuple[int, ...]],
    score: str = SCORE,
    several: bool = False,
) -> HeadMatrix:
    """The matrix of the wanted heads (layer: heads). Raises SelectionError for another score."""
    check_score(score, stack.score_names)
    heads = sorted({head for some in wanted.values() for head in some})
    values = np.full((len(wanted), len(heads)), np.nan)
    whole = stack.score(score)
    for row, (layer, some) in enumerate(wanted.items()):
        columns = [heads.index(head) for head in some]
        values[row, columns] = whole[stack.layers.index(layer), list(some)]
    return HeadMatrix(stack.name, score, tuple(wanted), tuple(heads), values, several)


def check_score(score: str, names: Iterable[str]) -> None:
    """Raise SelectionError when no score has this name."""
    known = list(names)
    if score in known:
        return
    hint = NEEDS.get(score) or f"the scores are {', '.join(known)}"
    raise SelectionError(f"there is no score {score!r}", hint)
