"""Attention made even, to see whether the model notices."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

from attnviz.observe.taps.function import SOFTMAX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import nn


@contextmanager
def flattened(module: nn.Module) -> Iterator[None]:
    """While open, attention computed inside `module` is spread evenly over the allowed keys.

    Works on everything that torch computes by name (softmax, its fused attention); kernels of
    other libraries are out of its reach.
    """
    mode = _Flatten()
    enter = module.register_forward_pre_hook(mode.enter)
    leave = module.register_forward_hook(mode.leave, always_call=True)
    try:
        with mode:
            yield
    finally:
        enter.remove()
        leave.remove()


class _Flatten(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.inside = 0

    def enter(self, *_: object) -> None:
        self.inside += 1

    def leave(self, *_: object) -> None:
        self.inside -= 1

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if not self.inside:
            return func(*args, **kwargs)
        if func in SOFTMAX:
            return even(func(*args, **kwargs))
        if func in (F.scaled_dot_product_attention, F.multi_head_attention_forward):
            given = dict(kwargs)
            if args:
                args = (torch.zeros_like(args[0]), *args[1:])
            else:
                given["query"] = torch.zeros_like(given["query"])
            return func(*args, **given)
        return func(*args, **kwargs)


def even(weights: torch.Tensor) -> torch.Tensor:
    """The same row sums, spread over the keys that had any weight."""
    used = (weights > 0).to(weights.dtype)
    return used * (weights.sum(-1, keepdim=True) / used.sum(-1, keepdim=True).clamp_min(1))
