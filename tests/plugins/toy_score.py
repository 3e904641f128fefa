"""A score of an outsider, in one module: what it means, and the observer that computes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from attnviz.metrics.about import Score
from attnviz.metrics.registry import measures

if TYPE_CHECKING:
    from attnviz.observe.blocks import RowBlock, Site


@measures(Score("last_key", "share on the last key of the text", 0, 1, "1 / keys"))
@dataclass(frozen=True)
class LastKey:
    """The mean weight of the last key that is not padding."""

    passes: int = 1

    def start(self, site: Site, device: torch.device) -> _LastKey:
        return _LastKey(site, device)


class _LastKey:
    def __init__(self, site: Site, device: torch.device) -> None:
        self.key = max(i for i, padded in enumerate(site.keys.padding) if not padded)
        self.queries = torch.tensor([not padded for padded in site.queries.padding], device=device)
        self.sums = torch.zeros(len(site.heads), device=device)

    def update(self, block: RowBlock, step: int) -> None:
        if block.first <= self.key < block.first + block.weights.shape[2]:
            column = block.weights[:, :, self.key - block.first]
            self.sums += (column * self.queries[block.start : block.stop]).sum(dim=1)

    def result(self) -> dict[str, torch.Tensor]:
        return {"score.last_key": self.sums / self.queries.sum()}
