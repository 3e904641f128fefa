"""Scores: how well a key answers a query, one number per pair.

Every function takes queries (..., queries, d_q) and keys (..., keys, d_k) and gives scores
(..., queries, keys). In the formulas q and k are one query and one key, as columns. The decoder
state that the papers call s is a query, the encoder state they call h a key.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from attnviz.mechanisms.shapes import require_matrices, require_same, require_shape

if TYPE_CHECKING:
    from torch import Tensor

# Queries and keys in, scores out.
Score = Callable[["Tensor", "Tensor"], "Tensor"]


def dot(query: Tensor, key: Tensor) -> Tensor:
    """q·k (Luong et al. 2015, "dot"); d_q = d_k."""
    require_matrices(query=query, key=key)
    require_same("dimensions", -1, query=query, key=key)
    return query @ key.mT


def scaled_dot(query: Tensor, key: Tensor) -> Tensor:
    """q·k / √d (Vaswani et al. 2017), where d is the width of one head, not of the model.

    The products of d independent numbers have a spread of √d; divided by it, the softmax stays
    where its gradient is not tiny.
    """
    return dot(query, key) / math.sqrt(query.shape[-1])


def general(query: Tensor, key: Tensor, weight: Tensor) -> Tensor:
    """qᵀ W k (Luong et al. 2015, "general", also called multiplicative or bilinear).

    W: (d_q, d_k).
    """
    require_matrices(query=query, key=key)
    require_shape("W", weight, ("query", query.shape[-1]), ("key", key.shape[-1]))
    return query @ weight @ key.mT


def additive(
    query: Tensor, key: Tensor, query_weight: Tensor, key_weight: Tensor, vector: Tensor
) -> Tensor:
    """vᵀ tanh(W q + U k) (Bahdanau et al. 2014): a small network with one hidden layer.

    W: (hidden, d_q), U: (hidden, d_k), v: (hidden). The layer that Keras calls AdditiveAttention
    has neither W nor U.
    """
    require_matrices(query=query, key=key)
    hidden = ("hidden", vector.shape[-1])
    require_shape("W", query_weight, hidden, ("query", query.shape[-1]))
    require_shape("U", key_weight, hidden, ("key", key.shape[-1]))
    from_query = (query @ query_weight.mT).unsqueeze(-2)  # (..., queries, 1, hidden)
    from_key = (key @ key_weight.mT).unsqueeze(-3)  # (..., 1, keys, hidden)
    return torch.tanh(from_query + from_key) @ vector


def concat(query: Tensor, key: Tensor, weight: Tensor, vector: Tensor) -> Tensor:
    """vᵀ tanh(W [q; k]) (Luong et al. 2015, "concat").

    W: (hidden, d_q + d_k), v: (hidden). With W = [W U] it is the additive score, and here it is
    written out: every pair is joined.
    """
    require_matrices(query=query, key=key)
    both = query.shape[-1] + key.shape[-1]
    require_shape("W", weight, ("hidden", vector.shape[-1]), ("query and key", both))
    pairs = torch.cat(
        [
            query.unsqueeze(-2).expand(*query.shape[:-1], key.shape[-2], -1),
            key.unsqueeze(-3).expand(*query.shape[:-1], *key.shape[-2:]),
        ],
        dim=-1,
    )  # (..., queries, keys, d_q + d_k)
    return torch.tanh(pairs @ weight.mT) @ vector
