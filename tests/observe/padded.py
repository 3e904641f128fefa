"""Tiny models with windows and padding, longer than one chunk of rows."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import (
    BartConfig,
    BartModel,
    BertConfig,
    BertModel,
    Gemma3TextConfig,
    Gemma3TextModel,
    LlamaConfig,
    LlamaModel,
    MistralConfig,
    MistralModel,
    PreTrainedModel,
    T5Config,
    T5Model,
)
from transformers.masking_utils import sdpa_mask

from tests.observe.runs import ids
from tests.zoo.shrink import quiet

needs_lengths = pytest.mark.skipif(
    "q_length" not in inspect.signature(sdpa_mask).parameters,
    reason="this transformers asks for masks by cache positions, and gets ordinary ones",
)

TOKENS = 1541  # two chunks, the last of no whole number of slices
SIZES: dict[str, Any] = {
    "vocab_size": 100, "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2,
    "num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 4096,
    "initializer_range": 0.2,
}  # fmt: skip
WINDOW = SIZES | {"sliding_window": 300}
PAIR: dict[str, Any] = {
    "vocab_size": 100, "d_model": 32, "encoder_layers": 1, "decoder_layers": 1,
    "encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32, "max_position_embeddings": 4096, "init_std": 0.2,
}  # fmt: skip
SHORT_T5 = {
    "vocab_size": 100,
    "d_model": 32,
    "d_kv": 8,
    "d_ff": 32,
    "num_layers": 1,
    "num_heads": 2,
}
MIXED = {"head_dim": 16, "layer_types": ["sliding_attention", "full_attention"]}
MODELS: dict[str, Callable[[], tuple[type, Any]]] = {
    "llama": lambda: (LlamaModel, LlamaConfig(**SIZES)),
    "mistral": lambda: (MistralModel, MistralConfig(**WINDOW)),
    "gemma3": lambda: (Gemma3TextModel, Gemma3TextConfig(**WINDOW, **MIXED)),
    "bert": lambda: (BertModel, BertConfig(**SIZES)),
    "bart": lambda: (BartModel, BartConfig(**PAIR)),
    "t5": lambda: (T5Model, T5Config(**SHORT_T5)),
}


def model(name: str, implementation: str = "sdpa", dtype: torch.dtype = torch.float32) -> Any:
    kind, config = MODELS[name]()
    config._attn_implementation = implementation
    torch.manual_seed(0)
    return kind(config).to(dtype).eval()


def padded(name: str, side: str, tokens: int = TOKENS) -> dict[str, Tensor]:
    """Two texts, the second filled up by 40 tokens."""
    mask = torch.ones(2, tokens, dtype=torch.long)
    mask[1, slice(0, 40) if side == "left" else slice(tokens - 40, None)] = 0
    given = {"input_ids": ids(2, tokens), "attention_mask": mask}
    if name in ("bart", "t5"):
        given["decoder_input_ids"] = ids(2, 900, seed=1)
    return given


def run(one: PreTrainedModel, given: dict[str, Any]) -> Tensor:
    with torch.no_grad(), quiet():
        return one(**given).last_hidden_state


def same(left: Tensor, right: Tensor) -> bool:
    """Bit by bit; the rows of padding may be no numbers."""
    return torch.equal(left.nan_to_num(7.0), right.nan_to_num(7.0))


def nothing(*_: object) -> tuple[int, ...]:
    return ()
