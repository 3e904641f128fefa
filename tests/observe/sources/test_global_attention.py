"""Longformer's and LED's global tokens, against their attention written densely."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from transformers import (
    LEDConfig,
    LEDModel,
    LongformerConfig,
    LongformerForSequenceClassification,
    PreTrainedModel,
)

import attnviz
from attnviz.attention.capture import Capture
from tests.observe.runs import made
from tests.zoo.shrink import quiet

WINDOWS = [4, 8]
LENGTH = 11


def longformer() -> PreTrainedModel:
    config = LongformerConfig(
        vocab_size=100, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=16, attention_window=WINDOWS, max_position_embeddings=40, pad_token_id=1,
    )  # fmt: skip
    return made(LongformerForSequenceClassification, config)


def led() -> PreTrainedModel:
    config = LEDConfig(
        vocab_size=100, d_model=16, encoder_layers=2, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16,
        attention_window=WINDOWS, max_encoder_position_embeddings=40, pad_token_id=1,
    )  # fmt: skip
    return made(LEDModel, config)


def tokens(*, padding: int = 0) -> dict[str, Tensor]:
    """Two texts, the second with as much padding on the right."""
    found = torch.randint(8, 100, (2, LENGTH), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(found)
    if padding:
        found[1, -padding:], mask[1, -padding:] = 1, 0
    return {"input_ids": found, "attention_mask": mask}


def dense(module: nn.Module, states: Tensor, real: Tensor, flags: Tensor, half: int) -> Tensor:
    """(examples, heads, queries, keys) by the definition: global queries have projections of
    their own and see every key; others see the window and the global keys.
    """
    place = torch.arange(LENGTH)
    near = (place[:, None] - place).abs() <= half

    def heads(layer: nn.Module) -> Tensor:
        return layer(states).view(*states.shape[:2], module.num_heads, -1).transpose(1, 2)

    scale = math.sqrt(module.head_dim)
    local = heads(module.query) @ heads(module.key).transpose(-1, -2) / scale
    whole = heads(module.query_global) @ heads(module.key_global).transpose(-1, -2) / scale
    open_ = (near | flags[:, None, :]) & real[:, None, :]
    local = local.masked_fill(~open_[:, None], -torch.inf).softmax(-1)
    whole = whole.masked_fill(~real[:, None, None], -torch.inf).softmax(-1)
    return torch.where(flags[:, None, :, None], whole, local)


def expected(
    model: PreTrainedModel, given: dict[str, Tensor], flags: Tensor, kind: str
) -> list[Tensor]:
    """The dense maps of every layer, from the states that its self-attention was given."""
    modules = [m for m in model.modules() if type(m).__name__ == kind]
    states: dict[int, Tensor] = {}

    def keep(module: nn.Module, args: tuple[Any, ...], named: dict[str, Any]) -> None:
        states[id(module)] = args[0] if args else named["hidden_states"]

    handles = [m.register_forward_pre_hook(keep, with_kwargs=True) for m in modules]
    with quiet(), torch.no_grad():
        model(**given)
        real = given["attention_mask"].bool()
        maps = [
            dense(m, states[id(m)][:, :LENGTH], real, flags, m.one_sided_attn_window_size)
            for m in modules
        ]
    for handle in handles:
        handle.remove()
    return maps


def assert_equal(found: list[Capture], stack: str, maps: list[Tensor], real: Tensor) -> None:
    for example, capture in enumerate(found):
        rows = real[example]
        assert capture.stacks[stack].layers == [0, 1]
        for layer, wanted in enumerate(maps):
            own = torch.from_numpy(capture.stacks[stack].weights(layer))
            torch.testing.assert_close(own[:, rows], wanted[example][:, rows], rtol=0, atol=1e-6)


def captured(model: PreTrainedModel, given: dict[str, Tensor]) -> list[Capture]:
    with quiet():
        return attnviz.captures(model, given)


@pytest.mark.parametrize("padding", [0, 4])
def test_a_classifier_gives_its_first_token_global_attention(padding: int) -> None:
    model, given = longformer(), tokens(padding=padding)
    flags = torch.zeros(2, LENGTH, dtype=torch.bool)
    flags[:, 0] = True
    found = captured(model, given)
    maps = expected(model, given, flags, "LongformerSelfAttention")
    assert_equal(found, "self", maps, given["attention_mask"].bool())
    assert found[0].notes == ()


@pytest.mark.parametrize("counts", [(1, 1), (2, 1), (3, 3)])
def test_texts_may_have_more_or_fewer_global_tokens(counts: tuple[int, int]) -> None:
    model, given = longformer(), tokens()
    flags = torch.zeros(2, LENGTH, dtype=torch.bool)
    for example, count in enumerate(counts):
        flags[example, torch.arange(count) * 3 + example] = True
    found = captured(model, given | {"global_attention_mask": flags.long()})
    given |= {"global_attention_mask": flags.long()}
    maps = expected(model, given, flags, "LongformerSelfAttention")
    assert_equal(found, "self", maps, given["attention_mask"].bool())


def test_led_reads_its_source_with_global_tokens() -> None:
    model, given = led(), tokens(padding=2)
    flags = torch.zeros(2, LENGTH, dtype=torch.bool)
    flags[:, [0, 6]] = True
    given |= {
        "global_attention_mask": flags.long(),
        "decoder_input_ids": torch.tensor([[2, 9]] * 2),
    }
    maps = expected(model, given, flags, "LEDEncoderSelfAttention")
    assert_equal(captured(model, given), "encoder", maps, given["attention_mask"].bool())


def test_what_the_window_forbids_is_masked_and_not_zero() -> None:
    capture = captured(longformer(), tokens())[0]
    allowed, place = capture.main_stack.allowed(0), np.arange(LENGTH)
    near = np.abs(place[:, None] - place) <= WINDOWS[0] // 2
    near[0], near[:, 0] = True, True
    assert np.array_equal(allowed, near)


def test_without_global_tokens_a_layer_may_have_less_window_than_padding() -> None:
    """The sequence is padded to the largest window of all layers."""
    model, given = longformer(), tokens()
    given = {name: one[:, :9] for name, one in given.items()}
    flags = torch.zeros(2, 9, dtype=torch.long)
    with quiet():
        found = attnviz.captures(model.longformer, given | {"global_attention_mask": flags})
    assert found[0].stacks["self"].layers == [0, 1]
    sums = found[0].stacks["self"].weights(0).sum(axis=-1)
    assert np.allclose(sums, 1, atol=1e-5)
