"""Weights: how scores become shares of attention.

Every function takes scores (..., queries, keys), -inf where a key is masked, and gives weights of
the same shape. Masked keys get exactly 0. A query whose keys are all masked gets a row of zeros,
where a bare softmax would give NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

if TYPE_CHECKING:
    from torch import Tensor

# Scores with -inf at masked keys in, weights out.
Weighing = Callable[["Tensor"], "Tensor"]


def closed_rows(scores: Tensor) -> Tensor:
    """bool (..., queries): the queries that may attend to nothing."""
    return (scores == -torch.inf).all(-1)


def soft(scores: Tensor) -> Tensor:
    """softmax(e) = exp(e) / Σ exp(e): differentiable (Bahdanau et al. 2014).

    Each row sums to 1 or, with all keys masked, to 0.
    """
    closed = closed_rows(scores).unsqueeze(-1)
    return torch.softmax(scores.masked_fill(closed, 0.0), dim=-1).masked_fill(closed, 0.0)


def hard(scores: Tensor) -> Tensor:
    """1 at the largest score, the first of a tie, and 0 elsewhere.

    The choice has no gradient: training it takes REINFORCE (Xu et al. 2015) or a relaxation.
    """
    return one_hot(scores.argmax(-1), scores)


def sampled(scores: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """1 at a key drawn with its soft weight, and 0 elsewhere (Xu et al. 2015, section 4.1).

    The mean of many draws is the soft weight. No gradient, like `hard`.
    """
    weights = soft(scores)
    drawable = weights.masked_fill(closed_rows(scores).unsqueeze(-1), 1.0)
    drawn = torch.multinomial(drawable.flatten(0, -2), 1, generator=generator)
    return one_hot(drawn.view(scores.shape[:-1]), scores)


def one_hot(chosen: Tensor, scores: Tensor) -> Tensor:
    """1 at the chosen key of every query that has a key at all."""
    picked = F.one_hot(chosen, scores.shape[-1]).to(scores.dtype)
    return picked.masked_fill(closed_rows(scores).unsqueeze(-1), 0.0)
