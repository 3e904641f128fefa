"""What one step of a recurrent decoder's attention was given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from attnviz.mechanisms import FAMILIES
from attnviz.mechanisms.recurrent.decoder import CrossAttention
from attnviz.observe.head_call import HeadCall, exact
from attnviz.observe.module_calls import evaluating

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn


def decoder_call(
    model: nn.Module, tensors: Mapping[str, Any], path: str, row: int
) -> HeadCall | None:
    """The call of the step `row` of the first example, where the module at `path` attends by one
    of `mechanisms.FAMILIES`, one step at a time; else None.

    The model runs once more.
    """
    module = dict(model.named_modules()).get(path)
    if not isinstance(module, CrossAttention):
        return None
    seen: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []

    def keep(_: nn.Module, given: tuple[Any, ...], found: tuple[Tensor, Tensor]) -> None:
        seen.append((*(one[0] for one in given), found[1][0, 0, 0]))

    handle = module.register_forward_hook(keep)
    try:
        with evaluating(model), torch.no_grad():
            model(**tensors)
    finally:
        handle.remove()
    state, states, real, weights = seen[row]
    parameters = {name: exact(one) for name, one in module.parameters_of_score.items()}
    query, key = multiplied(module.score, exact(state), exact(states), parameters)
    return HeadCall(
        query=query,
        key=key,
        value=exact(states),
        allowed=real.cpu(),
        weights=exact(weights),
        scale=FAMILIES[module.score].scale(len(state)),
        softcap=None,
        bias=None,
        sink=None,
        projection=None,
        group=0,
        groups=1,
        rounding=torch.finfo(state.dtype).eps,
        family=module.score,
    )


def multiplied(
    score: str, query: Tensor, key: Tensor, parameters: Mapping[str, Tensor]
) -> tuple[Tensor, Tensor]:
    """What a score multiplies, dimension by dimension, (d) and (keys, d), of q and k.

    qᵀ W k is the product of qᵀW and k, and vᵀ tanh(W q + U k) that of v and the tanh.
    """
    if score == "general":
        return query @ parameters["W"], key
    if score == "additive":
        hidden = parameters["W"] @ query + key @ parameters["U"].mT
        return parameters["v"], torch.tanh(hidden)
    return query, key
