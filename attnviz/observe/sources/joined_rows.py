"""Maps whose rows are computed one call at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from attnviz.observe.sources.map_source import TensorSource

if TYPE_CHECKING:
    from torch import nn

    from attnviz.observe.module_calls import Running
    from attnviz.observe.sources.map_source import MapSource
    from attnviz.observe.taps.interface import Shape


@dataclass
class Rows:
    """Maps of one query each by one module under one call of its parent: parts of one map.

    A recurrent decoder attends anew at every step; its steps are the rows. `modules` are those
    around the first call, `shape` is that of one part, (rows of the batch, heads, 1, keys).
    """

    running: Running
    modules: list[nn.Module]
    shape: Shape
    parts: list[torch.Tensor] = field(default_factory=list)
    leaks: bool = False

    def add(self, maps: MapSource) -> None:
        """Take the map, which is the next row."""
        heads, keys = range(maps.heads), maps.keys
        row = [maps.block(one, heads, 0, 1).whole(keys) for one in range(maps.examples)]
        self.parts.append(torch.stack(row))  # (examples, heads, 1, keys)
        self.leaks |= maps.leaks

    def fit(self, lengths: set[int]) -> bool:
        """Whether the rows make one map over a sequence of one of these lengths."""
        return len(self.parts) in lengths and len({part.shape for part in self.parts}) == 1

    def joined(self) -> TensorSource:
        """The rows as one map."""
        return TensorSource(torch.cat(self.parts, dim=2), leaks=self.leaks)
