"""Attention from queries, keys and values to the output, with every step kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from attnviz.errors import InputError
from attnviz.mechanisms.scores import Score, dot
from attnviz.mechanisms.shapes import require_matrices, require_same, shown
from attnviz.mechanisms.weights import Weighing, closed_rows, soft

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Attention:
    """Every step of one attention, in the order in which they are computed.

    `scores`, `scaled`, `masked` and `weights` are (..., queries, keys); `masked` holds -inf where
    the mask forbids a key. `output` is (..., queries, d_v). `closed`, bool (..., queries), tells
    the queries whose keys are all masked: their weights and output are 0.
    """

    scores: Tensor
    scaled: Tensor
    masked: Tensor
    weights: Tensor
    output: Tensor
    closed: Tensor


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    score: Score = dot,
    *,
    scale: float = 1.0,
    mask: Tensor | None = None,
    weigh: Weighing = soft,
) -> Attention:
    """Σ_j α_ij v_j with α_i = weigh(scale · score(q_i, k_j)), and what led to it.

    query: (..., queries, d_q), key: (..., keys, d_k), value: (..., keys, d_v); mask: bool, True
    where the query may attend, broadcasts to (..., queries, keys). Self-attention takes all three
    from one sequence, cross-attention the queries from another than keys and values. A score with
    parameters is given as `lambda q, k: general(q, k, W)`.

    Raises InputError for shapes that do not fit.
    """
    require_matrices(query=query, key=key, value=value)
    require_same("tokens", -2, key=key, value=value)
    scores = score(query, key)
    scaled = scores * scale
    masked = scaled if mask is None else close(scaled, mask)
    weights = weigh(masked)
    return Attention(scores, scaled, masked, weights, weights @ value, closed_rows(masked))


def scaled_dot_product(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    mask: Tensor | None = None,
    weigh: Weighing = soft,
) -> Attention:
    """softmax(QKᵀ/√d) V (Vaswani et al. 2017); see `attend` for the shapes."""
    return attend(query, key, value, dot, scale=query.shape[-1] ** -0.5, mask=mask, weigh=weigh)


def close(scores: Tensor, mask: Tensor) -> Tensor:
    """The scores with -inf where the mask is False."""
    if mask.dtype != torch.bool:
        raise InputError(f"the mask holds {mask.dtype}", "a mask is boolean, True where allowed")
    try:
        return scores.masked_fill(~mask, -torch.inf)
    except RuntimeError as error:
        raise InputError(
            f"the mask is {shown(mask)} and the scores are {shown(scores)}",
            "a mask has queries × keys, or one of them 1",
        ) from error
