"""What stands behind the weights: the values that are mixed, and the projection that writes them.

After Kobayashi et al. 2020 (arXiv 2004.10102; docs/metrics.md, norm): a key adds its weight times
f(x) = v · W_O of the head to the layer's output.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn

from attnviz.models.adapter import added_weight
from attnviz.models.anatomy.names import KNOWN
from attnviz.observe.sources.map_source import FunctionSource

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from torch import Tensor

    from attnviz.models.anatomy.names import Names
    from attnviz.observe.sources.map_source import MapSource


@dataclass(frozen=True)
class HeadValues:
    """The values of one example (kv heads, keys, d), as the observed `heads` of `n_heads` use them.

    `weight` is the output projection (n_heads · d, size of the output), None where none is known.
    """

    value: Tensor
    heads: Sequence[int]
    n_heads: int
    weight: Tensor | None = None

    def lengths(self) -> Tensor:
        """See Values."""
        lengths: Tensor = torch.linalg.vector_norm(self.value.float(), dim=-1)  # (kv heads, keys)
        return lengths[self._groups()]

    def written(self) -> Tensor | None:
        """See Values."""
        if self.weight is None:
            return None
        size = self.value.shape[-1]
        found = []
        for head, group in zip(self.heads, self._groups().tolist(), strict=True):
            part = self.weight[head * size : (head + 1) * size].float()
            found.append(projected_lengths(self.value[group].float(), part))
        return torch.stack(found)

    def mixed(self, rows: Tensor) -> Tensor:
        """float32 (heads, d): the values mixed by one row of weights (heads, width) each."""
        value = self.value[self._groups(), : rows.shape[-1]].float()  # (heads, width, d)
        return torch.einsum("hk,hkd->hd", rows, value)

    def _groups(self) -> Tensor:
        """int64 (heads,): the key-value head of each observed head."""
        share = self.n_heads // self.value.shape[0]
        return torch.tensor(self.heads, device=self.value.device) // share


def projected_lengths(value: Tensor, weight: Tensor) -> Tensor:
    """float32 (keys,): ‖v · W‖ of every value (keys, d), for W (d, size of the output).

    Through the Gram matrix W · Wᵀ where there are more keys than it has rows.
    """
    if len(value) <= value.shape[-1]:
        lengths: Tensor = torch.linalg.vector_norm(value @ weight, dim=-1)
        return lengths
    squares = ((value @ (weight @ weight.T)) * value).sum(dim=-1)
    return squares.clamp_min(0).sqrt()


def values_behind(
    maps: MapSource, heads: Sequence[int], modules: Sequence[nn.Module]
) -> tuple[list[HeadValues | None], nn.Module | None]:
    """The values of every example, and the output projection below `modules` where there is one.

    The values are None where they were not seen, or are not shared evenly among the heads.
    """
    if not isinstance(maps, FunctionSource) or not shares_values(maps):
        return [None] * maps.examples, None
    value, names = maps.value, maps.anatomy.output_projection
    projection = output_projection(modules, maps.heads * value.shape[-1], names)
    weight = None if projection is None else weight_of(projection)
    if projection is not None and weight is not None and weight.is_meta:
        weight = offloaded(projection, value.device)
    return [HeadValues(one, heads, maps.heads, weight) for one in value], projection


def shares_values(maps: FunctionSource) -> bool:
    """Whether every key has a value, in every head or for as many heads each."""
    value = maps.value
    whole = value.ndim == 4 and value.shape[2] == maps.keys and len(value) == maps.examples
    return whole and not maps.heads % value.shape[1]


def output_projection(
    modules: Sequence[nn.Module], size: int, names: Names = KNOWN.output_projection
) -> nn.Module | None:
    """The first projection below these modules that takes all heads together, `size` numbers."""
    for path in names:
        for module in modules:
            found = below(module, path)
            weight = None if found is None else weight_of(found)
            if weight is not None and len(weight) == size:
                return found
    return None


def below(module: nn.Module, path: str) -> nn.Module | None:
    """The module at this path below another; None where there is none."""
    for name in path.split("."):
        child = getattr(module, name, None)
        if not isinstance(child, nn.Module):
            return None
        module = child
    return module


def weight_of(module: nn.Module) -> Tensor | None:
    """The weight of a linear layer as (inputs, outputs), with what LoRA adds to it; None for any
    other module.

    It is on the meta device where accelerate has offloaded it.
    """
    from transformers.pytorch_utils import Conv1D

    layer = getattr(module, "base_layer", module)
    weight = getattr(layer, "weight", None)
    if not isinstance(weight, torch.Tensor) or not weight.is_floating_point():
        return None  # quantized
    if layer is not module:
        added = added_weight(module)
        if added is None:
            return None
        weight = weight + added
    if type(layer) is nn.Linear and weight.shape == (layer.out_features, layer.in_features):
        return weight.T
    return weight if type(layer) is Conv1D else None


def offloaded(module: nn.Module, device: torch.device) -> Tensor | None:
    """What `weight_of` gives, from where accelerate keeps it; None where that is not known."""
    kept = getattr(getattr(module, "_hf_hook", None), "weights_map", None)
    if kept is None:
        return None
    weight: Tensor = kept["weight"].to(device)
    return weight.T if type(module) is nn.Linear else weight


@dataclass
class Proof:
    """Whether a projection gets what its heads mixed: gates and norms in between break it.

    `mixed` (heads, d) is what the observed `heads` of `n_heads` make of one query of the first
    example. `holds` once the projection was called with it, within `tolerance` of its length.
    """

    mixed: Tensor
    query: int
    heads: Sequence[int]
    n_heads: int
    tolerance: float
    holds: bool = False

    def watch(self, projection: nn.Module) -> Callable[[], None]:
        """Look at the next call of the projection; gives back what stops looking."""

        own = threading.get_ident()

        def compare(module: nn.Module, args: tuple[Any, ...]) -> None:
            if threading.get_ident() != own:
                return
            handle.remove()
            self.holds = bool(args) and self.is_given(args[0])

        handle = projection.register_forward_pre_hook(compare)
        return handle.remove

    def is_given(self, states: Tensor) -> bool:
        """Whether the query of the first example, of (examples, queries, size), is `mixed`."""
        if states.ndim != 3 or states.shape[1] <= self.query:
            return False
        found = states[0, self.query].detach().float().view(self.n_heads, -1)[list(self.heads)]
        off = torch.linalg.vector_norm(found - self.mixed)
        return bool(off <= self.tolerance * torch.linalg.vector_norm(self.mixed))
