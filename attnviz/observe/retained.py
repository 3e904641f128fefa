"""Observers that keep maps: whole, pooled, or the heaviest keys of every query."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from attnviz.attention.axis import Axis
    from attnviz.observe.blocks import Accumulator, RowBlock, Site

POOLED_SIDE = (16, 256)  # least and most bins along each side of a pooled map
TOP_KEYS = (3, 8)  # least and most keys kept of every query of a pooled map
STRAND = 16  # places of a long row that are looked at together
LONG = 32  # strands for every key that is sought: below, sorting the row itself is faster


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
        rows = slice(block.start, block.stop)
        self.maps[:, rows, block.keys] = block.weights.cpu().numpy()
        self.allowed[rows, block.keys] = block.allowed.cpu().numpy()

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
        left = max(block.keys.start, self.columns.start)
        right = min(block.keys.stop, self.columns.stop)
        if first >= last or left >= right:
            return
        there = within(first, last, self.rows.start), within(left, right, self.columns.start)
        here = within(first, last, block.start), within(left, right, block.first)
        self.maps[:, *there] = block.weights[:, *here].cpu().numpy()
        self.allowed[there] = block.allowed[here].cpu().numpy()

    def result(self) -> Mapping[str, np.ndarray]:
        at = np.array([self.rows.start, self.columns.start], np.int64)
        return {"window": self.maps, "window_allowed": self.allowed, "window_at": at}


def within(first: int, last: int, start: int) -> slice:
    """The places from `first` to `last`, counted from `start`."""
    return slice(first - start, last - start)


@dataclass(frozen=True)
class PooledMaps:
    """Keeps `pooled` and `pooled_max`, float32 (heads, query bins, key bins) with at most `side`
    bins a side, and `pooled_cells`, float32 (query bins, key bins): the cells that the mask allows.

    A cell of `pooled` is the share of its attention that a query of the bin gives to the keys of
    the bin, on average: rows sum to what the rows of the map sum to. One of `pooled_max` is the
    largest weight in it (docs/metrics.md, pooling). Bins run over the positions that are not
    padding. Rows without a finite weight count as empty.
    """

    side: int = POOLED_SIDE[1]
    passes: int = 1

    def start(self, site: Site, device: torch.device) -> Accumulator:
        """See Observer."""
        return _Pooled(site, self.side, device)


class _Pooled:
    def __init__(self, site: Site, side: int, device: torch.device) -> None:
        rows, columns = bins(site.queries, side, device), bins(site.keys, side, device)
        self.rows: list[int] = rows.tolist()
        self.counts = torch.bincount(rows[rows >= 0], minlength=1)
        self.real_keys, self.columns = columns >= 0, columns.clamp_min(0)
        shape = len(self.counts), int(columns.max()) + 1
        self.mass = torch.zeros(len(site.heads), *shape, dtype=torch.float32, device=device)
        self.most = torch.zeros(len(site.heads), *shape, dtype=torch.float32, device=device)
        self.cells = torch.zeros(shape, dtype=torch.float32, device=device)

    def update(self, block: RowBlock, step: int) -> None:
        """Neighbouring bins with as many rows each are pooled together."""
        weights = block.weights if block.finite else block.weights.nan_to_num()
        runs = groupby(self.rows[block.start : block.stop])
        sized = [(own, len([*same])) for own, same in runs]
        at = 0
        for (size, padding), group in groupby(sized, lambda one: (one[1], one[0] < 0)):
            found = [own for own, _ in group]
            rows = slice(at, at + size * len(found))
            at = rows.stop
            if not padding:
                here = slice(found[0], found[-1] + 1)
                self._add(here, weights[:, rows], block.allowed[rows], block.keys)

    def _add(self, bins: slice, weights: Tensor, allowed: Tensor, keys: slice) -> None:
        """These bins take the weights (heads, rows, width) of rows that they share evenly."""
        heads, rows, width = weights.shape
        count = bins.stop - bins.start
        real = self.real_keys[keys]
        index = self.columns[keys].expand(heads, count, width)
        parts = weights.reshape(heads, count, rows // count, width)
        self.mass[:, bins].scatter_add_(2, index, parts.sum(dim=2) * real)
        self.most[:, bins].scatter_reduce_(2, index, parts.amax(dim=2) * real, "amax")
        cells = allowed.reshape(count, rows // count, width).sum(dim=1) * real
        self.cells[bins].scatter_add_(1, index[0], cells.float())

    def result(self) -> Mapping[str, Tensor]:
        mass = self.mass / self.counts.clamp_min(1)[None, :, None]
        return {"pooled": mass, "pooled_max": self.most, "pooled_cells": self.cells}


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
        self.weights = torch.zeros(shape, dtype=torch.float32, device=device)

    def update(self, block: RowBlock, step: int) -> None:
        count = min(self.keys.shape[-1], block.weights.shape[-1])
        weights, keys = heaviest(block.weights, count)
        self.weights[:, block.start : block.stop, :count] = weights
        self.keys[:, block.start : block.stop, :count] = keys + block.first

    def result(self) -> Mapping[str, Tensor]:
        return {"top_keys": self.keys, "top_weights": self.weights}


def heaviest(weights: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The values and places of the `count` largest of every row, (…, count), heaviest first.

    Long rows are cut into strands, every n-th place one: the largest can only be in the strands
    with the largest maxima.
    """
    strands = weights.shape[-1] // STRAND
    if strands < LONG * count:
        return weights.topk(count, dim=-1)
    body = weights[..., : STRAND * strands].reshape(*weights.shape[:-1], STRAND, strands)
    best = body.amax(dim=-2).topk(count, dim=-1).indices  # (…, count)
    steps = torch.arange(STRAND, device=weights.device) * strands
    tail = torch.arange(STRAND * strands, weights.shape[-1], device=weights.device)
    places = (best[..., None] + steps).flatten(-2)
    places = torch.cat([places, tail.expand(*places.shape[:-1], -1)], dim=-1)
    found = weights.gather(-1, places).topk(count, dim=-1)
    return found.values, places.gather(-1, found.indices)
