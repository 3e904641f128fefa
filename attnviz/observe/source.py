"""Where rows of attention come from: recomputed from queries and keys, or cut from a tensor."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import torch

from attnviz.observe.lazy_mask import LazyMask

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor, nn

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

    def rows(self, example: int, heads: Sequence[int], start: int, stop: int) -> Tensor:
        """float32 (heads, rows, width): post-softmax weights; keys from `width` on have none."""

    def allowed(self, example: int, start: int, stop: int) -> Tensor:
        """bool (rows, width): False where the mask forbids the key."""


@dataclass
class Mask:
    """The mask of a call, evaluated for a block of rows.

    `given` is what the model passed: None, a boolean (True = attend) or additive tensor that
    broadcasts to (batch, heads, queries, keys), a (batch, keys) padding mask (flash), or a
    function of indices (flex). `causal` adds the triangle that a fused kernel adds by itself;
    `shift` is the position of query 0 among the keys, `window` the flash kernels' width, which
    reaches as far to the right as to the left.
    """

    given: Any
    queries: int
    keys: int
    causal: bool
    shift: int = 0
    window: int | None = None

    @property
    def triangle(self) -> bool:
        """Whether all that it forbids are the keys after each query."""
        return self.causal and self.given is None and self.window is None

    def close(self, scores: Tensor, start: int, stop: int) -> None:
        """Forbid the later keys in the scores (heads, rows, width), of a mask that is a triangle.

        Only the last few keys are later than the first of the rows.
        """
        last = slice(max(0, start + self.shift), self.width(stop))
        allowed = self.allowed(0, start, stop, scores.device)
        scores[..., last].masked_fill_(~allowed[..., last], lowest(scores.dtype))

    def width(self, stop: int) -> int:
        """How many keys the rows before `stop` can reach."""
        return max(1, min(self.keys, stop + self.shift)) if self.causal else self.keys

    def allowed(self, example: int, start: int, stop: int, device: torch.device) -> Tensor:
        """bool (1 or heads, rows, width)."""
        width = self.width(stop)
        rows = torch.arange(start, stop, device=device)[:, None] + self.shift
        keys = torch.arange(width, device=device)[None, :]
        out = torch.ones(1, stop - start, width, dtype=torch.bool, device=device)
        if self.causal:
            out = out & (keys <= rows)
        if self.window is not None:
            out = out & ((rows - keys).abs() < self.window)
        given = self._rows(example, start, stop, width, device)
        if given is not None:
            out = out & (given if given.dtype == torch.bool else given > lowest(given.dtype) / 2)
        return out

    def additive(self, example: int, start: int, stop: int, like: Tensor) -> Tensor | None:
        """(1 or heads, rows, width) to add to the scores; None when nothing is masked."""
        width = self.width(stop)
        given = self._rows(example, start, stop, width, like.device)
        if given is not None and given.dtype != torch.bool and not self.causal:
            return given
        if given is None and not self.causal and self.window is None:
            return None
        allowed = self.allowed(example, start, stop, like.device)
        blocked = torch.zeros(allowed.shape, dtype=like.dtype, device=like.device)
        blocked.masked_fill_(~allowed, lowest(like.dtype))
        return blocked

    def _rows(
        self, example: int, start: int, stop: int, width: int, device: torch.device
    ) -> Tensor | None:
        """The given mask's part for these rows: (1 or heads, 1 or rows, width)."""
        given = self.given
        if given is None:
            return None
        if hasattr(given, "mask_mod"):
            queries = torch.arange(start, stop, device=device)[:, None]
            keys = torch.arange(width, device=device)[None, :]
            b, h = torch.tensor(example, device=device), torch.tensor(0, device=device)
            found: Tensor = given.mask_mod(b, h, queries, keys)
            return found.expand(stop - start, width)[None]
        if given.ndim == 2:
            padding: Tensor = given[example, None, None, :width]
            return padding.bool()
        example = min(example, given.shape[0] - 1)
        if isinstance(given, LazyMask):
            return given.rows(start, stop, example)[0, ..., :width]
        one: Tensor = given[example]
        if one.ndim == 2:
            one = one[None]
        if one.shape[-2] > 1:
            one = one[:, start:stop]
        if one.shape[-1] == 1:
            return one.expand(*one.shape[:-1], width)
        return one[..., :width]


def scaled(query: Tensor, key: Tensor, scale: float) -> Tensor:
    """(heads, rows, keys): scale × query · key."""
    nothing = query.new_empty(1).expand(len(query), query.shape[1], key.shape[1])
    return torch.baddbmm(nothing, query, key.transpose(1, 2), beta=0, alpha=scale)


