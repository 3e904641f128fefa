"""Eager maps that come in another layout than (batch, head, query, key), made dense."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Layout = Callable[[Tensor, int], Tensor]
"""Turns a returned tensor and the key count into dense weights."""


def scores(weights: Tensor, keys: int) -> Tensor:
    """Weights from masked scores before the softmax."""
    return weights.softmax(-1)


def band(weights: Tensor, keys: int) -> Tensor:
    """Weights from a diagonal band, shape (batch, head, query, window + 1).

    Column j of query i holds key i + j - window / 2.
    """
    queries, width = weights.shape[2:]
    key = torch.arange(queries)[:, None] + torch.arange(width) - width // 2
    return _scattered(weights, key, keys)


def neighbours(weights: Tensor, keys: int) -> Tensor:
    """Weights from blocks that see themselves and both neighbours.

    Shape (batch, block, head, length, 3 * length): key k of block b is b * length - length + k.
    """
    blocks, _, length, width = weights.shape[1:]
    flat = weights.transpose(1, 2).flatten(2, 3)[:, :, :keys]  # (batch, head, query, 3 * length)
    start = torch.arange(blocks).repeat_interleave(length)[:keys] * length - length
    return _scattered(flat, start[:, None] + torch.arange(width), keys)


def ring(weights: Tensor, keys: int) -> Tensor:
    """Weights from chunks that see themselves and the chunk before, the first one the last.

    Shape (batch, head, chunk, length, 2 * length).
    """
    chunks, length, width = weights.shape[2:]
    start = torch.arange(chunks).repeat_interleave(length) * length - length
    return _scattered(weights.flatten(2, 3), (start[:, None] + torch.arange(width)) % keys, keys)


def _scattered(weights: Tensor, key: Tensor, keys: int) -> Tensor:
    """Put `weights` (batch, head, query, column) at the keys `key` (query, column)."""
    legal = (key >= 0) & (key < keys)
    spread = weights.new_zeros(*weights.shape[:3], keys)
    index = key.clamp(0, keys - 1).expand(weights.shape)
    return spread.scatter_add(-1, index, weights * legal)


LAYOUTS: dict[tuple[str, str], Layout] = {
    ("squeezebert", "attentions"): scores,
    ("prophetnet", "encoder_attentions"): scores,
    ("longformer", "attentions"): band,
    ("led", "encoder_attentions"): band,
    ("reformer+local", "attentions"): ring,
    ("longt5", "encoder_attentions"): neighbours,
}
"""By architecture and output field."""
