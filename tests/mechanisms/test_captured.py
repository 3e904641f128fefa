"""Captured queries and keys through the reference give the captured weights."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from transformers import BertConfig, BertModel, GPT2Config, GPT2Model, PreTrainedModel

import attnviz
from attnviz.mechanisms import causal, padding, scaled_dot_product, split_heads

HEADS, TOKENS = 4, 9


def gpt2() -> PreTrainedModel:
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=60, n_embd=32, n_layer=2, n_head=HEADS, n_positions=16, initializer_range=0.5
    )
    return GPT2Model(config).eval()


def bert() -> PreTrainedModel:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=60, hidden_size=32, num_hidden_layers=2, num_attention_heads=HEADS,
        intermediate_size=32, initializer_range=0.5,
    )  # fmt: skip
    return BertModel(config).eval()


def kept_outputs(model: PreTrainedModel, ends: tuple[str, ...]) -> dict[str, list[Tensor]]:
    """The outputs of the modules whose names end so, filled while the model runs."""
    kept: dict[str, list[Tensor]] = {end: [] for end in ends}

    def keeper(end: str) -> Callable[..., None]:
        return lambda module, args, output: kept[end].append(output)

    for name, module in model.named_modules():
        for end in ends:
            if name.endswith(end) and isinstance(module, nn.Module):
                module.register_forward_hook(keeper(end))
    return kept


def reference(query: Tensor, key: Tensor, mask: Tensor) -> np.ndarray:
    """(heads, queries, keys) of the first example."""
    parts = [split_heads(one, HEADS) for one in (query, key, key)]
    return scaled_dot_product(*parts, mask=mask).weights[0].numpy()


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
def test_gpt2(implementation: str) -> None:
    model = gpt2()
    model.set_attn_implementation(implementation)
    kept = kept_outputs(model, ("c_attn",))
    ids = torch.arange(TOKENS)[None]
    stack = attnviz.capture(model, {"input_ids": ids}).stacks["self"]
    assert len(kept["c_attn"]) == 2
    for layer, joined in enumerate(kept["c_attn"]):
        query, key, _ = joined.chunk(3, dim=-1)
        wanted = reference(query, key, causal(TOKENS))
        assert np.abs(stack.weights(layer) - wanted).max() < 1e-6
        assert wanted.max() - wanted[wanted > 0].min() > 0.5  # far from even


def test_bert_with_padding() -> None:
    model = bert()
    kept = kept_outputs(model, ("self.query", "self.key"))
    ids, length = torch.arange(TOKENS)[None], 6
    real = padding(torch.tensor([length]), TOKENS)  # (1, 1, keys)
    tensors = {"input_ids": ids, "attention_mask": real[:, 0].long()}
    stack = attnviz.capture(model, tensors).stacks["self"]
    for layer, (query, key) in enumerate(zip(kept["self.query"], kept["self.key"], strict=True)):
        wanted = reference(query, key, real[:, None])
        found = stack.weights(layer)
        assert np.abs(found[:, :length] - wanted[:, :length]).max() < 1e-6
        assert (found[:, :length, length:] == 0).all()
