"""Sample models whose weights are the same numbers in another order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

import attnviz

if TYPE_CHECKING:
    from attnviz.models.loaded import LoadedModel


def shuffled(name: str) -> LoadedModel:
    """The sample with the entries of every weight matrix in a random order."""
    loaded = attnviz.load(f"sample:{name}")
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weights in loaded.model.parameters():
            if weights.dim() > 1:
                order = torch.randperm(weights.numel(), generator=generator)
                weights.copy_(weights.flatten()[order].view_as(weights))
    return loaded
