"""Any module of PyTorch, in the shape in which the rest of attnviz knows models."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel

from attnviz.models.anatomy.names import KNOWN
from attnviz.models.facts import describe
from attnviz.models.loaded import LoadedModel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attnviz.models.anatomy.names import Anatomy

ENCODERS = (nn.TransformerEncoder, nn.TransformerEncoderLayer)
DECODERS = (nn.TransformerDecoder, nn.TransformerDecoderLayer)
FUSES = (nn.TransformerEncoderLayer, nn.MultiheadAttention)
LEFT = (
    "torch's fused attention was left, for it shows no weights: outputs agree with its up to "
    "rounding"
)


class PlainModel(PreTrainedModel):
    """A module that is no model of transformers; it runs as it is, and takes what it takes.

    Its parts keep their names. Those of torch's encoders and decoders get `encoder` or `decoder`
    in front where no name says so and both may be there.
    """

    def __init__(self, module: nn.Module) -> None:
        self._sides: dict[int, str] = {}
        decodes = any(isinstance(one, DECODERS) for one in module.modules())
        config: Any = PreTrainedConfig(is_encoder_decoder=decodes)  # type: ignore[no-untyped-call]
        super().__init__(config)
        self.module = module
        self._sides = sides(module) if decodes else {}

    @property
    def device(self) -> torch.device:
        """Where the first parameter or buffer lies."""
        first = next(chain(self.parameters(), self.buffers()), None)
        return torch.device("cpu") if first is None else first.device

    @property
    def dtype(self) -> torch.dtype:
        """That of the first parameter or buffer with a point."""
        tensors = chain(self.parameters(), self.buffers())
        return next(
            (tensor.dtype for tensor in tensors if tensor.is_floating_point()), torch.float32
        )

    def named_modules(self, *args: Any, **kwargs: Any) -> Iterator[tuple[str, nn.Module]]:
        """See nn.Module."""
        for name, module in super().named_modules(*args, **kwargs):
            inner, side = name.removeprefix("module."), self._sides.get(id(module), "")
            yield (inner if side in inner.lower() else f"{side}.{inner}"), module

    def forward(self, **tensors: Any) -> Any:
        """What the module makes of the tensors."""
        return self.module(**tensors)


def sides(module: nn.Module) -> dict[int, str]:
    """`encoder` or `decoder` for the parts of torch's own, by their ids."""
    kinds = (("encoder", ENCODERS), ("decoder", DECODERS))
    return {
        id(part): side
        for side, kind in kinds
        for one in module.modules()
        if isinstance(one, kind)
        for part in one.modules()
    }


def wrap_module(module: nn.Module, anatomy: Anatomy = KNOWN) -> LoadedModel:
    """The module as a loaded model without a tokenizer."""
    model = PlainModel(module)
    name = type(module).__name__
    known = describe(model, anatomy=anatomy)
    facts = replace(known, name=name, architecture=name, implementation="")
    notes = (LEFT,) if fuses(module) else ()
    return LoadedModel(model, None, facts, notes=notes, anatomy=anatomy)


def fuses(module: nn.Module) -> bool:
    """Whether torch may take the fused path in a part of the module when nobody observes it."""
    return torch.backends.mha.get_fastpath_enabled() and any(
        isinstance(one, FUSES) and not one.training and batch_first(one) for one in module.modules()
    )


def batch_first(module: nn.Module) -> bool:
    """Whether the module's tensors are (examples, tokens, …); so it is unless it says otherwise."""
    attention = (one for one in module.modules() if isinstance(one, nn.MultiheadAttention))
    return next((one.batch_first for one in attention), True)
