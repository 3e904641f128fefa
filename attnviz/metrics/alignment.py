"""Scores of cross attention: does the head align target and source?

They run over the source keys without the special ones (docs/metrics.md, two texts), and are ours
but for coverage (Wu et al. 2016, arXiv 1609.08144, section 7; Tu et al. 2016, arXiv 1601.04811). An
alignment head is high in all three.
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

    from attnviz.observe.blocks import Accumulator, RowBlock, Site

NAMES = ("monotonicity", "coverage", "sharpness")
SPREAD = 1e-3  # below this standard deviation, in tokens, attention does not move


@measures()
@dataclass(frozen=True)
class Alignment:
    """Scores `monotonicity`, `coverage` and `sharpness`, (heads,), NaN outside cross stacks.

    They run over the counted queries and the keys that are neither special nor padding.

    - `monotonicity`, −1 to 1: the correlation of query and key position, every cell counting by
      its weight. 1 on a diagonal, −1 on a reversed one, 0 where the key says nothing of the query
      and for a head that looks at one key, or from one query.
    - `coverage`, 0 to 1: the sum over keys of min(1, weight received from all queries), out of
      the most that it can be, the smaller of the numbers of queries and of keys.
    - `sharpness`, 0 to 1: 1 − entropy / ln keys, the mean over queries, on rows renormalised over
      these keys; a query that gives them nothing is left out. NaN with fewer than two keys.
    """

    passes: int = 1

    def start(self, site: Site, device: torch.device) -> Accumulator:
        """See Observer."""
        return _Alignment(site, device)


class _Alignment:
    def __init__(self, site: Site, device: torch.device) -> None:
        self.site, self.queries = site, Queries.of(site, device)
        heads = len(site.heads)
        self.keys = self.queries.real_keys & ~self.queries.special
        self.count = int(self.keys.sum())
        self.position = torch.arange(len(site.queries), device=device)
        self.received = torch.zeros(heads, self.count, dtype=torch.float32, device=device)
        self.given: list[Tensor] = []  # (heads, rows): weight on these keys
        self.moment: list[Tensor] = []  # (heads, rows): weight × key position
        self.asking: list[Tensor] = []  # (rows,): query positions
        self.sharpness = torch.zeros(heads, dtype=torch.float32, device=device)
        self.sharp_rows = torch.zeros(heads, dtype=torch.float32, device=device)

    def update(self, block: RowBlock, step: int) -> None:
        rows = self.queries.rows(block)
        if not self.site.cross or not self.count or not bool(rows.any()):
            return
        keys = self.keys[block.keys]
        weights = block.weights
        if not bool(rows.all()):
            weights = weights[:, rows]
        if not bool(keys.all()):
            weights = weights[..., keys]
        first = int(self.keys[: block.first].sum())
        own = slice(first, first + weights.shape[-1])
        given = weights.sum(dim=-1)  # (heads, rows)
        self.given.append(given)
        self.moment.append(weights @ self._centred()[own])
        self.asking.append(self.position[block.start : block.stop][rows])
        self.received[:, own] += weights.sum(dim=1)
        if self.count > 1:
            self._sharpen(weights, given)

    def _sharpen(self, weights: Tensor, given: Tensor) -> None:
        some = given > 0
        whole = given.masked_fill(~some, 1)[..., None]
        entropy = torch.special.entr(weights / whole).sum(dim=-1)  # (heads, rows)
        self.sharpness += ((1 - entropy / math.log(self.count)) * some).sum(dim=1)
        self.sharp_rows += some.sum(dim=1)

    def _centred(self) -> Tensor:
        """float32 (count,): places among these keys, counted from their middle."""
        place = torch.arange(self.count, device=self.keys.device, dtype=torch.float32)
        return place - (self.count - 1) / 2

    def _correlation(self) -> Tensor:
        """(heads,): of query and key position, under the head's weights as a distribution."""
        given, query = torch.cat(self.given, dim=1), torch.cat(self.asking).float()
        key, total = self._centred(), given.sum(dim=1)
        query_off = query - ((given @ query) / total)[:, None]  # (heads, queries)
        key_mean = (self.received @ key) / total
        key_off = key - key_mean[:, None]  # (heads, keys)
        query_var = (given * query_off**2).sum(dim=1) / total
        key_var = (self.received * key_off**2).sum(dim=1) / total
        moment = torch.cat(self.moment, dim=1) - key_mean[:, None] * given
        shared = (moment * query_off).sum(dim=1) / total
        still = torch.minimum(query_var, key_var) < SPREAD**2
        found = shared / (query_var * key_var).sqrt()
        return found.clamp(-1, 1).masked_fill(still, 0)

    def result(self) -> Mapping[str, Tensor]:
        nothing = torch.full(
            (len(self.site.heads),), math.nan, dtype=torch.float32, device=self.keys.device
        )
        if not self.given:
            return {f"score.{name}": nothing for name in NAMES}
        most = min(self.count, sum(len(rows) for rows in self.asking))
        found = {
            "monotonicity": self._correlation(),
            "coverage": self.received.clamp_max(1).sum(dim=1) / most,
            "sharpness": self.sharpness / self.sharp_rows,
        }
        return {f"score.{name}": value for name, value in found.items()}
