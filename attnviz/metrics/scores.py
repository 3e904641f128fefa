"""Head scores: what each head does, as accumulators over row blocks.

Every score is a mean over the counted queries (see `queries`); docs/metrics.md defines it, and
names its source, under its own name.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import torch

from attnviz.metrics.near import Near
from attnviz.metrics.queries import Queries
from attnviz.metrics.registry import measures

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from attnviz.attention.axis import Axis
    from attnviz.observe.blocks import Accumulator, Cells, RowBlock, Site

NEAR = 4  # offsets up to this far count as a position that could explain the attention
OFFSETS = {"self": 0, "previous": 1, "next": -1}  # query − key


@measures()
@dataclass(frozen=True)
class Masses:
    """Scores `entropy`, `normalized_entropy`, `confidence`, `self`, `previous`, `next`, `first`,
    `special`, `punctuation` and `sink`, each (heads,), and what a picture needs beside them:
    `row_sums` (heads, queries) and `column_means` (heads, keys).

    `entropy` is in nats, on rows renormalised to sum 1; `normalized_entropy` divides each row's
    by ln of its allowed keys, and leaves out rows with one. `confidence` is the mean of each
    row's largest weight on a key that is not special (on any key when all are), so that a sink on
    a separator does not pass for an aim. It and the masses are shares of a row in [0, 1], of rows
    as they are; `self`, `previous` and `next` average over the queries for which the target
    exists, and are NaN where queries and keys are not one sequence, as in cross stacks. `sink` is
    the largest column mean. A column's mean runs over the counted queries that may look at it, and
    is NaN where fewer than half of them may.
    """

    passes: int = 1

    def start(self, site: Site, device: torch.device) -> Accumulator:
        """See Observer."""
        return _Masses(site, device)


class _Masses:
    def __init__(self, site: Site, device: torch.device) -> None:
        heads, keys = len(site.heads), len(site.keys)
        self.site, self.queries = site, Queries.of(site, device)
        self.row_sums = torch.zeros(heads, len(site.queries), dtype=torch.float32, device=device)
        self.entropy = torch.zeros(heads, dtype=torch.float32, device=device)
        self.relative = torch.zeros(heads, dtype=torch.float32, device=device)
        self.relative_rows = 0
        self.largest = torch.zeros(heads, dtype=torch.float32, device=device)
        self.aims = runs(keys_aimed_at(site.keys))
        self.near = Near(site, (*OFFSETS.values(),), device)
        self.columns = torch.zeros(heads, keys, dtype=torch.float32, device=device)
        self.looked = torch.zeros(keys, dtype=torch.float32, device=device)

    def update(self, block: RowBlock, step: int) -> None:
        rows, keys = self.queries.rows(block), block.keys
        self.row_sums[:, block.start : block.stop] = block.row_sums
        if not bool(rows.any()):
            return
        cells = block.of(rows, self.queries.real_keys)
        self._entropies(block, cells.of_rows)
        self.largest += largest(block, self.aims)[:, rows].sum(dim=1)
        self.columns[:, keys] += block.column_sums(rows)
        self.looked[keys] += cells.of_keys
        self.near.add(block, cells.chosen)

    def _entropies(self, block: RowBlock, keys: Tensor) -> None:
        """Those of the rows; `keys`, int64 (rows,), counts what each counted row may reach."""
        sums, rows = block.row_sums, self.queries.rows(block)
        whole = sums.masked_fill(sums <= 0, 1)  # a row that gives all to learned sinks
        entropy = whole.log() + block.row_entropies / whole  # (heads, rows)
        self.entropy += entropy[:, rows].sum(dim=1)
        several = keys > 1
        self.relative += (entropy[:, several] / keys[several].log()).sum(dim=1)
        self.relative_rows += int(several.sum())

    def result(self) -> Mapping[str, Tensor]:
        queries = self.queries
        rows = max(1, int(queries.counted.sum()))
        means = self.columns / rows
        per_query = self.columns / self.looked.clamp_min(1)
        seldom = self.looked < max(1, rows / 2)  # too few look there for a mean
        largest = per_query.masked_fill(seldom, 0).amax(dim=1)
        per_query[:, seldom] = math.nan
        out = {
            "entropy": self.entropy / rows,
            "normalized_entropy": self.relative / (self.relative_rows or math.nan),
            "confidence": self.largest / rows,
            "first": means[:, queries.first],
            "special": means[:, queries.special].sum(dim=1),
            "punctuation": means[:, queries.punctuation].sum(dim=1),
            "sink": largest,
        }
        out |= zip(OFFSETS, self.near.means(), strict=True)
        scores = {f"score.{name}": value for name, value in out.items()}
        return scores | {"row_sums": self.row_sums, "column_means": per_query}


@measures()
@dataclass(frozen=True)
class Content:
    """Score `content`: the attention that neither position nor a popular key explains.

    Of every weight, what exceeds the largest of: the column's mean over the other queries, the
    mean of the same offset (up to 4) over the other cells, and 1 / allowed keys; summed over the
    keys that are not the query itself, special or punctuation (nor the first token of causal
    stacks); averaged over the counted queries. Cross stacks have neither offsets nor a self; NaN in
    other stacks where queries and keys are not one sequence, since the query itself is not known.
    Also keeps `links` (queries, 4): head, key, weight and excess of each query's largest excess
    in any head of the layer, NaN where there is none (docs/metrics.md, content).
    """

    passes: int = 2

    def start(self, site: Site, device: torch.device) -> Accumulator:
        """See Observer."""
        return _Content(site, device)


class _Content:
    def __init__(self, site: Site, device: torch.device) -> None:
        heads, keys = len(site.heads), len(site.keys)
        self.site, self.queries = site, Queries.of(site, device)
        self.columns = torch.zeros(heads, keys, dtype=torch.float32, device=device)
        self.looked = torch.zeros(keys, dtype=torch.float32, device=device)
        self.near = Near(site, range(-NEAR, NEAR + 1), device)
        self.total = torch.zeros(heads, dtype=torch.float32, device=device)
        self.links = torch.full(
            (len(site.queries), 4), math.nan, dtype=torch.float32, device=device
        )
        self.eligible = self.queries.real_keys & ~self.queries.special & ~self.queries.punctuation
        if site.causal:
            self.eligible[self.queries.first] = False

    def update(self, block: RowBlock, step: int) -> None:
        real = self.queries.real[block.start : block.stop]
        cells = block.of(real, self.queries.real_keys)
        if step == 0:
            self._expect(block, cells, real)
        else:
            self._exceed(block, cells, real)

    def _expect(self, block: RowBlock, cells: Cells, real: Tensor) -> None:
        """First pass: the sums of every column and of the offsets near the diagonal."""
        self.columns[:, block.keys] += block.column_sums(real)
        self.looked[block.keys] += cells.of_keys
        self.near.add(block, cells.chosen)

    def _exceed(self, block: RowBlock, cells: Cells, real: Tensor) -> None:
        """Second pass: what each weight has beyond its expectation.

        That is the least of weight − expected over the three expectations, or 0. A key that is
        not eligible is one that is expected to get everything.
        """
        weights, keys = block.weights, block.keys
        others = (self.looked[keys] - 1).clamp_min(1)
        popular = self.columns[:, keys] / others
        popular.masked_fill_(~self.eligible[keys], math.inf)
        excess = torch.addcmul(-popular[:, None], weights, 1 + 1 / others)  # (heads, rows, width)
        floor = 1 / cells.of_rows.clamp_min(1)
        torch.minimum(excess, weights - floor[:, None], out=excess)
        row, key, which = self.near.cells(block)
        own = weights[:, row, key]
        over = own - self.near.means_without(own, which)
        over[:, self.near.offsets[which] == 0] = 0  # the query itself is not eligible
        excess[:, row, key] = torch.minimum(excess[:, row, key], over)
        excess.clamp_min_(0)
        if not bool(real.all()):
            excess.masked_fill_(~real[:, None], 0)
        self.total += excess.sum(dim=2) @ self.queries.rows(block).float()
        self.links[block.start : block.stop] = self._strongest(excess, block)

    def _strongest(self, excess: Tensor, block: RowBlock) -> Tensor:
        """(rows, 4): observed head, key, weight, excess of the largest excess of each row."""
        if not block.finite:  # a head of numbers that are none hides nothing of the others
            excess = excess.nan_to_num(0)
        value, key = excess.amax(dim=0).max(dim=1)
        row = torch.arange(len(key), device=excess.device)
        head = excess[:, row, key].argmax(dim=0)
        names = torch.tensor(self.site.heads, device=excess.device)
        weight = block.weights[head, row, key]
        link = torch.stack([names[head], key + block.first, weight, value], dim=1)
        return link.masked_fill((value <= 0)[:, None], math.nan)

    def result(self) -> Mapping[str, Tensor]:
        rows = max(1, int(self.queries.counted.sum()))
        if not (self.site.cross or self.site.one_sequence):
            self.total.fill_(math.nan)
            self.links.fill_(math.nan)
        return {"score.content": self.total / rows, "links": self.links}


def keys_aimed_at(axis: Axis) -> list[bool]:
    """Which keys are neither special nor padding; those that are not padding when none is."""
    real = [not padded for padded in axis.padding]
    plain = [one and not special for one, special in zip(real, axis.special, strict=True)]
    return plain if any(plain) else real


def runs(mask: Sequence[bool]) -> list[tuple[int, int]]:
    """Where the mask is true, as (start, stop) of each run."""
    out = []
    for value, group in groupby(range(len(mask)), key=mask.__getitem__):
        places = [*group]
        if value:
            out.append((places[0], places[-1] + 1))
    return out


def largest(block: RowBlock, ranges: Sequence[tuple[int, int]]) -> Tensor:
    """(heads, rows): the largest weight of each row in these ranges of keys, 0 where none is."""
    out = torch.zeros_like(block.row_sums)
    for start, stop in ranges:
        first, last = max(start, block.keys.start), min(stop, block.keys.stop)
        if (first, last) == (block.keys.start, block.keys.stop):
            return block.row_maxima
        if first < last:
            here = block.weights[..., first - block.first : last - block.first]
            out = torch.maximum(out, here.amax(dim=-1))
    return out
