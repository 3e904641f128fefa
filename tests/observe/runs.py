"""Tiny real models, run under observation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedConfig, PreTrainedModel

from attnviz.attention.axis import Axis
from attnviz.models.load import wrap
from attnviz.observe.blocks import Observer, Site
from attnviz.observe.checks.self_check import SelfCheck
from attnviz.observe.engine import Layer, Observation, Wanted, everything, observe
from attnviz.observe.retained import WholeMaps
from tests.zoo.shrink import quiet, randomise


def ids(*shape: int, seed: int = 0) -> Tensor:
    """Random ordinary tokens."""
    return torch.randint(8, 100, shape, generator=torch.Generator().manual_seed(seed))


def axes(tokens: Tensor, mask: Tensor | None = None) -> list[Axis]:
    known = torch.ones_like(tokens) if mask is None else mask
    return [
        Axis(labels=tuple(str(i) for i in row), padding=tuple(not real for real in some))
        for row, some in zip(tokens.tolist(), known.bool().tolist(), strict=True)
    ]


def whole(site: Site) -> Sequence[Observer]:
    return [WholeMaps(), SelfCheck()]


def seen_by(
    model: PreTrainedModel,
    given: Mapping[str, Any],
    observers: Callable[[Site], Sequence[Observer]] = whole,
    wanted: Wanted = everything,
) -> Observation:
    mask = given.get("attention_mask")
    tokens = given["input_ids"]
    known = mask if mask is not None and mask.shape == tokens.shape else None
    targets = axes(given["decoder_input_ids"]) if "decoder_input_ids" in given else None
    with quiet():
        return observe(wrap(model), given, axes(tokens, known), targets, observers, wanted)


def maps(layer: Layer, example: int = 0) -> Tensor:
    """(heads, queries, keys)."""
    return torch.from_numpy(layer.kept[example].kept["weights"])


def made(cls: Any, config: PreTrainedConfig) -> PreTrainedModel:
    """A model of this class with random weights, the same every time, in eval mode."""
    with quiet(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model: PreTrainedModel = cls(config).eval()
        randomise(model)
    return model


def eager_maps(model: PreTrainedModel, given: Mapping[str, Any]) -> list[Tensor]:
    """(examples, heads, queries, keys) of every layer of an eager model."""
    with quiet(), torch.no_grad():
        return list(model(**given, output_attentions=True).attentions)
