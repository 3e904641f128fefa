"""Scores of the shape of a map: what its best columns and its best diagonals hold.

After vertical and slash heads (docs/metrics.md, shape; Jiang et al. 2024, arXiv 2407.02490),
both at an equal budget of cells, so that the two can be compared.
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

BUDGET = 0.1  # of the cells that the mask allows
LISTED = 8  # keys and offsets that are kept by name


@measures()
@dataclass(frozen=True)
class Structure:
    """Scores `vertical` and `slash`, (heads,), in [0, 1], and what they are made of:
    `heavy_keys` and `slashes`, float32 (heads, LISTED, 2): key, or query − key, and its share of
    the head's attention, heaviest first; NaN where there are fewer.

    `vertical` is the share of all attention that the heaviest columns hold that have a tenth of
    the allowed cells between them (one at least), `slash` that of the heaviest diagonals. They run
    over the counted queries. `slash` and `slashes` are NaN where queries and keys are not one
    sequence, as in cross stacks.
    """

    passes: int = 1

    def start(self, site: Site, device: torch.device) -> Accumulator:
        """See Observer."""
        return _Structure(site, device)


class _Structure:
    def __init__(self, site: Site, device: torch.device) -> None:
        heads, queries, keys = len(site.heads), len(site.queries), len(site.keys)
        self.queries, self.one_sequence = Queries.of(site, device), site.one_sequence
        self.columns = torch.zeros(heads, keys, dtype=torch.float32, device=device)
        self.column_cells = torch.zeros(keys, dtype=torch.float32, device=device)
        self.diagonals = torch.zeros(heads, queries + keys - 1, dtype=torch.float32, device=device)
        self.diagonal_cells = torch.zeros(queries + keys - 1, dtype=torch.float32, device=device)
        self.last = queries - 1  # query − key of diagonal d is last − d

    def update(self, block: RowBlock, step: int) -> None:
        rows, keys = self.queries.rows(block), block.keys
        if not bool(rows.any()):
            return
        found = block.of(rows, self.queries.real_keys)
        self.columns[:, keys] += block.column_sums(rows)
        self.column_cells[keys] += found.of_keys
        if not self.one_sequence:
            return
        weights = block.weights if bool(rows.all()) else block.weights * rows[:, None]
        sums, cells = diagonal_sums(weights), diagonal_sums(found.chosen.float()[None])[0]
        first = self.last - block.stop + 1 + block.first
        self.diagonals[:, first : first + len(cells)] += sums
        self.diagonal_cells[first : first + len(cells)] += cells

    def result(self) -> Mapping[str, Tensor]:
        offset = self.last - torch.arange(len(self.diagonal_cells), device=self.columns.device)
        key = torch.arange(len(self.column_cells), device=self.columns.device)
        out = {
            "score.vertical": best_share(self.columns, self.column_cells),
            "score.slash": best_share(self.diagonals, self.diagonal_cells),
            "heavy_keys": heaviest(self.columns, key),
            "slashes": heaviest(self.diagonals, offset),
        }
        if not self.one_sequence:
            for name in ("score.slash", "slashes"):
                out[name].fill_(math.nan)
        return out


def diagonal_sums(weights: Tensor) -> Tensor:
    """(heads, rows + width − 1): the sums of the diagonals of (heads, rows, width), from the one
    of the last row's first key on.
    """
    rows, width = weights.shape[1:]
    edge = rows - 1  # this many diagonals leave the map at its left, and at its right
    if width <= 2 * edge:
        wide = torch.nn.functional.pad(weights, (edge, edge))
        return skewed(wide).sum(dim=1)
    left = diagonal_sums(weights[..., :edge])[:, :edge]
    right = diagonal_sums(weights[..., width - edge :])[:, edge:]
    return torch.cat([left, skewed(weights).sum(dim=1), right], dim=1)


def skewed(weights: Tensor) -> Tensor:
    """(heads, rows, width − rows + 1): each row read one place further to the right than the last,
    so that a column is a diagonal.
    """
    weights = weights.contiguous()
    heads, rows, width = weights.shape
    return weights.as_strided((heads, rows, width - rows + 1), (rows * width, width + 1, 1))


def best_share(mass: Tensor, cells: Tensor) -> Tensor:
    """(heads,): the share of the mass (heads, n) in the heaviest lines that fit the budget."""
    heaviest, order = mass.sort(dim=1, descending=True)
    fits = cells[order].cumsum(dim=1) <= BUDGET * cells.sum()
    fits[:, 0] = True
    return (heaviest * fits).sum(dim=1) / mass.sum(dim=1)


def heaviest(mass: Tensor, names: Tensor) -> Tensor:
    """float32 (heads, LISTED, 2): name and share of the heaviest of the mass (heads, n)."""
    found = mass.topk(min(LISTED, mass.shape[1]), dim=1)
    share = found.values / mass.sum(dim=1, keepdim=True)
    listed = torch.stack([names[found.indices].float(), share], dim=2)
    listed[found.values <= 0] = math.nan
    return torch.nn.functional.pad(listed, (0, 0, 0, LISTED - listed.shape[1]), value=math.nan)
