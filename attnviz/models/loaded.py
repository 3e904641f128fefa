"""A model that is ready to run."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from attnviz.models.anatomy.names import KNOWN

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from attnviz.attention.capture import ModelFacts
    from attnviz.models.anatomy.names import Anatomy
    from attnviz.models.find.source import Source


def input_device(model: PreTrainedModel) -> torch.device:
    """Where a model's inputs go; modules that are offloaded fetch theirs from main memory."""
    import torch

    return torch.device("cpu") if model.device.type == "meta" else model.device


@dataclass(frozen=True)
class LoadedModel:
    """A model in eval mode on its device, its tokenizer if it has one, and what is known of it.

    `untrained` names the weights that the checkpoint does not hold and that were set at random.
    `notes` are what a reader of the picture must be told of the loading. `source` is None for a
    model that was handed over in memory. By the names of `anatomy` it tells what it is made of.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase | None
    facts: ModelFacts
    source: Source | None = None
    untrained: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    anatomy: Anatomy = KNOWN

    @cached_property
    def arguments(self) -> frozenset[str]:
        """The names that the model's forward takes."""
        return frozenset(inspect.signature(self.model.forward).parameters)

    @property
    def encoder_decoder(self) -> bool:
        """Whether the model reads a source with an encoder and a target with a decoder."""
        declared = bool(getattr(self.model.config, "is_encoder_decoder", False))
        return declared and "decoder_input_ids" in self.arguments
