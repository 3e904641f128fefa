"""Models with lazy masks: the same outputs and weights, and never a whole mask in memory."""

from __future__ import annotations

import copy
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import FalconConfig, FalconModel, StaticCache

from attnviz.observe.masks import lazy as lazy_mask
from tests.observe.padded import TOKENS, model, needs_lengths, nothing, padded, run, same
from tests.observe.runs import ids, maps, seen_by
from tests.zoo.shrink import quiet

pytestmark = needs_lengths


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("name", ["llama", "mistral", "gemma3", "bert", "bart"])
def test_same_outputs_and_weights_without_a_whole_mask(
    name: str, side: str, counts: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, given = model(name), padded(name, side)
    outputs = run(one, given)
    found = seen_by(one, given)
    assert counts["lazy"] > 0
    assert counts["whole"] == 0
    assert same(found.outputs.last_hidden_state, outputs)
    monkeypatch.setattr(lazy_mask, "LAZY_CELLS", 1 << 40)
    usual = seen_by(one, given)
    with torch.no_grad(), quiet():
        full = model(name, "eager")(**given, output_attentions=True)
    eager = getattr(full, "attentions", None) or (
        *full.encoder_attentions, *full.decoder_attentions, *full.cross_attentions
    )  # fmt: skip
    assert len(found.layers) == len(usual.layers) == len(eager)
    for lazy, ordinary, weights in zip(found.layers, usual.layers, eager, strict=True):
        for example in range(2):
            assert torch.equal(maps(lazy, example), maps(ordinary, example))
            real = ~torch.tensor(lazy.kept[example].queries.padding)
            apart = (maps(lazy, example) - weights[example])[:, real].abs().max()
            assert float(apart) <= 1e-5


def test_position_biases_take_the_mask_as_a_whole(counts: Counter[str]) -> None:
    """T5 adds its bias to the mask in every layer: both are queries by keys."""
    one, given = model("t5"), padded("t5", "right")
    outputs = run(one, given)
    found = seen_by(one, given)
    assert same(found.outputs.last_hidden_state, outputs)
    assert 0 < counts["whole"] <= counts["lazy"]


def test_models_that_call_fused_attention_themselves(counts: Counter[str]) -> None:
    sizes = {"vocab_size": 100, "hidden_size": 32, "num_attention_heads": 2, "num_hidden_layers": 1}
    torch.manual_seed(0)
    one = FalconModel(FalconConfig(**sizes, multi_query=False)).eval()
    given = padded("falcon", "left")
    found = seen_by(one, given)
    assert same(found.outputs.last_hidden_state, run(one, given))
    assert len(found.layers) == 1
    assert counts["lazy"] > 0
    assert counts["whole"] == 0


@pytest.mark.parametrize("kept", [TOKENS, 2048])
def test_keys_of_a_static_cache(kept: int, counts: Counter[str]) -> None:
    """Its keys are more than the queries, and the place of the queries is a tensor."""
    one, given = model("mistral"), padded("mistral", "left")

    def cached() -> dict[str, Any]:
        return {**given, "past_key_values": StaticCache(one.config, max_cache_len=kept)}

    outputs = run(one, cached())
    found = seen_by(one, cached(), wanted=nothing)
    assert same(found.outputs.last_hidden_state, outputs)
    assert counts["lazy"] > 0
    assert counts["whole"] == 0


def test_no_mask_where_the_library_needs_none(counts: Counter[str]) -> None:
    for name in ("llama", "bert"):
        seen_by(model(name), {"input_ids": ids(1, 50)})
    assert not counts


CHANGES: dict[str, Callable[[Tensor], Tensor]] = {
    "cast": lambda mask: torch.where(mask, 0.0, torch.finfo(torch.float32).min),
    "changed in place": lambda mask: mask.logical_and_(torch.arange(mask.shape[-1]) % 5 > 0),
    "assigned to": lambda mask: assigned(mask),
    "combined": lambda mask: mask & ~torch.eye(mask.shape[-1], dtype=torch.bool).roll(1, 1),
    "cut": lambda mask: mask[:, :, :, : mask.shape[-1]].contiguous(),
    "expanded": lambda mask: mask.expand(-1, 2, -1, -1),
    "copied": copy.deepcopy,
}


def assigned(mask: Tensor) -> Tensor:
    mask[..., 5:8] = False
    return mask


@pytest.mark.parametrize("change", CHANGES)
def test_unusual_models_get_the_ordinary_mask(
    change: str, counts: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, given = model("mistral"), padded("mistral", "right", 60)

    def changing(_: nn.Module, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        return args, kwargs | {"attention_mask": CHANGES[change](kwargs["attention_mask"])}

    for layer in one.layers:
        layer.self_attn.register_forward_pre_hook(changing, with_kwargs=True)
    outputs = run(one, given)
    found = seen_by(one, given)
    assert counts["lazy"] > 0
    assert (counts["whole"] == 0) == (change in ("cut", "copied"))
    assert same(found.outputs.last_hidden_state, outputs)
    monkeypatch.setattr(lazy_mask, "LAZY_CELLS", 1 << 40)
    for lazy, ordinary in zip(found.layers, seen_by(one, given).layers, strict=True):
        assert torch.equal(maps(lazy, 1), maps(ordinary, 1))


def test_only_the_observed_run_is_lazy(counts: Counter[str]) -> None:
    one, other, given = model("mistral"), model("mistral"), padded("mistral", "right", 60)
    made: list[int] = []

    def elsewhere(*_: object) -> None:
        before = counts["lazy"]
        thread = threading.Thread(target=run, args=(other, given))
        thread.start()
        thread.join()
        made.append(counts["lazy"] - before)

    one.layers[0].register_forward_hook(elsewhere)
    seen_by(one, given)
    assert made == [0]
    assert counts["lazy"] > 0
    counts.clear()
    run(one, given)
    assert not counts


def test_short_inputs_and_other_implementations_stay_as_they_are(
    counts: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen_by(model("mistral", "eager"), padded("mistral", "right", 60))
    monkeypatch.undo()
    given = padded("mistral", "right", 60)
    asked: list[type] = []
    one = model("mistral")
    one.layers[0].register_forward_pre_hook(
        lambda _, args, kwargs: asked.append(type(kwargs["attention_mask"])), with_kwargs=True
    )
    seen_by(one, given)
    assert asked == [Tensor]
    assert not counts


def test_nothing_stays_when_the_run_raises(counts: Counter[str]) -> None:
    one, given = model("mistral"), padded("mistral", "right", 60)

    def failing(*_: object) -> None:
        raise RuntimeError("no")

    handle = one.layers[1].register_forward_hook(failing)
    with pytest.raises(RuntimeError, match="no"):
        seen_by(one, given)
    handle.remove()
    counts.clear()
    run(one, given)
    assert not counts
