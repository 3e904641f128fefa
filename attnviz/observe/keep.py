"""Observers that keep maps: whole, pooled, or the heaviest keys of every query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from attnviz.observe.plan import POOLED_SIDE, TOP_KEYS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from attnviz.attention.axis import Axis
    from attnviz.attention.rows import Accumulator, RowBlock, Site


@dataclass(frozen=True)
class WholeMaps:
    """Keeps `weights`, float32 (heads, queries, keys), in main memory."""

    passes: int = 1

    def start(self, site: Site, device: torch.device) -> Accumulator:
        """See Observer."""
        return _Whole(site)


class _Whole:
    def __init__(self, site: Site) -> None:
        shape = (len(site.heads), len(site.queries), len(site.keys))
        self.maps = np.zeros(shape, np.float32)
        self.allowed = np.zeros(shape[1:], bool)

    def update(self, block: RowBlock, step: int) -> None:
        width = block.weights.shape[-1]
        self.maps[:, block.start : block.stop, :width] = block.weights.cpu().numpy()
        self.allowed[block.start : block.stop, :width] = block.allowed.cpu().numpy()

    def result(self) -> Mapping[str, np.ndarray]:
        return {"weights": self.maps, "allowed": self.allowed}


@dataclass(frozen=True)
class WindowMaps:
    """Keeps `window`, float32 (heads, rows, columns): the weights of some queries and keys that
    follow each other, `window_allowed`, bool (rows, columns), and `window_at`, the first of each.
    """

    rows: range
    columns: range
    passes: int = 1

    def start(self, site: Site, device: torch.device) -> Accumulator:
        """See Observer."""
        return _Window(len(site.heads), self.rows, self.columns)


class _Window:
    def __init__(self, heads: int, rows: range, columns: range) -> None:
        self.rows, self.columns = rows, columns
        self.maps = np.zeros((heads, len(rows), len(columns)), np.float32)
        self.allowed = np.zeros(self.maps.shape[1:], bool)

    def update(self, block: RowBlock, step: int) -> None:
        first, last = max(block.start, self.rows.start), min(block.stop, self.rows.stop)
        left, right = self.columns.start, min(self.columns.stop, block.weights.shape[-1])
        if first >= last or left >= right:
            return
        there = slice(first - self.rows.start, last - self.rows.start), slice(0, right - left)
        here = slice(first - block.start, last - block.start), slice(left, right)
        self.maps[:, *there] = block.weights[:, *here].cpu().numpy()
        self.allowed[there] = block.allowed[here].cpu().numpy()

    def result(self) -> Mapping[str, np.ndarray]:
        at = np.array([self.rows.start, self.columns.start], np.int64)
        return {"window": self.maps, "window_allowed": self.allowed, "window_at": at}


@dataclass(frozen=True)
class PooledMaps:
    """Keeps `pooled`, float32 (heads, query bins, key bins) with at most `side` bins a side.

    A cell is the share of its attention that a query of the bin gives to the keys of the bin, on
    average: rows sum to what the rows of the map sum to (METRICS.md 8.4, mass). Bins run over the
    positions that are not padding. Rows without a finite weight count as empty.
    """

    side: int = POOLED_SIDE[1]
    passes: int = 1

    def start(self, site: Site, device: torch.device) -> Accumulator:
        """See Observer."""
        return _Pooled(site, self.side, device)


class _Pooled:
    def __init__(self, site: Site, side: int, device: torch.device) -> None:
        self.rows, self.columns = (bins(axis, side, device) for axis in (site.queries, site.keys))
        height, width = int(self.rows.max()) + 1, int(self.columns.max()) + 1
        self.real_keys = self.columns >= 0
        self.sums = torch.zeros(len(site.heads), height, width, device=device)

    def update(self, block: RowBlock, step: int) -> None:
        weights = block.weights if block.finite else block.weights.nan_to_num()
        bin_of = self.rows[block.start : block.stop]
        real = bin_of[bin_of >= 0]
        if not len(real):
            return
        first, last = int(real[0]), int(real[-1]) + 1
        member = bin_of == torch.arange(first, last, device=bin_of.device)[:, None]
        rows = member.float() @ weights  # (heads, row bins, width)
        width = weights.shape[-1]
        rows.mul_(self.real_keys[:width])
        columns = self.columns[:width].clamp_min(0).expand_as(rows)
        self.sums[:, first:last].scatter_add_(2, columns, rows)

    def result(self) -> Mapping[str, Tensor]:
        counts = torch.bincount(self.rows[self.rows >= 0], minlength=self.sums.shape[1])
        return {"pooled": self.sums / counts.clamp_min(1)[None, :, None]}


def bins(axis: Axis, side: int, device: torch.device) -> Tensor:
    """The bin of each position, as even as can be in at most `side` bins; −1 for padding."""
    out = torch.full((len(axis),), -1, device=device)
    side = min(side, axis.real)
    own = torch.arange(axis.real, device=device) * side // axis.real
    out[axis.first : axis.first + axis.real] = own
    return out


@dataclass(frozen=True)
class TopKeys:
    """Keeps `top_keys` int32 and `top_weights` float32, (heads, queries, count), heaviest first."""

    count: int = TOP_KEYS[1]
    passes: int = 1

    def start(self, site: Site, device: torch.device) -> Accumulator:
        """See Observer."""
        return _Top(site, min(self.count, site.keys.real), device)


class _Top:
    def __init__(self, site: Site, count: int, device: torch.device) -> None:
        shape = (len(site.heads), len(site.queries), count)
        self.keys = torch.full(shape, -1, dtype=torch.int32, device=device)
        self.weights = torch.zeros(shape, device=device)

    def update(self, block: RowBlock, step: int) -> None:
        count = min(self.keys.shape[-1], block.weights.shape[-1])
        found = block.weights.topk(count, dim=-1)
        self.weights[:, block.start : block.stop, :count] = found.values
        self.keys[:, block.start : block.stop, :count] = found.indices.to(torch.int32)

    def result(self) -> Mapping[str, Tensor]:
        return {"top_keys": self.keys, "top_weights": self.weights}
