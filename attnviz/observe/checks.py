"""How a capture checks itself, while it is made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from attnviz.attention.capture import Check

if TYPE_CHECKING:
    from torch import Tensor

    from attnviz.attention.capture import AttentionStack
    from attnviz.attention.rows import Accumulator, RowBlock, Site


@dataclass(frozen=True)
class SelfCheck:
    """Keeps `check`, five numbers over the rows that are not padding.

    They are the least and largest row sum, the largest weight on a forbidden key, the number of
    weights that are not finite, and the largest row sum error that the model's precision allows
    (−1 when rows may sum to less, because the model has learned sinks).
    """

    passes: int = 1

    def start(self, site: Site, device: torch.device) -> Accumulator:
        """See Observer."""
        return _SelfCheck(site, device)


class _SelfCheck:
    def __init__(self, site: Site, device: torch.device) -> None:
        self.site = site
        self.real = ~torch.tensor(site.queries.padding, device=device)
        self.keys = ~torch.tensor(site.keys.padding, device=device)
        self.least = torch.full((), torch.inf, device=device)
        self.largest = torch.full((), -torch.inf, device=device)
        self.forbidden = torch.zeros((), device=device)
        self.broken = torch.zeros((), device=device)

    def update(self, block: RowBlock, step: int) -> None:
        rows = self.real[block.start : block.stop]
        if not bool(rows.any()):
            return
        weights = block.weights if bool(rows.all()) else block.weights[:, rows]
        allowed = block.allowed[rows] & self.keys[: weights.shape[-1]]
        sums = weights.sum(dim=-1)
        self.least = torch.minimum(self.least, sums.min())
        self.largest = torch.maximum(self.largest, sums.max())
        self.broken += (~sums.isfinite()).sum()
        if not bool(allowed.all()):
            outside = weights.masked_fill(allowed, 0).amax()
            self.forbidden = torch.maximum(self.forbidden, outside)

    def result(self) -> Mapping[str, Tensor]:
        slack = self.least.new_tensor(-1.0 if self.site.leaks else self.site.rounding)
        parts = [self.least, self.largest, self.forbidden, self.broken, slack]
        return {"check": torch.stack(parts)}


def verdicts(stacks: Iterable[AttentionStack]) -> tuple[Check, ...]:
    """The self-checks of all observed layers, joined."""
    found = [
        layer.kept["check"]
        for stack in stacks
        for layer in stack.by_layer.values()
        if "check" in layer.kept and layer.kept["check"][0] <= layer.kept["check"][1]
    ]
    if not found:
        return ()
    least, largest = min(c[0] for c in found), max(c[1] for c in found)
    forbidden, broken = max(c[2] for c in found), int(sum(c[3] for c in found))
    leaks = any(c[4] < 0 for c in found)
    sums = all(
        c[1] <= 1 + max(c[4], 1e-4) and (c[4] < 0 or c[0] >= 1 - c[4]) and c[0] >= 0 for c in found
    )
    spread = f"{least:.6f} to {largest:.6f}"
    return (
        Check("finite", broken == 0, f"{broken} rows are not" if broken else ""),
        Check("rows sum to 1", sums, f"{spread}, the rest is learned sinks" if leaks else spread),
        Check("masked keys get nothing", forbidden <= 1e-6, f"at most {forbidden:.1e}"),
    )
