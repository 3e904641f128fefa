"""Which queries and keys a score is about: one definition for every score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from attnviz.observe.blocks import RowBlock, Site


@dataclass(frozen=True)
class Queries:
    """The queries and keys of one site, as masks on the model's device.

    `real`: bool (queries,), not padding. `counted`: bool (queries,), the queries that means run
    over (see Axis.counted). `real_keys`: bool (keys,).
    `first`: the first key that is not padding. `special`, `punctuation`: bool (keys,).
    """

    real: Tensor
    counted: Tensor
    real_keys: Tensor
    special: Tensor
    punctuation: Tensor
    first: int

    @staticmethod
    def of(site: Site, device: torch.device) -> Queries:
        """The masks of this site."""

        def mask(values: tuple[bool, ...]) -> Tensor:
            return torch.tensor(values, dtype=torch.bool, device=device)

        queries, keys = site.queries, site.keys
        return Queries(
            real=~mask(queries.padding),
            counted=mask(queries.counted(site.causal)),
            real_keys=~mask(keys.padding),
            special=mask(keys.special),
            punctuation=mask(keys.punctuation),
            first=keys.first,
        )

    def rows(self, block: RowBlock) -> Tensor:
        """Which rows of the block are counted."""
        return self.counted[block.start : block.stop]
