"""Local attention (Luong et al. 2015, section 3.2): a window around one position per query.

Positions count keys from 0; the paper counts from 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from attnviz.mechanisms.shapes import require_shape
from attnviz.mechanisms.weights import soft

if TYPE_CHECKING:
    from torch import Tensor

WINDOW = 2.0  # keys on either side, so that σ = 1


def local(
    scores: Tensor, position: Tensor | float, window: float = WINDOW, sigma: float | None = None
) -> Tensor:
    """softmax over the keys within `window` of p, times exp(-(j - p)² / 2σ²) ("local-p").

    `scores` is (..., queries, keys) with -inf at masked keys; `position` is p, one per query
    (..., queries) or one for all; σ is half the window unless given. The product is not
    normalised again, so that rows sum to less than 1. Differentiable, also in p.
    """
    away = distance(position, scores)
    weights = soft(scores.masked_fill(away.abs() > window, -torch.inf))
    width = window / 2 if sigma is None else sigma
    return weights * torch.exp(-(away**2) / (2 * width**2))


def near(position: Tensor | float, scores: Tensor, window: float = WINDOW) -> Tensor:
    """bool, the shape of the scores' keys: within `window` of the position.

    With the query's own index as position this is the mask of "local-m", whose weights have no
    Gaussian.
    """
    return distance(position, scores).abs() <= window


def distance(position: Tensor | float, scores: Tensor) -> Tensor:
    """(..., queries, keys), or (1, keys) for one position: how far behind it every key stands."""
    center = torch.as_tensor(position, dtype=scores.dtype, device=scores.device)
    keys = torch.arange(scores.shape[-1], dtype=scores.dtype, device=scores.device)
    return keys - center[..., None]


def predicted_position(
    query: Tensor, weight: Tensor, vector: Tensor, lengths: Tensor | int
) -> Tensor:
    """S · sigmoid(vᵀ tanh(W q)), (..., queries): where "local-p" looks.

    query: (..., queries, d), W: (hidden, d), v: (hidden). S is the number of keys: one for all,
    or one per example (...).
    """
    require_shape("W", weight, ("hidden", vector.shape[-1]), ("query", query.shape[-1]))
    share = torch.sigmoid(torch.tanh(query @ weight.mT) @ vector)
    size = torch.as_tensor(lengths, dtype=query.dtype, device=query.device)
    return size[..., None] * share
