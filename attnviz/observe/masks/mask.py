"""The mask of an attention call, evaluated for a block of rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from attnviz.observe.masks.lazy import LazyMask

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class Mask:
    """The mask of a call, evaluated for a block of rows.

    `given` is what the model passed: None, a boolean (True = attend) or additive tensor that
    broadcasts to (batch, heads, queries, keys), a (batch, keys) padding mask (flash), or a
    function of indices (flex). `causal` adds the triangle that a fused kernel adds by itself;
    `shift` is the position of query 0 among the keys, `window` the flash kernels' width, which
    reaches as far to the right as to the left.
    """

    given: Any
    queries: int
    keys: int
    causal: bool
    shift: int = 0
    window: int | None = None

    @property
    def open(self) -> bool:
        """Whether it forbids nothing."""
        return not self.causal and self.given is None and self.window is None

    @property
    def triangle(self) -> bool:
        """Whether all that it forbids are the keys after each query."""
        return self.causal and self.given is None and self.window is None

    def reach(self, start: int, stop: int) -> slice:
        """The keys that the triangle and the window leave to these rows, at least one."""
        first, last = 0, self.keys
        if self.window is not None:
            first, last = start + self.shift - self.window + 1, stop + self.shift + self.window - 1
        if self.causal:
            last = stop + self.shift
        last = max(1, min(self.keys, last))
        return slice(max(0, min(first, last - 1)), last)

    def cells(
        self, example: int, start: int, stop: int, device: torch.device
    ) -> tuple[slice, Tensor]:
        """The keys that these rows can reach, and which of them, bool (1 or heads, rows, width).

        A row without any key has its weights on all of them, as softmax has it.
        """
        keys = self.reach(start, stop)
        allowed = self.allowed(example, start, stop, keys, device)
        if self.given is None or not bool(some(allowed, -1).all()):
            return keys, allowed
        found = some(some(allowed, 0), 0).nonzero()
        first, last = int(found[0]), int(found[-1]) + 1
        return slice(keys.start + first, keys.start + last), allowed[..., first:last]

    def allowed(
        self, example: int, start: int, stop: int, keys: slice, device: torch.device
    ) -> Tensor:
        """bool (1 or heads, rows, width), True where these rows may look at these keys."""
        shape = 1, stop - start, keys.stop - keys.start
        own = start + self.shift - keys.start  # where the first row's own key is
        out = torch.ones(shape, dtype=torch.bool, device=device)
        if self.causal:
            out.tril_(own)
        if self.window is not None:
            out.triu_(own - self.window + 1).tril_(own + self.window - 1)
        given = self._rows(example, start, stop, keys, device)
        if given is not None:
            out = out & (given if given.dtype == torch.bool else given > lowest(given.dtype) / 2)
        return out

    def additive(
        self, example: int, start: int, stop: int, keys: slice, like: Tensor
    ) -> Tensor | None:
        """(1 or heads, rows, width) to add to the scores; None when nothing is masked."""
        if self.open:
            return None
        bias = self.bias(example, start, stop, keys)
        if bias is not None:
            return bias
        return bars(self.allowed(example, start, stop, keys, like.device), like.dtype)

    def bias(self, example: int, start: int, stop: int, keys: slice) -> Tensor | None:
        """A mask that was given as numbers, to be added as it is; None where none was."""
        given = self.given
        if self.causal or not isinstance(given, torch.Tensor) or not given.is_floating_point():
            return None
        return self._rows(example, start, stop, keys, given.device)

    def _rows(
        self, example: int, start: int, stop: int, keys: slice, device: torch.device
    ) -> Tensor | None:
        """The given mask's part for these rows: (1 or heads, 1 or rows, width)."""
        given = self.given
        if given is None:
            return None
        if hasattr(given, "mask_mod"):
            query = torch.arange(start, stop, device=device)[:, None]
            key = torch.arange(keys.start, keys.stop, device=device)[None, :]
            b, h = torch.tensor(example, device=device), torch.tensor(0, device=device)
            found: Tensor = given.mask_mod(b, h, query, key)
            return found.expand(stop - start, key.shape[1])[None]
        if given.ndim == 2:
            padding: Tensor = given[example, None, None, keys]
            return padding.bool()
        example = min(example, given.shape[0] - 1)
        if isinstance(given, LazyMask):
            return given.rows(start, stop, example)[0, ..., keys]
        one: Tensor = given[example]
        if one.ndim == 2:
            one = one[None]
        if one.shape[-2] > 1:
            one = one[:, start:stop]
        if one.shape[-1] == 1:
            return one.expand(*one.shape[:-1], keys.stop - keys.start)
        return one[..., keys]


def some(cells: Tensor, dim: int) -> Tensor:
    """`cells.any(dim)` of boolean cells, many times as fast on a CPU."""
    return cells.view(torch.uint8).amax(dim).bool()


def bars(allowed: Tensor, dtype: torch.dtype) -> Tensor:
    """What is added to scores so that only the allowed keys have weight: 0, or the lowest number.

    To add it is far faster on a CPU than to fill the scores of all heads.
    """
    zeros = torch.zeros(allowed.shape, dtype=dtype, device=allowed.device)
    return zeros.masked_fill_(~allowed, lowest(dtype))


def lowest(dtype: torch.dtype) -> float:
    """The most negative finite number of a dtype."""
    return float(torch.finfo(dtype).min)
