"""One query of one head, with everything that its attention function was given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from attnviz.errors import CaptureError
from attnviz.models.anatomy.calls import argument, setting
from attnviz.observe.sources.map_source import FunctionSource
from attnviz.observe.value_vectors import HeadValues

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from attnviz.attention.capture import LayerAttention
    from attnviz.observe.blocks import RowBlock, Site, Values


@dataclass(frozen=True)
class HeadCall:
    """What the attention function was given for one query of one head, float64.

    query: (d), key: (keys, d), value: (keys, d_v), as they are when they meet: after rotary
    embeddings and norms. allowed: bool (keys). `bias` (keys) is what masks and keyword tensors add
    to the scores, `sink` the score of a learned sink; None where there is none. `weights` (keys)
    are those that the model uses. `family` names the score (see `mechanisms.FAMILIES`); where it is
    no dot product, query and key hold what it multiplies in their place. `projection` (d_v, size of
    the output) is the head's part of the output projection. `group` is the key-value head, out of
    `groups`, `rounding` the relative precision of the model's numbers.
    """

    query: Tensor
    key: Tensor
    value: Tensor
    allowed: Tensor
    weights: Tensor
    scale: float
    softcap: float | None
    bias: Tensor | None
    sink: float | None
    projection: Tensor | None
    group: int
    groups: int
    rounding: float
    family: str = "dot"


class KeepCall:
    """An observer that keeps the call behind one query (`row`) of one head of one layer.

    It looks at no rows but this one. `found` stays None where queries and keys were not seen.
    """

    passes = 0

    def __init__(self, layer: LayerAttention, head: int, row: int) -> None:
        self.layer, self.head, self.row = layer, head, row
        self.found: HeadCall | None = None

    def start(self, site: Site, device: torch.device) -> KeepCall:
        """See Observer."""
        here = (site.path, site.order, site.example) == (self.layer.path, self.layer.order, 0)
        if here and isinstance(site.source, FunctionSource):
            self.found = head_call(site.source, site.values, self.head, self.row)
        return self

    def update(self, block: RowBlock, step: int) -> None:
        """See Accumulator."""

    def result(self) -> Mapping[str, Tensor]:
        """See Accumulator."""
        return {}


def head_call(maps: FunctionSource, values: Values | None, head: int, row: int) -> HeadCall:
    """The call of one query of one head. Raises CaptureError for a scale that is no number."""
    query, keys, heads = maps.query[0, head, row], maps.keys, maps.heads
    groups = maps.key.shape[1]
    group = head // (heads // groups)
    value_group = head // (heads // maps.value.shape[1])
    allowed = one_head(maps.mask.allowed(0, row, row + 1, slice(0, keys), maps.device), head)
    weights = maps.block(0, [head], row, row + 1).whole(keys)[0, 0]
    return HeadCall(
        query=exact(query),
        key=exact(maps.key[0, group]),
        value=exact(maps.value[0, value_group]),
        allowed=allowed.cpu(),
        weights=exact(weights),
        scale=number_of(maps.scale, "scale"),
        softcap=argument(maps.anatomy.softcap, maps.keywords),
        bias=bias_of(maps, head, row, allowed),
        sink=sink_of(maps, head),
        projection=projection_of(values, head),
        group=group,
        groups=groups,
        rounding=torch.finfo(query.dtype).eps,
    )


def one_head(rows: Tensor, head: int) -> Tensor:
    """(width): the only row of one head, of (1 or heads, 1, width)."""
    return rows[head if rows.shape[0] > 1 else 0, 0]


def exact(tensor: Tensor) -> Tensor:
    """The numbers as float64 on the CPU: some accelerators have none."""
    return tensor.detach().cpu().double()


def bias_of(maps: FunctionSource, head: int, row: int, allowed: Tensor) -> Tensor | None:
    """What an additive mask and four-dimensional keywords add to the scores that are allowed."""
    keys = slice(0, maps.keys)
    parts = [maps.cut(keyword, 0, row, row + 1, keys) for keyword in maps.keywords.values()]
    rows = [part[0] for part in parts if isinstance(part, torch.Tensor) and fits(part, maps)]
    mask = maps.mask.additive(0, row, row + 1, keys, maps.query)
    rows += [mask] if mask is not None else []
    if not rows:
        return None
    total = torch.stack([exact(one_head(one, head)) for one in rows]).sum(dim=0)
    total = total.masked_fill(~allowed.cpu(), 0.0)
    return total if bool(total.any()) else None


def fits(value: Tensor, maps: FunctionSource) -> bool:
    """Whether a keyword tensor has one number per key for this query."""
    size = (1, maps.keys)
    return value.ndim == 4 and value.shape[1] in (1, maps.heads) and value.shape[2:] == size


def sink_of(maps: FunctionSource, head: int) -> float | None:
    """The score of a learned sink, which takes part in the softmax but has no value."""
    scores = setting(maps.anatomy.sinks, maps.keywords, maps.module)
    if not isinstance(scores, torch.Tensor) or scores.numel() != maps.heads:
        return None
    return float(scores.flatten()[head])


def projection_of(values: Values | None, head: int) -> Tensor | None:
    """(d_v, size of the output): the head's rows of the output projection."""
    if not isinstance(values, HeadValues) or values.weight is None:
        return None
    size = values.value.shape[-1]
    return exact(values.weight[head * size : (head + 1) * size])


def number_of(value: Any, name: str) -> float:
    """A number that may come as a tensor of one. Raises CaptureError for any other."""
    if isinstance(value, torch.Tensor) and value.numel() != 1:
        raise CaptureError(
            f"the {name} of this attention is {tuple(value.shape)} numbers, not one",
            "attnviz inspect shows its weights",
        )
    return float(value)
