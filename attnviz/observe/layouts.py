"""Windowed attention made dense: softmaxes over a band or over neighbouring blocks.

Longformer and LED compute (examples, queries, heads, window + 1), column c of query i being key
i + c − window / 2. LongT5 computes (examples, blocks, heads, length, 3 · length), column c of block
b being key (b − 1) · length + c; further columns are summaries of blocks, which are no tokens.
Both pad the sequence to whole windows.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from torch import Tensor

Dense = tuple[tuple[int, int, int], "Callable[[], Tensor]"]


def windowed(
    weights: Tensor, examples: int, heads: Collection[int], lengths: Iterable[int]
) -> Dense | None:
    """The shape (heads, queries, keys) of a windowed softmax and a function that makes it dense.

    None when the tensor is in neither layout, for any of these numbers of heads and lengths.
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
        fits = [n for n in lengths if rows - width < n <= rows]
        make = _band
    else:
        return None
    if not fits:
        return None
    size = max(fits)
    return (count, size, size), functools.partial(make, weights, size)


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
