"""What the taps see: caches, flash rules, half precision, torch's own attention."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import (
    AttentionInterface,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.masking_utils import AttentionMaskInterface, flash_attention_mask

from attnviz.observe.checks.self_check import verdicts
from tests.observe.runs import eager_maps, ids, maps, seen_by, whole
from tests.zoo.oracle import inputs
from tests.zoo.shrink import build, quiet


@pytest.mark.parametrize("name", ["gpt2", "mistral", "gemma2"])
@pytest.mark.parametrize("past", [1, 15])
def test_cached_keys_come_before_the_queries(name: str, past: int) -> None:
    """A call with `past_key_values` has more keys than queries."""
    eager = build(name, attn_implementation="eager")
    tokens, mask = ids(2, 24), torch.ones(2, 24, dtype=torch.long)
    mask[1, :3] = 0
    expected = eager_maps(eager, {"input_ids": tokens, "attention_mask": mask})
    model = build(name)
    with torch.no_grad(), quiet():
        first = model(tokens[:, :past], attention_mask=mask[:, :past], use_cache=True)
        kept = first.past_key_values
    rest = {"input_ids": tokens[:, past:], "attention_mask": mask, "past_key_values": kept}
    seen = seen_by(model, rest)
    assert len(seen.layers) == 2
    for layer, weights in zip(seen.layers, expected, strict=True):
        for example in range(2):
            own = maps(layer, example)
            start = 24 - own.shape[-1]  # a sliding cache drops old keys
            rows = slice(3, None) if past < 3 else slice(None)
            apart = own - weights[example, :, past:, start:]
            assert float(apart[:, rows].abs().max()) <= 1e-5
            assert len(layer.kept[example].keys) == own.shape[-1]


def test_one_cached_step_sees_everything() -> None:
    model = build("llama")
    tokens = ids(1, 12)
    with torch.no_grad():
        cache = model(tokens[:, :11], use_cache=True).past_key_values
    seen = seen_by(model, {"input_ids": tokens[:, 11:], "past_key_values": cache})
    own = maps(seen.layers[0])
    assert own.shape == (4, 1, 12)
    assert bool((own > 0).all())
    expected = eager_maps(build("llama", attn_implementation="eager"), {"input_ids": tokens})
    torch.testing.assert_close(own[:, 0], expected[0][0, :, -1], atol=1e-5, rtol=0)


def flash(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    padding: Tensor | None,
    **given: Any,
) -> tuple[Tensor, None]:
    """What flash kernels compute, by a dense mask; a padded row gives zeros."""
    queries, keys = query.shape[2], key.shape[2]
    back = torch.arange(queries)[:, None] + keys - queries - torch.arange(keys)
    asked = given.get("is_causal")
    window = given.get("sliding_window")
    free = back >= 0 if (module.is_causal if asked is None else asked) else back == back
    free = free if window is None else free & (back.abs() < window)
    free = free[None, None]
    if padding is not None:
        free = free & padding[:, None, None, -keys:].bool()
    groups = query.shape[1] // key.shape[1]
    scores = query @ key.repeat_interleave(groups, 1).transpose(-1, -2) * given["scaling"]
    weights = scores.masked_fill(~free, -torch.inf).softmax(-1).nan_to_num()
    return (weights @ value.repeat_interleave(groups, 1)).transpose(1, 2), None


@pytest.fixture
def flash_name() -> Iterator[str]:
    """An attention implementation that follows the rules of the flash kernels, on any device."""
    name = "flash_by_hand"
    AttentionInterface.register(name, flash)
    AttentionMaskInterface.register(name, flash_attention_mask)
    yield name
    del AttentionInterface._global_mapping[name]
    del AttentionMaskInterface._global_mapping[name]


@pytest.mark.parametrize("name", ["llama", "mistral", "modernbert", "olmo3", "bert"])
@pytest.mark.parametrize("padding", ["none", "left", "right"])
def test_flash_rules(name: str, padding: Any, flash_name: str) -> None:
    """Padding masks of two dimensions, windows and triangles that only the kernel knows."""
    model = build(name)
    model.config._attn_implementation = flash_name
    given = inputs(model, padding)
    seen = seen_by(model, given)
    expected = eager_maps(build(name, attn_implementation="eager"), given)
    assert len(seen.layers) == len(expected)
    for layer, weights in zip(seen.layers, expected, strict=True):
        for example in range(2):
            real = given["attention_mask"][example].bool()
            apart = (maps(layer, example) - weights[example]).abs()[:, real]
            assert float(apart.max()) <= 1e-5
    assert all(check.ok for check in verdicts(seen.stacks(1).values()))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", ["llama", "bert", "bloom", "t5", "gpt_oss", "gemma2", "deberta"])
def test_half_precision_models(name: str, dtype: torch.dtype) -> None:
    """gpt_oss: the rounded rows of a model with learned sinks may exceed 1 a little."""
    exact = build(name)
    given = inputs(exact, "right")
    model = build(name).to(dtype)
    seen = seen_by(model, given)
    assert all(check.ok for check in verdicts(seen.stacks(1).values()))
    real = given["attention_mask"][1].bool()
    for layer, other in zip(seen.layers, seen_by(exact, given).layers, strict=True):
        rows = (
            real if layer.place.role != "cross" and layer.place.role != "decoder" else slice(None)
        )
        own = maps(layer, 1)[:, rows]
        assert own.dtype == torch.float32
        if not layer.kept[1].kept["check"][5] < 0:
            torch.testing.assert_close(own.sum(-1), torch.ones(own.shape[:2]), atol=0.01, rtol=0)
        assert float((own - maps(other, 1)[:, rows]).abs().mean()) < 0.03


class Config(PreTrainedConfig):
    model_type = "by_hand"
    num_attention_heads = 4
    num_hidden_layers = 2


class ByHand(PreTrainedModel):
    """Attention by one torch call, with a mask of any rank, or by a module of torch."""

    config_class = Config

    def __init__(self, mask: Tensor | None = None, *, module: bool = False) -> None:
        super().__init__(Config())
        self.embed = nn.Embedding(100, 16)
        inner: list[nn.Module] = [
            nn.MultiheadAttention(16, 4) if module else Dot(mask) for _ in range(2)
        ]
        self.layers = nn.ModuleList(inner)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """Leave the weights as torch made them."""

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        states = self.embed(input_ids)
        for layer in self.layers:
            if isinstance(layer, Dot):
                states = states + layer(states)
            else:
                turned = states.transpose(0, 1)
                states = states + layer(turned, turned, turned, need_weights=False)[0].transpose(
                    0, 1
                )
        return states


class Dot(nn.Module):
    def __init__(self, mask: Tensor | None) -> None:
        super().__init__()
        self.mask = mask

    def forward(self, states: Tensor) -> Tensor:
        heads = states.unflatten(-1, (4, 4)).transpose(1, 2)
        found = nn.functional.scaled_dot_product_attention(
            heads, heads, heads, self.mask, scale=2.0
        )
        return found.transpose(1, 2).flatten(2)


@pytest.mark.parametrize("rank", [2, 3, 4])
@pytest.mark.parametrize("length", [2, 6])
def test_masks_of_any_rank_given_to_torch(rank: int, length: int) -> None:
    """A mask of two dimensions is (queries, keys) here, even when it is as long as the batch."""
    lower = torch.ones(length, length).tril().bool()
    model = ByHand(lower[(None,) * (rank - 2)])
    tokens = ids(2, length)
    seen = seen_by(model, {"input_ids": tokens})
    states = model.embed(tokens).unflatten(-1, (4, 4)).transpose(1, 2)
    scores = (states @ states.transpose(-1, -2) * 2).masked_fill(~lower, -torch.inf)
    expected = scores.softmax(-1).detach()
    for example in range(2):
        torch.testing.assert_close(
            maps(seen.layers[0], example), expected[example], atol=1e-6, rtol=0
        )
    assert [one.place.layer for one in seen.layers] == [0, 1]


def test_attention_modules_of_torch() -> None:
    torch.manual_seed(0)
    model = ByHand(module=True).eval()
    tokens = ids(2, 6)
    seen = seen_by(
        model, {"input_ids": tokens}, whole, lambda role, layer, heads: [0, 3] if layer else ()
    )
    with torch.no_grad():
        assert torch.equal(seen.outputs, model(tokens))
        states = model.embed(tokens)
        turned = states.transpose(0, 1)
        states = states + model.layers[0](turned, turned, turned)[0].transpose(0, 1)
        turned = states.transpose(0, 1)
        weights = model.layers[1](turned, turned, turned, average_attn_weights=False)[1]
    assert [len(one.kept) for one in seen.layers] == [0, 2]
    assert [one.n_heads for one in seen.layers] == [4, 4]
    for example in range(2):
        expected = weights[example, [0, 3]]
        torch.testing.assert_close(maps(seen.layers[1], example), expected, atol=1e-6, rtol=0)
