"""Attention over numbers that were made by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch

from attnviz.errors import InputError
from attnviz.mechanisms import attend_by_name, causal, hard, local, soft
from attnviz.mechanisms.shapes import require_same

if TYPE_CHECKING:
    from attnviz.inputs.qkv import HandMade
    from attnviz.mechanisms import Attention, Weighing

LARGEST = 2**24  # numbers in one step, 128 MiB


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is done with queries, keys and values: one of `mechanisms.FAMILIES`, and how.

    `position` is the key around which local attention looks.
    """

    mechanism: str = "scaled-dot"
    weigh: Literal["soft", "hard", "local"] = "soft"
    position: float = 0.0
    heads: int = 1
    causal: bool = False

    @property
    def weighing(self) -> Weighing:
        """The function that turns scores into weights."""
        if self.weigh == "local":
            return lambda scores: local(scores, self.position)
        return hard if self.weigh == "hard" else soft


def by_hand(given: HandMade, recipe: Recipe) -> Attention:
    """Every step of attention over numbers that were made by hand, float64.

    The steps are (heads, queries, keys), the output (heads, queries, d_v of a head). Raises
    InputError for shapes that do not fit, for steps of over `LARGEST` numbers, and for numbers
    whose products are beyond float64.
    """
    require_room(given, recipe)
    states = {
        name: torch.from_numpy(array)
        for name, array in (("query", given.query), ("key", given.key), ("value", given.value))
    }
    require_same("tokens", -2, key=states["key"], value=states["value"])
    if recipe.mechanism in ("dot", "scaled-dot"):
        require_same("dimensions", -1, query=states["query"], key=states["key"])
    parameters = {name: torch.from_numpy(array) for name, array in given.parameters.items()}
    mask = causal(len(given.query), len(given.key)) if recipe.causal else None
    found = attend_by_name(
        recipe.mechanism,
        **states,
        parameters=parameters,
        heads=recipe.heads,
        mask=mask,
        weigh=recipe.weighing,
    )
    if not all(step.isfinite().all() for step in (found.scores, found.weights, found.output)):
        raise InputError("the products of these numbers are beyond float64", "give smaller numbers")
    return found


def require_room(given: HandMade, recipe: Recipe) -> None:
    """Raise InputError for more pairs of tokens than are worth computing by hand."""
    queries, keys, width = len(given.query), len(given.key), 1
    if recipe.mechanism in ("additive", "concat"):
        hidden = max((len(array) for array in given.parameters.values()), default=1)
        width = max(hidden, given.query.shape[-1] + given.key.shape[-1])
    heads = min(recipe.heads, given.query.shape[-1])  # more of them are refused later
    if heads * queries * keys * width > LARGEST:
        raise InputError(
            f"{queries} queries and {keys} keys make too many pairs to be computed at once",
            "give fewer tokens or heads",
        )
