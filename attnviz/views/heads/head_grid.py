"""What each head of a stack does: one cell per head."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from attnviz.views.heads.observed import heads_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from attnviz.attention.capture import AttentionStack
    from attnviz.views.heads.head import Head

SHARED = 0.2  # a first token that takes less of all attention is not worth a word


@dataclass(frozen=True, slots=True)
class HeadGrid:
    """Layers × heads. `rows` holds (layer, its heads by number, None where one is missing).

    `sink_share` is the share of all attention that goes to `sink_labels`, 0 when unknown.
    `chosen` are the (layer, head) that the picture shows further down. `also_in` names the other
    stacks that the model has.
    """

    stack: str
    rows: tuple[tuple[int, tuple[Head | None, ...]], ...]
    sink_share: float = 0.0
    sink_labels: tuple[str, ...] = ()
    chosen: tuple[tuple[int, int], ...] = ()
    several: bool = False

    @property
    def heads(self) -> list[Head]:
        """Every head, layer by layer."""
        return [head for _, row in self.rows for head in row if head is not None]

    @property
    def width(self) -> int:
        """The largest number of heads in a layer."""
        return max((len(row) for _, row in self.rows), default=0)

    @property
    def summary(self) -> list[tuple[str, int]]:
        """How many heads show each pattern, most frequent first."""
        return Counter(head.pattern.name for head in self.heads).most_common()


def head_grid(
    stack: AttentionStack,
    wanted: Mapping[int, tuple[int, ...]],
    chosen: tuple[tuple[int, int], ...] = (),
    several: bool = False,
) -> HeadGrid:
    """The grid of the wanted heads (layer: heads) of a stack; others are empty cells."""
    rows = []
    for number, heads in wanted.items():
        found = {one.head: one for one in heads_of(stack.by_layer[number]) if one.head in heads}
        numbers = range(max(found, default=-1) + 1)
        rows.append((number, tuple(found.get(head) for head in numbers)))
    grid = HeadGrid(stack.name, tuple(rows), chosen=chosen, several=several)
    share, labels = _sinks(stack, grid)
    return HeadGrid(stack.name, tuple(rows), share, labels, chosen, several)


def _sinks(stack: AttentionStack, grid: HeadGrid) -> tuple[float, tuple[str, ...]]:
    """The share of all attention that goes to special tokens or the first one, and their texts."""
    if not grid.heads:
        return 0.0, ()
    keys = stack.by_layer[grid.rows[0][0]].keys
    special = {text for text, is_special in zip(keys.labels, keys.special, strict=True)
               if is_special}  # fmt: skip
    share = _mean([head.score("special") for head in grid.heads])
    if special and share > 0:
        return share, tuple(text for text in dict.fromkeys(keys.labels) if text in special)
    first = _mean([head.score("first") for head in grid.heads])
    if first >= SHARED and len(keys):
        return first, ("the first token",)
    return 0.0, ()


def _mean(values: list[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return float(np.mean(known)) if known else 0.0
