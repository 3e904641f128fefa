"""Masks under SDPA whose rows are made when they are asked for, and never stand in memory."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch.utils._pytree import tree_map_only

from attnviz.observe.masks.chunked import attend

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

LAZY_CELLS = 1 << 26  # as a boolean tensor 64 MiB: one text of 8,192 tokens
NEEDED = {"batch_size", "q_length", "kv_length", "mask_function"}
ALWAYS = {"allow_is_causal_skip": False, "allow_is_bidirectional_skip": False}
ALIASES = (torch.ops.aten.alias.default, torch.ops.aten.detach.default)
STORAGE = "numpy tolist data_ptr untyped_storage __array__ __dlpack__ __reduce_ex__"
UNDISPATCHED = [getattr(torch.Tensor, name) for name in STORAGE.split()]


@dataclass
class MaskRows:
    """The library's mask function and its arguments; `taken` once somebody took the whole mask.

    From then on that is the mask, since it may be changed in place.
    """

    make: Callable[..., Any]
    asked: Mapping[str, Any]
    taken: Tensor | None = None

    def whole(self) -> Tensor:
        """bool (examples, 1, queries, keys), in memory from now on."""
        if self.taken is None:
            self.taken = self.make(**self.asked)
        taken: Tensor = self.taken
        return taken

    def rows(self, start: int, stop: int, example: int | None = None) -> Tensor:
        """bool (examples or 1, 1, stop - start, keys)."""
        if self.taken is not None:
            examples = slice(None) if example is None else slice(example, example + 1)
            return self.taken[examples, :, start:stop]
        asked = dict(self.asked) if example is None else self._of(example)
        asked |= {"q_length": stop - start, "q_offset": asked.get("q_offset", 0) + start}
        rows: Tensor = self.make(**asked | ALWAYS)
        return rows

    def _of(self, example: int) -> dict[str, Any]:
        function, padding = self.asked["mask_function"], self.asked.get("attention_mask")
        return {
            **self.asked,
            "batch_size": 1,
            "mask_function": lambda b, h, q, k: function(b + example, h, q, k),
            "attention_mask": None if padding is None else padding[example : example + 1],
        }


class LazyMask(torch.Tensor):
    """A boolean mask (examples, 1, queries, keys) without storage.

    SDPA takes its rows chunk by chunk. To any other operation it is the ordinary mask, which is
    made then.
    """

    made: MaskRows

    def __new__(cls, made: MaskRows, shape: torch.Size, device: torch.device) -> LazyMask:
        """A tensor that stands for the mask."""
        mask = torch.Tensor._make_wrapper_subclass(cls, shape, dtype=torch.bool, device=device)
        mask.made = made
        return mask

    def whole(self) -> Tensor:
        """The ordinary mask."""
        return self.made.whole()

    def rows(self, start: int, stop: int, example: int | None = None) -> Tensor:
        """bool (examples, 1, rows, keys), or of one example."""
        return self.made.rows(start, stop, example)

    def __repr__(self) -> str:  # type: ignore[override]
        return f"LazyMask(shape={tuple(self.shape)}, device={self.device})"

    def __deepcopy__(self, memo: object) -> LazyMask:
        taken = self.made.taken
        copy = replace(self.made, taken=None if taken is None else taken.clone())
        return LazyMask(copy, self.shape, self.device)

    @classmethod
    def __torch_function__(
        cls, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is F.scaled_dot_product_attention:
            return attend(*args, **(kwargs or {}))
        with torch._C.DisableTorchFunctionSubclass():
            return func(*(ordinary(args) if func in UNDISPATCHED else args), **(kwargs or {}))

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func in ALIASES:
            return LazyMask(args[0].made, args[0].shape, args[0].device)
        return func(*ordinary(args), **ordinary(kwargs or {}))


def ordinary(values: Any) -> Any:
    """Arguments with the whole of every lazy mask."""
    return tree_map_only(LazyMask, LazyMask.whole, values)


def lazily(
    make: Callable[..., Tensor | None], observing: Callable[[], bool]
) -> Callable[..., Tensor | None]:
    """The mask function `make`, whose masks are lazy where they are long while `observing`."""

    @functools.wraps(make)
    def mask(*args: Any, **asked: Any) -> Tensor | None:
        if torch.compiler.is_compiling() or args or not observing() or not is_long(asked):
            return make(*args, **asked)
        # The lengths and the padding decide whether there is a mask at all.
        blank = make(**asked | {"mask_function": everywhere, "use_vmap": False})
        return None if blank is None else LazyMask(MaskRows(make, asked), blank.shape, blank.device)

    return mask


def is_long(asked: Mapping[str, Any]) -> bool:
    """Whether a mask for SDPA on a CPU is asked for, of a size that should not be in memory."""
    if not asked.keys() >= NEEDED:
        return False
    cells = asked["batch_size"] * asked["q_length"] * asked["kv_length"]
    fused = getattr(asked.get("config"), "_attn_implementation", None) == "sdpa"
    return fused and torch.device(asked.get("device", "cpu")).type == "cpu" and cells >= LAZY_CELLS


def everywhere(b: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
    """True for all cells, as one."""
    return q.new_ones((1, 1, 1, 1), dtype=torch.bool)
