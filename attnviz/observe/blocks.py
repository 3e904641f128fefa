"""How a layer's attention travels: blocks of query rows, handed to observers."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    from attnviz.attention.axis import Axis


NORM = "score.norm"  # stands only where the output projection was proven to be the one
TINY = float(np.finfo(np.float32).tiny)
FARTHEST = -200.0  # below the largest logit: the weight is 0, and the product with it too


class Values(Protocol):
    """The values behind the keys of one site."""

    def lengths(self) -> torch.Tensor:
        """float32 (heads, keys): ‖v‖ of every key, as each observed head uses it."""

    def written(self) -> torch.Tensor | None:
        """float32 (heads, keys): ‖v W_O‖, the head's part of the output projection; or None."""


@dataclass(frozen=True, slots=True)
class Site:
    """One invocation of one attention module on one example of the batch.

    `path` is the module's name in the model, `order` its place among the invocations of its
    stack, `heads` the observed query heads out of `n_heads`. `causal` is true when no query may
    look at a later key; `leaks` when rows may sum to less than 1, because the model has learned
    sinks; `rounding` is how far a row sum may be off in the model's precision. `values` is None
    where only the weights were seen. `source` is what the rows come from, for observers that know
    its kind.
    """

    stack: str
    path: str
    order: int
    layer: int
    example: int
    heads: tuple[int, ...]
    n_heads: int
    queries: Axis
    keys: Axis
    cross: bool
    causal: bool
    leaks: bool = False
    rounding: float = 1e-4
    values: Values | None = field(default=None, compare=False, repr=False)
    source: object = field(default=None, compare=False, repr=False)

    @property
    def one_sequence(self) -> bool:
        """Whether query i and key i are one position. With slots of a cache or a prefix among the
        keys they are not, and where the queries stand among them is not known.
        """
        return not self.cross and len(self.queries) == len(self.keys)


@dataclass(frozen=True)
class Cells:
    """Cells of a row block, bool (rows, width), with how many there are of every row and key."""

    chosen: torch.Tensor

    @cached_property
    def of_rows(self) -> torch.Tensor:
        """int64 (rows,)."""
        return self.chosen.sum(dim=1)

    @cached_property
    def of_keys(self) -> torch.Tensor:
        """int64 (width,)."""
        return self.chosen.sum(dim=0)


@dataclass
class RowBlock:
    """Rows `start` to `start + rows` of the maps of one site, on the model's device.

    `weights`: float32 (heads, rows, width), post-softmax, what the model uses. Their first key is
    `first`; keys before it, and those behind the last, are out of reach of all these rows (causal
    maps, windows), and left out.
    `allowed`: bool (rows, width), False where the mask forbids the key.
    `logits`: float32 like the weights, which are their softmax; None where they are not known,
    or used up.
    """

    weights: torch.Tensor
    allowed: torch.Tensor
    start: int
    first: int = 0
    logits: torch.Tensor | None = None

    @property
    def stop(self) -> int:
        return self.start + int(self.weights.shape[1])

    @property
    def keys(self) -> slice:
        """The keys that are in reach, of all keys."""
        return slice(self.first, self.first + int(self.weights.shape[2]))

    def whole(self, keys: int) -> torch.Tensor:
        """float32 (heads, rows, keys): a copy with zeros for the keys that are out of reach."""
        out = self.weights.new_zeros(*self.weights.shape[:2], keys)
        out[..., self.keys] = self.weights
        return out

    @cached_property
    def every(self) -> Cells:
        """All cells that the mask allows."""
        return Cells(self.allowed)

    def of(self, rows: torch.Tensor, keys: torch.Tensor) -> Cells:
        """Those of these rows, bool (rows,), and of these of all keys, bool (keys,)."""
        keys = keys[self.keys]
        if bool(rows.all()) and bool(keys.all()):
            return self.every
        return Cells(self.allowed & keys & rows[:, None])

    @cached_property
    def row_sums(self) -> torch.Tensor:
        """float32 (heads, rows): what each row gives to all keys together."""
        return self.weights.sum(dim=-1)

    @cached_property
    def row_maxima(self) -> torch.Tensor:
        """float32 (heads, rows): the largest weight of each row."""
        return self.weights.amax(dim=-1)

    @cached_property
    def row_entropies(self) -> torch.Tensor:
        """float32 (heads, rows): −Σ w ln w of each row as it is, in nats.

        ln w is logit − largest logit + ln largest w, which spares a logarithm of every weight; no
        terms cancel. To take it uses the logits up.
        """
        logits, self.logits = self.logits, None
        if logits is None:
            logs = self.weights.clamp_min(TINY).log_()  # far faster than torch.special.entr
            return -logs.mul_(self.weights).sum(dim=-1)
        logits.sub_(logits.amax(dim=-1, keepdim=True)).clamp_min_(FARTHEST)
        return -logits.mul_(self.weights).sum(dim=-1) - self.row_maxima.log() * self.row_sums

    @cached_property
    def finite(self) -> bool:
        """Whether every weight is a number."""
        return bool(self.row_sums.isfinite().all())

    @cached_property
    def _column_sums(self) -> torch.Tensor:
        return self.weights.sum(dim=1)

    def column_sums(self, rows: torch.Tensor) -> torch.Tensor:
        """float32 (heads, width): what each key gets of the rows where `rows`, bool, is true."""
        if bool(rows.all()):
            return self._column_sums
        for known, sums in self._sums_of_rows:
            if bool((known == rows).all()):
                return sums
        found = self.weights[:, rows].sum(dim=1)
        self._sums_of_rows.append((rows, found))
        return found

    @cached_property
    def _sums_of_rows(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        return []


class Accumulator(Protocol):
    """Reduces the row blocks of one site to what is kept of it.

    It makes all that it keeps when it starts: small tensors that are left between blocks would
    keep the allocator from using the room of one block for the next, which is a little wider.
    """

    def update(self, block: RowBlock, step: int) -> None:
        """Take one block; `step` counts the passes over the rows, from 0."""

    def result(self) -> Mapping[str, torch.Tensor | np.ndarray]:
        """What is kept, by name; the first axis is the observed heads where there is one."""


class Observer(Protocol):
    """Says what to keep of every observed site."""

    @property
    def passes(self) -> int:
        """How many passes over the rows the accumulators need."""

    def start(self, site: Site, device: torch.device) -> Accumulator:
        """A fresh accumulator for this site."""
