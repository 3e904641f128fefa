"""Which queries and keys a score is about: one definition for every score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from attnviz.attention.rows import RowBlock, Site


@dataclass(frozen=True)
class Queries:
    """The queries and keys of one site, as masks on the model's device.

    `real`: bool (queries,), not padding. `counted`: bool (queries,), the queries that means run
    over: real, not special (unless all are), and in causal stacks not the first real one, whose
    row is always 1, 0, 0, … (METRICS.md section 0, rule 4). `real_keys`: bool (keys,).
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
        real = ~mask(queries.padding)
        counted = real & ~mask(queries.special)
        if site.causal and int(real.sum()) > 1:
            counted[queries.first] = False
        if not bool(counted.any()):
            counted = real
        return Queries(
            real=real,
            counted=counted,
            real_keys=~mask(keys.padding),
            special=mask(keys.special),
            punctuation=mask(keys.punctuation),
            first=keys.first,
        )

    def rows(self, block: RowBlock) -> Tensor:
        """Which rows of the block are counted."""
        return self.counted[block.start : block.stop]