def lowest(dtype: torch.dtype) -> float:
    """The most negative finite number of a dtype."""
    return float(torch.finfo(dtype).min)


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
    plain: bool = field(init=False)

    def __post_init__(self) -> None:
        self.examples, self.heads, self.queries, _ = self.query.shape
        self.keys = int(self.key.shape[2])
        self.device = self.query.device
        given = self.keywords.get("scaling")
        self.scale = self.query.shape[-1] ** -0.5 if given is None else given
        self.plain = self._agrees()
        self.causal = self.mask.causal or self._looks_causal()
        learned = (name for name, _ in self.module.named_parameters(recurse=False))
        self.leaks = any("sink" in name for name in (*learned, *self.keywords))

    def rows(self, example: int, heads: Sequence[int], start: int, stop: int) -> Tensor:
        """See MapSource."""
        if self.plain:
            return self._plain_rows(example, heads, start, stop)
        rows = self._own_rows(example, start, stop)
        return rows if len(heads) == self.heads else rows[list(heads)]

    def allowed(self, example: int, start: int, stop: int) -> Tensor:
        """See MapSource."""
        found = self.mask.allowed(example, start, stop, self.device)
        return found.any(dim=0) if found.shape[0] > 1 else found[0]

    def _own_rows(self, example: int, start: int, stop: int) -> Tensor:
        one = slice(example, example + 1)
        width = self.mask.width(stop)
        query = self.query[one, :, start:stop]
        added = self.mask.additive(example, start, stop, query)
        keywords = {k: self.cut(v, example, start, stop, width) for k, v in self.keywords.items()}
        arguments = (
            self.module,
            query,
            self.key[one, :, :width],
            self.value[one, :, :width, :1],
            None if added is None else added[None],
        )
        weights = self.eager(*arguments, **(keywords | {"dropout": 0.0}))[1]
        return weights[0].float()  # type: ignore[no-any-return]

    def cut(self, value: Any, example: int, start: int, stop: int, width: int) -> Any:
        """A keyword tensor's part for these rows; anything else as it is."""
        if not isinstance(value, torch.Tensor) or value.ndim != 4:
            return value
        if value.shape[0] == self.examples:
            value = value[example : example + 1]
        if value.shape[-2] == self.queries:
            value = value[:, :, start:stop]
        return value[..., :width] if value.shape[-1] == self.keys else value

    def _plain_rows(self, example: int, heads: Sequence[int], start: int, stop: int) -> Tensor:
        width = self.mask.width(stop)
        query = self.query[example, :, start:stop]  # (heads, rows, d)
        key = self.key[example, :, :width]  # (kv heads, width, d)
        group = self.heads // key.shape[0]
        if len(heads) == self.heads:
            grouped = query.reshape(key.shape[0], group * (stop - start), -1)
            scores = scaled(grouped, key, self.scale).view(self.heads, -1, width)
        else:
            index = torch.tensor(heads, device=self.device)
            scores = scaled(query[index], key[index // group], self.scale)
        if self.mask.triangle:
            self.mask.close(scores, start, stop)
        elif (added := self.mask.additive(example, start, stop, query)) is not None:
            picked = added if added.shape[0] == 1 else added[list(heads)]
            scores = scores.add_(picked)
        return torch.softmax(scores.float(), dim=-1)

    def _agrees(self) -> bool:
        """Whether plain scaled dot-product gives the model's own weights on a few rows."""
        self.plain = False
        special = any(
            v is not None and (k in ("softcap", "sinks") or getattr(v, "ndim", 0) == 4)
            for k, v in self.keywords.items()
        )
        special = special or isinstance(self.scale, torch.Tensor)
        if special or self.heads % self.key.shape[1] or self.key.shape[-1] != self.query.shape[-1]:
            return False
        limit = 1e-6 if self.query.dtype == torch.float32 else 2 * torch.finfo(self.query.dtype).eps
        heads = range(self.heads)
        last = self.queries - 1
        for row in sorted({last * i // (PROBES - 1) for i in range(PROBES)}):
            for example in range(self.examples):
                own = self._own_rows(example, row, row + 1)
                if own.shape != (self.heads, 1, self.mask.width(row + 1)):
                    return False
                if not torch.allclose(
                    own, self._plain_rows(example, heads, row, row + 1), rtol=0, atol=limit
                ):
                    return False
        return True

    def _looks_causal(self) -> bool:
        """Whether the given mask forbids every later key (seen at a few rows of all examples)."""
        if self.mask.given is None or self.queries < 2 or self.queries != self.keys:
            return False
        return not any(
            bool(self.allowed(example, row, row + 1)[:, row + 1 :].any())
            for row in {0, self.queries // 2, self.queries - 2}
            for example in range(self.examples)
        )


@dataclass
class TensorSource:
    """Rows of a tensor the model made itself, (examples, heads, queries, keys).

    Its mask was not seen and is read off the weights: a key that no query and no head looks at is
    forbidden, and so are the offsets before the first and after the last that anyone looks at.
    The rows of `padding`, bool (examples, queries), are not read: many models spread them evenly.
    """

    weights: Tensor
    leaks: bool = False
    padding: Tensor | None = None

    def __post_init__(self) -> None:
        self.examples, self.heads, self.queries, self.keys = self.weights.shape
        self.device = self.weights.device

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

    def rows(self, example: int, heads: Sequence[int], start: int, stop: int) -> Tensor:
        """See MapSource."""
        found = self.weights[example, :, start:stop]
        return (found if len(heads) == self.heads else found[list(heads)]).float()

    def allowed(self, example: int, start: int, stop: int) -> Tensor:
        """See MapSource."""
        offsets = self._offsets(start, stop)
        keys, nearest, farthest = self._mask
        return (offsets >= nearest) & (offsets <= farthest) & keys[example]
