"""Scores of where a head's keys stand from its queries: how far, and at which tokens.

Sources: Vig & Belinkov 2019, arXiv 1906.04284 (docs/metrics.md, position), the detection patterns
of TransformerLens (docs/metrics.md, copies) and StreamingLLM, Xiao et al. 2023, arXiv 2309.17453
(docs/metrics.md, windows).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from attnviz.metrics.queries import Queries
from attnviz.metrics.registry import measures

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from attnviz.attention.axis import Axis
    from attnviz.observe.blocks import Accumulator, RowBlock, Site

WINDOW = 4  # keys nearer than this are local: the query itself and three on each side
SINKS = 4  # this many first keys are what streaming attention keeps beside the window
NAMES = ("distance", "offset", "local", "streaming", "duplicate", "induction")


@measures()
@dataclass(frozen=True)
class Targets:
    """Scores `distance`, `offset`, `local`, `streaming`, `duplicate` and `induction`, (heads,).

    All are NaN in cross stacks, and where queries and keys are not one sequence. Positions count
    tokens from the first that is not padding.

    `distance` is the mean of |key − query| and `offset` the mean of key − query (negative: looks
    back), in tokens, weighted by the attention of all counted queries, so that what learned sinks
    take does not shorten them. The others are shares of a row in [0, 1]:

    - `local`: the keys nearer than WINDOW, on both sides.
    - `streaming`: those and the first SINKS keys, over queries at SINKS + WINDOW or later, the
      first for which that is not everything before them.
    - `duplicate`: the earlier copies of the query's token.
    - `induction`: the tokens that followed those copies (the query itself when it follows one).

    The last two average over the queries that may look at such a key; NaN when there is none.
    Special tokens, and positions whose id is not known, are no copies and no targets.
    """

    passes: int = 1

    def start(self, site: Site, device: torch.device) -> Accumulator:
        """See Observer."""
        return _Targets(site, device)


class _Targets:
    def __init__(self, site: Site, device: torch.device) -> None:
        self.site, self.queries = site, Queries.of(site, device)
        self.position = torch.arange(len(site.keys), device=device)
        self.copies = Copies(site.keys, device)
        self.targets = self.queries.real_keys & ~self.queries.special
        self.exact = torch.float32 if device.type == "mps" else torch.float64
        nothing = torch.zeros(len(site.heads), dtype=self.exact, device=device)
        self.totals = {name: nothing.clone() for name in NAMES}
        self.mass = torch.zeros(len(site.heads), dtype=torch.float32, device=device)
        self.rows = {
            name: torch.zeros((), dtype=torch.float32, device=device) for name in NAMES[2:]
        }

    def update(self, block: RowBlock, step: int) -> None:
        rows = self.queries.rows(block)
        if not self.site.one_sequence or not bool(rows.any()):
            return
        weights, mass = block.weights, block.row_sums
        if not bool(rows.all()):
            weights, mass = weights[:, rows], mass[:, rows]
        query = self.position[block.start : block.stop][rows]
        self.mass += mass.sum(dim=1)
        self._distances(weights, mass, query, block, rows)
        self._windows(weights, query, block)
        self._copies(weights, query, block)

    def _distances(
        self, weights: Tensor, mass: Tensor, query: Tensor, block: RowBlock, rows: Tensor
    ) -> None:
        """Positions count from the block's first row; offsets cancel, and are summed exactly."""
        key = (self.position[block.keys] - block.start).to(self.exact)
        query = (query - block.start).to(self.exact)
        sums, mass = block.column_sums(rows).to(self.exact), mass.to(self.exact)
        offset = sums @ key - mass @ query
        self.totals["offset"] += offset
        if self.site.causal:
            self.totals["distance"] -= offset
        else:
            far = (key - query[:, None]).abs().float()
            self.totals["distance"] += (weights * far).sum(dim=2).sum(dim=1)

    def _windows(self, weights: Tensor, query: Tensor, block: RowBlock) -> None:
        """Only the columns that are near some row of the block, and the first ones, are read."""
        around = slice(
            max(0, block.start - WINDOW + 1 - block.first),
            max(0, block.stop + WINDOW - 1 - block.first),
        )
        key = self.position[block.keys][around]
        near = (key - query[:, None]).abs() < WINDOW  # (rows, near columns)
        local = (weights[..., around] * near).sum(dim=-1)  # (heads, rows)
        first = self.queries.first
        sinks = weights[..., max(0, first - block.first) : max(0, first + SINKS - block.first)]
        late = query - first >= SINKS + WINDOW
        self.totals["local"] += local.sum(dim=1)
        self.totals["streaming"] += ((local + sinks.sum(dim=-1)) * late).sum(dim=1)
        self.rows["local"] += len(query)
        self.rows["streaming"] += late.sum()

    def _copies(self, weights: Tensor, query: Tensor, block: RowBlock) -> None:
        """Copies of a token are few: their cells are picked out, and those one key further on."""
        row, key = self.copies.before(query)
        for name, at in (("duplicate", key), ("induction", key + 1)):
            target, at = self.targets[at], at - block.first
            inside = target & (at >= 0) & (at < weights.shape[-1])
            hit, at = row[inside], at[inside]
            reach = block.allowed[query[hit] - block.start, at]
            hit, at = hit[reach], at[reach]
            self.totals[name] += weights[:, hit, at].sum(dim=1)
            self.rows[name] += torch.bincount(hit).count_nonzero()

    def result(self) -> Mapping[str, Tensor]:
        counts: dict[str, Tensor] = {"distance": self.mass, "offset": self.mass, **self.rows}
        means = {name: total / counts[name] for name, total in self.totals.items()}
        if not self.site.one_sequence:
            means = {name: total.fill_(math.nan) for name, total in means.items()}
        return {f"score.{name}": mean.float() for name, mean in means.items()}


class Copies:
    """Where the tokens of a sequence stood before. Special tokens, padding and those without an id
    are copies of none.
    """

    def __init__(self, axis: Axis, device: torch.device) -> None:
        ids = zip(axis.ids, axis.special, axis.padding, strict=True)
        known = [-1 if special or padded else one for one, special, padded in ids]
        own = torch.tensor(known, dtype=torch.int64, device=device)
        values, self.order = own.sort(stable=True)  # equal tokens together, in their order
        self.group = torch.searchsorted(values, own)  # where in that order a token's copies begin
        place = torch.empty_like(own)
        place[self.order] = torch.arange(len(own), device=device)
        self.count = (place - self.group).masked_fill(own < 0, 0)  # of those before it

    def before(self, query: Tensor) -> tuple[Tensor, Tensor]:
        """Pairs of a place in `query`, int64 (rows,), and the position of an earlier copy."""
        counts = self.count[query]
        row = torch.repeat_interleave(counts)
        first = self.group[query] - (counts.cumsum(0) - counts)
        return row, self.order[first[row] + torch.arange(len(row), device=row.device)]
