"""Windowed attention made dense: softmaxes over a band or over neighbouring blocks.

Longformer and LED compute (examples, queries, heads, window + 1), column c of query i being key
i + c − window / 2. LongT5 computes (examples, blocks, heads, length, 3 · length), column c of block
b being key (b − 1) · length + c; further columns are summaries of blocks, which are no tokens.
Both pad the sequence to whole windows.

Where Longformer and LED have tokens with global attention, x at most in an example, x columns in
front of the band are these tokens as keys, in their order, and a second softmax (examples · heads,
x, keys) holds the rows of these tokens as queries; their rows of the band are not used.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from torch import Tensor, nn

Dense = tuple[tuple[int, int, int], "Callable[[], Tensor]"]


def windowed(
    weights: Tensor,
    examples: int,
    heads: Collection[int],
    lengths: Iterable[int],
    half: int | None = None,
) -> Dense | None:
    """The shape (heads, queries, keys) of a windowed softmax and a function that makes it dense.

    None when the tensor is in neither layout, for any of these numbers of heads and lengths.
    `half` is the window's, on one side, where the module tells it: then the sequence may be padded
    to the larger window of another layer.
    """
    if weights.shape[0] != examples:
        return None
    shape = tuple(weights.shape)
    if len(shape) == 5 and shape[2] in heads and shape[4] >= 3 * shape[3]:
        _, blocks, count, length, _ = shape
        fits = [n for n in lengths if (blocks - 1) * length < n <= blocks * length]
        make: Callable[[Tensor, int], Tensor] = _neighbours
    elif len(shape) == 4 and shape[2] in heads and shape[3] % 2:
        _, rows, count, width = shape
        most = rows if width == 2 * (half or 0) + 1 else width
        fits = [n for n in lengths if rows - most < n <= rows]
        make = _band
    else:
        return None
    if not fits:
        return None
    size = max(fits)
    return (count, size, size), functools.partial(make, weights, size)


def half_window(module: nn.Module) -> int | None:
    """How far a module looks on one side, where it tells."""
    half: int | None = getattr(module, "one_sided_attn_window_size", None)
    return half


@dataclass(frozen=True)
class BandWithGlobals:
    """A band behind the columns of global keys, until the rows of the global queries are known.

    `weights`: (examples, rows, heads, x + 2 · half + 1). `are_global`: bool (examples, rows).
    """

    weights: Tensor
    are_global: Tensor
    half: int

    @staticmethod
    def of(weights: Tensor, module: nn.Module, named: Mapping[str, Any]) -> BandWithGlobals | None:
        """The band that this module, called with these arguments, makes; None when it is none."""
        half, are_global = half_window(module), named.get("is_index_global_attn")
        if half is None or not isinstance(are_global, torch.Tensor) or not bool(are_global.any()):
            return None
        count = int(are_global.sum(dim=1).max())
        fits = weights.shape[3] == count + 2 * half + 1 and weights.shape[:2] == are_global.shape
        return BandWithGlobals(weights, are_global, half) if fits else None

    def takes(self, rows: Tensor) -> bool:
        """Whether these are the rows of its global queries."""
        examples, keys, heads, width = self.weights.shape
        return tuple(rows.shape) == (examples * heads, width - 2 * self.half - 1, keys)

    def dense(self, rows: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """The map (examples, heads, size, size), and bool (examples, size, size), where it may
        look: inside the window, and where query or key is global.
        """
        examples, _, heads, width = self.weights.shape
        count = width - 2 * self.half - 1
        out = _band(self.weights[..., count:], size)
        rows = rows.view(examples, heads, count, -1)[..., :size]
        place = torch.arange(size, device=out.device)
        open_ = ((place[:, None] - place).abs() <= self.half).repeat(examples, 1, 1)
        for example, flags in enumerate(self.are_global[:, :size]):
            at = flags.nonzero().flatten()
            columns = self.weights[example, :size, :, : len(at)]  # (queries, heads, globals)
            out[example][..., at] += columns.transpose(0, 1)
            out[example][:, at] = rows[example, :, : len(at)].to(out.dtype)
            open_[example] |= flags[:, None] | flags[None]
        return out, open_


def _band(weights: Tensor, size: int) -> Tensor:
    rows, width = weights.shape[1], weights.shape[3]
    start = torch.arange(rows, device=weights.device) - width // 2
    return _scatter(weights.transpose(1, 2), start, size)


def _neighbours(weights: Tensor, size: int) -> Tensor:
    blocks, length = weights.shape[1], weights.shape[3]
    near = weights[..., : 3 * length].transpose(1, 2).flatten(2, 3)
    block = torch.arange(blocks, device=weights.device).repeat_interleave(length)
    return _scatter(near, (block - 1) * length, size)


def _scatter(band: Tensor, start: Tensor, size: int) -> Tensor:
    """(examples, heads, size, size) from rows of consecutive keys that begin at `start`."""
    band, start = band[:, :, :size], start[:size]
    keys = start[:, None] + torch.arange(band.shape[-1], device=band.device)  # (queries, width)
    inside = (keys >= 0) & (keys < size)
    dense = band.new_zeros(*band.shape[:3], size)
    index = keys.clamp(0, size - 1).expand(band.shape)
    return dense.scatter_add(-1, index, band * inside)
