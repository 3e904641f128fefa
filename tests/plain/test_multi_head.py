"""nn.MultiheadAttention by itself: the weights that it returns when it is asked for them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import attnviz
from tests.plain.modules import HEADS, WIDTH, outputs, own_weights, random, uneven

TOKENS = 6
LATER = torch.ones(TOKENS, TOKENS, dtype=torch.bool).triu(1)
PADDED = torch.tensor([[False] * TOKENS, [False] * 4 + [True] * 2])
MASKS: dict[str, dict[str, Any]] = {
    "none": {},
    "bool": {"attn_mask": LATER},
    "float": {"attn_mask": torch.zeros(TOKENS, TOKENS).masked_fill(LATER, -torch.inf)},
    "bias": {"attn_mask": random(TOKENS, TOKENS, seed=5)},
    "causal": {"attn_mask": LATER, "is_causal": True},
    "padding": {"key_padding_mask": PADDED},
    "float padding": {"key_padding_mask": torch.zeros(2, TOKENS).masked_fill(PADDED, -torch.inf)},
    "both": {"attn_mask": LATER, "key_padding_mask": PADDED},
}


def attention(**options: Any) -> nn.MultiheadAttention:
    module = uneven(nn.MultiheadAttention(WIDTH, HEADS, **options))
    assert isinstance(module, nn.MultiheadAttention)
    return module


def maps(found: list, stack: str) -> np.ndarray:
    """(examples, heads, queries, keys)."""
    return np.stack([capture.stacks[stack].weights(0) for capture in found])


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("batch_first", [True, False])
def test_self_attention(batch_first: bool, mask: str) -> None:
    module = attention(batch_first=batch_first)
    states = random(2, TOKENS, WIDTH) if batch_first else random(TOKENS, 2, WIDTH)
    own = own_weights(module, states, states, states, **MASKS[mask])[""]
    tensors = {"query": states, "key": states, "value": states, **MASKS[mask]}
    kept = outputs(module)
    found = attnviz.captures(module, tensors)
    module(**tensors)
    assert np.abs(maps(found, "self") - own).max() <= 1e-6
    assert own.std() > 0.1
    padded = "key_padding_mask" in MASKS[mask]
    padding = found[1].stacks["self"].queries(0).padding
    assert padding == (tuple(PADDED[1].tolist()) if padded else (False,) * TOKENS)
    seen, plain = (one[0] for one in kept)
    assert torch.equal(seen, plain), "gradients are on, so that torch does not fuse"


@pytest.mark.parametrize("batch_first", [True, False])
def test_cross_attention(batch_first: bool) -> None:
    module = attention(batch_first=batch_first, kdim=8, vdim=8)
    asking, asked = random(2, 3, WIDTH), random(2, TOKENS, 8, seed=2)
    if not batch_first:
        asking, asked = asking.transpose(0, 1), asked.transpose(0, 1)
    found = attnviz.captures(module, (asking, asked, asked))
    assert [list(one.stacks) for one in found] == [["cross"]] * 2
    assert maps(found, "cross").shape == (2, HEADS, 3, TOKENS)
    assert (
        np.abs(maps(found, "cross") - own_weights(module, asking, asked, asked)[""]).max() <= 1e-6
    )


@pytest.mark.parametrize("options", [{"add_zero_attn": True}, {"add_bias_kv": True}], ids=str)
def test_added_keys(options: dict) -> None:
    module = attention(batch_first=True, **options)
    states = random(2, TOKENS, WIDTH)
    found = attnviz.captures(module, (states, states, states))
    assert maps(found, "self").shape == (2, HEADS, TOKENS, TOKENS + 1)
    assert (
        np.abs(maps(found, "self") - own_weights(module, states, states, states)[""]).max() <= 1e-6
    )


@pytest.mark.parametrize("batch_first", [True, False])
def test_one_example_without_its_axis(batch_first: bool) -> None:
    module, states = attention(batch_first=batch_first), random(TOKENS, WIDTH)
    capture = attnviz.capture(module, (states, states, states))
    own = own_weights(module, states, states, states)[""]
    assert np.abs(capture.stacks["self"].weights(0) - own).max() <= 1e-6


def test_what_is_said_of_it() -> None:
    module, states = attention(batch_first=True), random(1, TOKENS, WIDTH)
    capture = attnviz.capture(module, (states, states, states))
    assert (capture.model.name, capture.model.layers, capture.model.heads) == (
        "MultiheadAttention", 1, HEADS,
    )  # fmt: skip
    axis = capture.stacks["self"].queries(0)
    assert (axis.kind, axis.labels) == ("slot", tuple("012345"))
    assert any("fused attention was left" in note for note in capture.notes)


def test_half_precision() -> None:
    module = attention(batch_first=True).bfloat16()
    states = random(1, TOKENS, WIDTH).bfloat16()
    capture = attnviz.capture(module, (states, states, states))
    assert capture.model.dtype == "bfloat16"
    assert capture.stacks["self"].weights(0).dtype == np.float32


def test_the_module_stays_as_it_was() -> None:
    module: nn.Module = attention(batch_first=True).train()
    before = [name for name, _ in module.named_modules()]
    states: Tensor = random(1, TOKENS, WIDTH)
    attnviz.capture(module, (states, states, states))
    assert module.training
    assert [name for name, _ in module.named_modules()] == before
    assert not any(one._forward_hooks or one._forward_pre_hooks for one in module.modules())
