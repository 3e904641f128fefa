"""Tiny recurrent models with large random weights, and something for them to read."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from attnviz.mechanisms.recurrent import RecurrentConfig, RecurrentForConditionalGeneration

SCORES = ("additive", "dot", "general", "scaled-dot")
SHAPES = [
    {"cell": "gru"},
    {"cell": "lstm"},
    {"cell": "gru", "encoder": "convolutional", "encoder_layers": 2},
]
WORDS = 20


def build(seed: int = 0, **choices: Any) -> RecurrentForConditionalGeneration:
    """A model in eval mode, all of whose weights are drawn at random, the bias too."""
    torch.manual_seed(seed)
    config = RecurrentConfig(vocab_size=WORDS, width=12, **choices)
    model = RecurrentForConditionalGeneration(config).eval()
    with torch.no_grad():
        for weights in model.parameters():
            weights.normal_(std=0.6)
    return model


def ids(*shape: int, seed: int = 1) -> Tensor:
    """Random ids of words; 0 and 1 are padding and the end."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(2, WORDS, shape, generator=generator)


def given(examples: int = 1, source: int = 7, target: int = 5) -> dict[str, Tensor]:
    """Source and target ids."""
    return {
        "input_ids": ids(examples, source),
        "decoder_input_ids": ids(examples, target, seed=2),
    }
