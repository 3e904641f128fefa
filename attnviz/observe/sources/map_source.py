"""Where rows of attention come from: recomputed from queries and keys, or cut from a tensor."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Protocol

import torch

from attnviz.models.anatomy.calls import argument
from attnviz.models.anatomy.names import KNOWN
from attnviz.observe.blocks import RowBlock
from attnviz.observe.masks.mask import bars, lowest, some

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor, nn

    from attnviz.models.anatomy.names import Anatomy
    from attnviz.observe.masks.mask import Mask

# Computed for the asked heads alone, for all by the model's own function, cut from its own tensor.
Origin = Literal["recomputed", "own function", "own tensor"]
PROBES = 4  # rows on which the fast path must agree with the model's own function


class MapSource(Protocol):
    """The maps of one attention call, row by row.

    `examples`, `heads`, `queries`, `keys` are their sizes; `causal` is true when no key after its
    query can be attended to, `leaks` when rows may sum to less than 1 (learned sinks).
    """

    examples: int
    heads: int
    queries: int
    keys: int
    leaks: bool
    device: torch.device

    @property
    def causal(self) -> bool: ...

    @property
    def origin(self) -> Origin:
        """How its rows come about."""

    def block(self, example: int, heads: Sequence[int], start: int, stop: int) -> RowBlock:
        """The rows from `start` up to `stop` of these heads."""

    def width(self, example: int, start: int, stop: int) -> int:
        """How many keys the block of these rows has."""


def scaled(query: Tensor, key: Tensor, scale: float) -> Tensor:
    """(heads, rows, keys): scale × query · key."""
    nothing = query.new_empty(1).expand(len(query), query.shape[1], key.shape[1])
    return torch.baddbmm(nothing, query, key.transpose(1, 2), beta=0, alpha=scale)


@dataclass
class FunctionSource:
    """Rows from the model's own eager function, called on a block of queries.

    Soft-capping, learned sinks, position biases and whatever comes next are right by construction:
    the function gets the queries of the block, all keys, one value column, the mask's rows, and
    every keyword tensor that has a query axis cut alike. Where plain scaled dot-product attention
    agrees with it on a few rows, that takes its place: it is faster and can compute one head.
    """

    module: nn.Module
    query: Tensor  # (examples, heads, queries, d)
    key: Tensor  # (examples, kv heads, keys, d)
    value: Tensor  # (examples, kv heads, keys, d)
    mask: Mask
    eager: Callable[..., Any]
    keywords: Mapping[str, Any]
    anatomy: Anatomy = KNOWN
    plain: bool = field(init=False)

    def __post_init__(self) -> None:
        self.examples, self.heads, self.queries, _ = self.query.shape
        self.keys = int(self.key.shape[2])
        self.device = self.query.device
        given = argument(self.anatomy.scale, self.keywords)
        self.scale = self.query.shape[-1] ** -0.5 if given is None else given
        self.plain = self._agrees()
        self.causal = self.mask.causal or self._looks_causal()
        learned = (name for name, _ in self.module.named_parameters(recurse=False))
        names = (*learned, *self.keywords)
        self.leaks = any(sink in name for sink in self.anatomy.sinks for name in names)

    @property
    def origin(self) -> Origin:
        """See MapSource."""
        return "recomputed" if self.plain else "own function"

    def block(self, example: int, heads: Sequence[int], start: int, stop: int) -> RowBlock:
        """See MapSource."""
        keys, allowed = self._cells(example, start, stop)
        logits = None
        if self.plain:
            logits = self._logits(example, heads, start, stop, keys, allowed)
            weights = torch.softmax(logits, dim=-1)
        else:
            weights = self._own_rows(example, start, stop, keys)
            weights = weights if len(heads) == self.heads else weights[list(heads)]
        return RowBlock(weights, some(allowed, 0), start, keys.start, logits)

    def width(self, example: int, start: int, stop: int) -> int:
        """See MapSource."""
        keys = self.mask.reach(start, stop)
        if not self.plain:
            return int(keys.stop)
        if self.mask.given is not None:
            keys = self.mask.cells(example, start, stop, self.device)[0]
        return int(keys.stop - keys.start)

    def _cells(self, example: int, start: int, stop: int) -> tuple[slice, Tensor]:
        """The keys that are computed, and bool (1 or heads, rows, width), those that are allowed.

        The model's own function gets all keys but those that no call can reach: it may count them,
        and must be seen to give nothing to those that the given mask forbids.
        """
        if self.plain:
            return self.mask.cells(example, start, stop, self.device)
        keys = slice(0, self.mask.reach(start, stop).stop)
        return keys, self.mask.allowed(example, start, stop, keys, self.device)

    def _own_rows(self, example: int, start: int, stop: int, keys: slice) -> Tensor:
        """float32 (heads, rows, width)."""
        one = slice(example, example + 1)
        query = self.query[one, :, start:stop]
        added = self.mask.additive(example, start, stop, keys, query)
        cut = {k: self.cut(v, example, start, stop, keys) for k, v in self.keywords.items()}
        arguments = (
            self.module,
            query,
            self.key[one, :, keys],
            self.value[one, :, keys, :1],
            None if added is None else added[None],
        )
        weights = self.eager(*arguments, **(cut | {"dropout": 0.0}))[1]
        return weights[0].float()  # type: ignore[no-any-return]

    def cut(self, value: Any, example: int, start: int, stop: int, keys: slice) -> Any:
        """A keyword tensor's part for these rows and keys; anything else as it is."""
        if not isinstance(value, torch.Tensor) or value.ndim != 4:
            return value
        if value.shape[0] == self.examples:
            value = value[example : example + 1]
        if value.shape[-2] == self.queries:
            value = value[:, :, start:stop]
        return value[..., keys] if value.shape[-1] == self.keys else value

    def _logits(
        self,
        example: int,
        heads: Sequence[int],
        start: int,
        stop: int,
        keys: slice,
        allowed: Tensor,
    ) -> Tensor:
        """float32 (heads, rows, width): scaled dot products, very low where the mask forbids."""
        query = self.query[example, :, start:stop]  # (heads, rows, d)
        key = self.key[example, :, keys]  # (kv heads, width, d)
        group = self.heads // key.shape[0]
        if len(heads) == self.heads:
            grouped = query.reshape(key.shape[0], group * (stop - start), -1)
            scores = scaled(grouped, key, self.scale).view(self.heads, stop - start, -1)
        else:
            index = torch.tensor(heads, device=self.device)
            scores = scaled(query[index], key[index // group], self.scale)
        if self.mask.triangle:
            late = slice(max(0, start + self.mask.shift), None)  # no row looks beyond its own key
            scores[..., late] += bars(allowed[..., late], scores.dtype)
        elif not self.mask.open:
            added = self.mask.bias(example, start, stop, keys)
            if added is None:
                added = bars(allowed, scores.dtype)
            scores += added if len(added) == 1 else added[list(heads)]
        return scores.float()

    def _agrees(self) -> bool:
        """Whether plain scaled dot-product gives the model's own weights on a few rows."""
        self.plain = False
        bent = (*self.anatomy.softcap, *self.anatomy.sinks)
        special = any(
            v is not None and (k in bent or getattr(v, "ndim", 0) == 4)
            for k, v in self.keywords.items()
        )
        special = special or isinstance(self.scale, torch.Tensor)
        if special or self.heads % self.key.shape[1] or self.key.shape[-1] != self.query.shape[-1]:
            return False
        last = self.queries - 1
        return all(
            self._agrees_on(example, row)
            for row in sorted({last * i // (PROBES - 1) for i in range(PROBES)})
            for example in range(self.examples)
        )

    def _agrees_on(self, example: int, row: int) -> bool:
        """Up to the rounding of float32 logits, which grows with them, or of lesser weights."""
        keys, allowed = self._cells(example, row, row + 1)
        own = self._own_rows(example, row, row + 1, keys)
        logits = self._logits(example, range(self.heads), row, row + 1, keys, allowed)
        plain = torch.softmax(logits, dim=-1)
        eps, single = (torch.finfo(one).eps for one in (self.query.dtype, torch.float32))
        barred = (plain == 0) | (logits < lowest(logits.dtype) / 2) | ~logits.isfinite()
        largest = float(logits.masked_fill(barred, 0).abs().max())
        limit = single * (8 + largest) if eps <= single else 2 * eps
        return own.shape == plain.shape and torch.allclose(
            own, plain, rtol=0, atol=limit, equal_nan=True
        )

    def _looks_causal(self) -> bool:
        """Whether the given mask forbids every later key (seen at a few rows of all examples)."""
        if self.mask.given is None or self.queries < 2 or self.queries != self.keys:
            return False
        for row in {0, self.queries // 2, self.queries - 2}:
            later = slice(row + 1, self.keys)
            for example in range(self.examples):
                if bool(self.mask.allowed(example, row, row + 1, later, self.device).any()):
                    return False
        return True


@dataclass
class TensorSource:
    """Rows of a tensor the model made itself, (examples, heads, queries, keys).

    Its mask was not seen and is read off the weights: a key that no query and no head looks at is
    forbidden, and so are the offsets before the first and after the last that anyone looks at, or
    what is outside `reach`, bool (examples, queries, keys), where that is known.
    The rows of `padding`, bool (examples, queries), are not read: many models spread them evenly.
    """

    weights: Tensor
    reach: Tensor | None = None
    leaks: bool = False
    padding: Tensor | None = None

    def __post_init__(self) -> None:
        self.examples, self.heads, self.queries, self.keys = self.weights.shape
        self.device = self.weights.device

    @property
    def origin(self) -> Origin:
        """See MapSource."""
        return "own tensor"

    @property
    def causal(self) -> bool:
        """See MapSource."""
        return self.queries == self.keys > 1 and self._mask[1] >= 0

    @cached_property
    def _mask(self) -> tuple[Tensor, int, int]:
        """bool (examples, keys) that are looked at, the smallest and the largest offset."""
        looked = (self.weights != 0).any(dim=1)  # (examples, queries, keys)
        if self.padding is not None:
            looked &= ~self.padding[..., None]
        offsets = self._offsets(0, self.queries)[looked.any(dim=0)]
        ends = (int(offsets.min()), int(offsets.max())) if len(offsets) else (0, 0)
        return looked.any(dim=1), *ends

    def _offsets(self, start: int, stop: int) -> Tensor:
        """query − key of every cell of these rows."""
        rows = torch.arange(start, stop, device=self.device)[:, None]
        return rows - torch.arange(self.keys, device=self.device)[None, :]

    def block(self, example: int, heads: Sequence[int], start: int, stop: int) -> RowBlock:
        """See MapSource."""
        found = self.weights[example, :, start:stop]
        weights = (found if len(heads) == self.heads else found[list(heads)]).float()
        keys, nearest, farthest = self._mask
        if self.reach is not None:
            return RowBlock(weights, self.reach[example, start:stop] & keys[example], start)
        offsets = self._offsets(start, stop)
        allowed = (offsets >= nearest) & (offsets <= farthest) & keys[example]
        return RowBlock(weights, allowed, start)

    def width(self, example: int, start: int, stop: int) -> int:
        """See MapSource."""
        return self.keys
