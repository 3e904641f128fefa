"""Scores of what a head moves: attention weighted by the length of what stands behind the keys.

Source: Kobayashi et al. 2020, arXiv 2004.10102 (docs/metrics.md, values; the normalised form is of
CircuitsVis). Both are defined there for each pair of query and key; a head's score is the sum over
keys, averaged over queries: a head that rests on a sink whose value is next to nothing has a low
one, however large its weights.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from attnviz.metrics.queries import Queries
from attnviz.metrics.registry import measures
from attnviz.observe.blocks import NORM

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from attnviz.observe.blocks import Accumulator, RowBlock, Site


@measures()
@dataclass(frozen=True)
class ValueWeighted:
    """Scores `value_weighted` and `norm`, (heads,), NaN where the values were not seen.

    `value_weighted`, 0 to 1: the mean over the counted queries of Σ_j A_ij ‖v_j‖ / max ‖v‖, the
    largest over the keys that are not padding. `norm`, from 0, in the units of the layer's output:
    the mean of Σ_j A_ij ‖v_j W_O‖, the most that the head can write, since the parts may cancel;
    NaN where no output projection was found.
    """

    passes: int = 1

    def start(self, site: Site, device: torch.device) -> Accumulator:
        """See Observer."""
        return _ValueWeighted(site, device)


class _ValueWeighted:
    def __init__(self, site: Site, device: torch.device) -> None:
        self.site, self.queries = site, Queries.of(site, device)
        self.columns = torch.zeros(
            len(site.heads), len(site.keys), dtype=torch.float32, device=device
        )

    def update(self, block: RowBlock, step: int) -> None:
        rows = self.queries.rows(block)
        if self.site.values is not None and bool(rows.any()):
            self.columns[:, block.keys] += block.column_sums(rows)

    def result(self) -> Mapping[str, Tensor]:
        nothing = self.columns.new_full((len(self.columns),), math.nan)
        out = {"score.value_weighted": nothing, NORM: nothing.clone()}
        if self.site.values is None:
            return out
        received = self.columns / self.queries.counted.sum()  # (heads, keys)
        lengths = self._of_real_keys(self.site.values.lengths())
        out["score.value_weighted"] = (received * lengths).sum(dim=1) / lengths.amax(dim=1)
        written = self.site.values.written()
        if written is not None:
            out[NORM] = (received * self._of_real_keys(written)).sum(dim=1)
        return out

    def _of_real_keys(self, lengths: Tensor) -> Tensor:
        return lengths.masked_fill(~self.queries.real_keys, 0)
