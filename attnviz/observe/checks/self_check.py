"""How a capture checks itself, while it is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from attnviz.attention.capture import Check

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from torch import Tensor

    from attnviz.attention.capture import AttentionStack
    from attnviz.observe.blocks import Accumulator, RowBlock, Site

IGNORES_PADDING = "padding gets nothing"


def tolerance(dtype: torch.dtype, units: float) -> float:
    """How far sums of weights may be off in this precision: so many units of its last place.

    Weights are at best float32, also those of models in float64.
    """
    eps = torch.finfo(dtype).eps
    return 1e-4 if eps <= torch.finfo(torch.float32).eps else units * eps


@dataclass(frozen=True)
class SelfCheck:
    """Keeps `check`, six numbers over the rows that are not padding.

    They are the least and largest row sum, the largest weight on a forbidden key and on a padded
    one, all over the rows that are finite, the number of the others, and the largest row sum error
    that the model's precision allows (negative when rows may sum to less, because the model has
    learned sinks).
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
        self.least = torch.full((), torch.inf, dtype=torch.float32, device=device)
        self.largest = torch.full((), -torch.inf, dtype=torch.float32, device=device)
        self.forbidden = torch.zeros((), dtype=torch.float32, device=device)
        self.padded = torch.zeros((), dtype=torch.float32, device=device)
        self.broken = torch.zeros((), dtype=torch.float32, device=device)

    def update(self, block: RowBlock, step: int) -> None:
        rows = self.real[block.start : block.stop]
        if not bool(rows.any()):
            return
        every = bool(rows.all())
        weights = block.weights if every else block.weights[:, rows]
        sums = block.row_sums if every else block.row_sums[:, rows]
        if not block.finite:
            sound = sums.isfinite()
            self.broken += (~sound).sum()
            weights = weights.masked_fill(~sound[..., None], 0)
            sums = sums[sound]
            if not len(sums):
                return
        self.least = torch.minimum(self.least, sums.min())
        self.largest = torch.maximum(self.largest, sums.max())
        barred = (block.every.of_keys < len(rows)).nonzero()  # of causal maps the last few keys
        if len(barred):
            part = slice(int(barred[0]), int(barred[-1]) + 1)
            closed = (~block.allowed[rows, part]).float()
            self.forbidden = torch.maximum(self.forbidden, (weights[..., part] * closed).amax())
        keys = self.keys[block.keys]
        if not bool(keys.all()):
            self.padded = torch.maximum(self.padded, weights[..., ~keys].amax())

    def result(self) -> Mapping[str, Tensor]:
        rounding = self.site.rounding
        slack = self.least.new_tensor(-rounding if self.site.leaks else rounding)
        parts = [self.least, self.largest, self.forbidden, self.padded, self.broken, slack]
        return {"check": torch.stack(parts)}


def verdicts(stacks: Iterable[AttentionStack]) -> tuple[Check, ...]:
    """The self-checks of all observed layers, joined.

    All but `IGNORES_PADDING` say whether the capture can be trusted; that one is the model's doing.
    """
    layers = (layer for stack in stacks for layer in stack.by_layer.values())
    rows = [one.kept["check"] for one in layers if "check" in one.kept]
    found = np.array([row for row in rows if row[0] <= row[1] or row[4]])
    if not len(found):
        return ()
    count = int(found[:, 4].sum())
    finite = Check("finite", count == 0, f"{count} rows are not" if count else "")
    found = found[found[:, 0] <= found[:, 1]]
    if not len(found):
        return (finite,)
    least, largest, forbidden, padded, _, slack = found.T
    leaks = slack < 0
    sums = (largest <= 1 + abs(slack)) & (least >= np.where(leaks, 0, 1 - slack))
    spread = f"{least.min():.6f} to {largest.max():.6f}"
    rest = ", the rest is learned sinks" if leaks.any() else ""
    return (
        finite,
        Check("rows sum to 1", bool(sums.all()), spread + rest),
        Check("masked keys get nothing", *nothing(forbidden)),
        Check(IGNORES_PADDING, *nothing(padded)),
    )


def nothing(weights: np.ndarray) -> tuple[bool, str]:
    """Whether the largest weight is as good as none, and what it is."""
    largest = float(weights.max())
    return largest <= 1e-6, f"at most {largest:.1e}"
