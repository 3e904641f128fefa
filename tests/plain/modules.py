"""Modules as people write them, and what their attention says of itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTH, HEADS = 16, 4


def random(*shape: int, seed: int = 1) -> Tensor:
    """Normal numbers, large enough to make uneven weights."""
    return 2 * torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def uneven(module: nn.Module) -> nn.Module:
    """The module in eval mode with large random matrices."""
    torch.manual_seed(0)
    with torch.no_grad():
        for weights in module.parameters():
            if weights.dim() > 1:
                weights.normal_(std=0.4)
    return module.eval()


class Reader(nn.Module):
    """A small model over ids that calls fused attention, with its heads or as one head."""

    def __init__(self, heads: int, causal: bool = False) -> None:
        super().__init__()
        self.embedding = nn.Embedding(30, WIDTH)
        self.project = nn.Linear(WIDTH, 3 * WIDTH)
        self.heads, self.causal = heads, causal

    def parts(self, ids: Tensor) -> tuple[Tensor, ...]:
        """Queries, keys, values: (examples, heads, tokens, d), or without the axis of heads."""
        parts = self.project(self.embedding(ids)).chunk(3, dim=-1)
        if self.heads == 1:
            return parts
        return tuple(one.unflatten(-1, (self.heads, -1)).transpose(-3, -2) for one in parts)

    def forward(self, ids: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(*self.parts(ids), is_causal=self.causal)

    def weights(self, ids: Tensor) -> Tensor:
        """(examples, heads, tokens, tokens), by the formula."""
        query, key, _ = self.parts(ids)
        scores = query @ key.mT / query.shape[-1] ** 0.5
        if self.causal:
            scores = scores + torch.full(scores.shape[-2:], -torch.inf).triu(1)
        found = scores.softmax(-1)
        return found if self.heads > 1 else found.unsqueeze(-3)


def own_weights(module: nn.Module, *args: Tensor, **kwargs: Any) -> dict[str, np.ndarray]:
    """What every nn.MultiheadAttention returns when asked: (examples, heads, queries, keys)."""
    found: dict[str, np.ndarray] = {}
    hooks = []
    for name, one in module.named_modules():
        if isinstance(one, nn.MultiheadAttention):

            def keep(
                one: nn.MultiheadAttention, args: tuple, kwargs: dict, out: object, name: str = name
            ) -> None:
                asked = kwargs | {"need_weights": True, "average_attn_weights": False}
                found[name] = one.forward(*args, **asked)[1].numpy()

            hooks.append(one.register_forward_hook(keep, with_kwargs=True))
    with torch.no_grad():
        module(*args, **kwargs)
    for hook in hooks:
        hook.remove()
    return found


def outputs(module: nn.Module) -> list[Any]:
    """Filled with what the module returns at every call."""
    kept: list[Any] = []
    module.register_forward_hook(lambda _, args, out: kept.append(out))
    return kept
