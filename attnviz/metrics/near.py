"""Cells near the diagonal of a map: those of a few offsets between query and key."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from attnviz.observe.blocks import RowBlock, Site

Cells = tuple["Tensor", "Tensor", "Tensor"]


class Near:
    """The sums and counts of the cells at some offsets, query − key; of none where queries and keys
    are not one sequence.
    """

    def __init__(self, site: Site, offsets: Sequence[int], device: torch.device) -> None:
        self.offsets = torch.tensor(offsets, device=device)
        self.none = not site.one_sequence
        self.sums = torch.zeros(len(site.heads), len(offsets), dtype=torch.float32, device=device)
        self.counts = torch.zeros(len(offsets), dtype=torch.float32, device=device)

    def cells(self, block: RowBlock) -> Cells:
        """The cells of a block: row and key in it, which offset; each int64 (cells,)."""
        rows = torch.arange(0 if self.none else block.stop - block.start, device=self.counts.device)
        keys = rows[:, None] + (block.start - block.first) - self.offsets
        row, which = ((keys >= 0) & (keys < block.weights.shape[-1])).nonzero(as_tuple=True)
        return row, keys[row, which], which

    def add(self, block: RowBlock, allowed: Tensor) -> None:
        """Take the cells of a block where `allowed`, bool (rows, width), is true."""
        row, key, which = self.cells(block)
        wanted = allowed[row, key]
        row, key, which = row[wanted], key[wanted], which[wanted]
        self.sums.index_add_(1, which, block.weights[:, row, key])
        self.counts += torch.bincount(which, minlength=len(self.counts))

    def means(self) -> Tensor:
        """float32 (offsets, heads): the mean weight at each offset, NaN where it has no cell."""
        return self.sums.T / self.counts.masked_fill(self.counts == 0, math.nan)[:, None]

    def means_without(self, weights: Tensor, which: Tensor) -> Tensor:
        """float32 (heads, cells): the mean of the other cells at the offset of each of these."""
        return (self.sums[:, which] - weights) / (self.counts[which] - 1).clamp_min(1)
