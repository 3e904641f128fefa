"""One score of every head of a stack, layers × heads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from attnviz.errors import SelectionError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from attnviz.attention.capture import AttentionStack

SCORE = "content"


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
    if score not in stack.score_names:
        known = ", ".join(stack.score_names)
        raise SelectionError(f"there is no score {score!r}", f"the scores are {known}")
    heads = sorted({head for some in wanted.values() for head in some})
    values = np.full((len(wanted), len(heads)), np.nan)
    whole = stack.score(score)
    for row, (layer, some) in enumerate(wanted.items()):
        columns = [heads.index(head) for head in some]
        values[row, columns] = whole[stack.layers.index(layer), list(some)]
    return HeadMatrix(stack.name, score, tuple(wanted), tuple(heads), values, several)
