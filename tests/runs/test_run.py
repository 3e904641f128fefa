"""A run from tensors to captures: selections, batches, plans, and what cannot be trusted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

import attnviz
from attnviz.attention.capture import Capture
from attnviz.attention.selection import Selection
from attnviz.errors import (
    CaptureError,
    InputError,
    ModelError,
    SelectionError,
    UsageError,
)
from attnviz.inputs.encode import ModelInputs
from attnviz.inputs.tensors import from_tensors
from attnviz.models.load import wrap
from attnviz.observe.blocks import RowBlock
from attnviz.observe.checks.self_check import IGNORES_PADDING
from attnviz.observe.sources.map_source import FunctionSource, TensorSource
from attnviz.runs import run as module
from attnviz.runs.plan import Plan
from attnviz.runs.request import RunRequest
from attnviz.runs.retain import Keeper
from tests.observe.runs import ids
from tests.sources import changed_blocks
from tests.zoo.shrink import build


def captured(name: str = "llama", tokens: int = 12, **options: Any) -> Capture:
    return attnviz.capture(build(name), {"input_ids": ids(1, tokens)}, **options)


def selected(name: str, selection: Selection, **tensors: Tensor) -> Capture:
    return attnviz.captures(build(name), {"input_ids": ids(1, 12)} | tensors, selection=selection)[
        0
    ]


def shown(capture: Capture) -> dict[str, dict[int, tuple[int, ...]]]:
    """The observed heads by stack and layer."""
    return {
        name: {layer: stack.heads(layer) for layer in stack.layers}
        for name, stack in capture.stacks.items()
    }


ALL = (0, 1, 2, 3)


@pytest.mark.parametrize(
    ("layers", "heads", "expected"),
    [
        (None, None, {0: ALL, 1: ALL}),
        ([1], None, {1: ALL}),
        ([-1], None, {1: ALL}),
        ([-2], [-1], {0: (3,)}),
        (None, [2, 0], {0: (0, 2), 1: (0, 2)}),
        ([0, -1], [1], {0: (1,), 1: (1,)}),
    ],
)
@pytest.mark.parametrize("name", ["llama", "bloom"])
def test_layers_and_heads(
    name: str, layers: list[int] | None, heads: list[int] | None, expected: dict[int, Any]
) -> None:
    found = captured(name, layers=layers, heads=heads)
    assert shown(found) == {"self": expected}
    everything = captured(name).stacks["self"]
    for layer, picked in expected.items():
        for head in picked:
            own = found.stacks["self"].weights(layer, head)
            np.testing.assert_allclose(own, everything.weights(layer, head), atol=1e-6)


def test_the_last_layer_of_a_hybrid_is_its_last_with_attention() -> None:
    found = captured("recurrent_gemma", layers=[-1])
    assert shown(found) == {"self": {2: ALL}}
    with pytest.raises(SelectionError, match=r"layer 0 does not exist: .* has layers 2"):
        captured("recurrent_gemma", layers=[0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": [2]}, "layer 2 does not exist: LlamaModel has layers 0-1"),
        ({"layers": [-3]}, "layer -3 does not exist: LlamaModel has layers 0-1"),
        ({"heads": [4]}, "head 4 does not exist: LlamaModel has heads 0-3 in layer 0"),
        ({"layers": [0, 7]}, "layer 7 does not exist"),
    ],
)
def test_what_does_not_exist(options: dict[str, list[int]], message: str) -> None:
    with pytest.raises(SelectionError, match=message):
        captured(**options)


def test_a_cache_is_run_through_once() -> None:
    model = build("llama")
    tokens = ids(1, 12)
    found = []
    for layer in (1, -1):
        with torch.no_grad():
            cache = model(tokens[:, :8], use_cache=True).past_key_values
        given = {"input_ids": tokens[:, 8:], "past_key_values": cache}
        found.append(attnviz.capture(model, given, layers=[layer]).stacks["self"].weights(1))
    assert found[0].shape == (4, 4, 12)
    np.testing.assert_array_equal(found[0], found[1])


@pytest.mark.parametrize("memory", ["4048", None])
def test_a_layer_counted_from_the_end_gets_the_memory(memory: str | None) -> None:
    """Enough for the one layer that was asked for."""
    found = captured(layers=[-1], memory=memory)
    assert found.stacks["self"].has_weights(1)
    assert found.notes == ()
    assert found.plan["kept"] == found.plan["maps"] == 2304


def test_the_plan_bounds_what_is_kept() -> None:
    whole = captured(tokens=64)
    assert whole.plan["kept"] == 2 * 4 * 64 * 64 * 4
    assert whole.plan["line"] == "whole maps 128.0 KiB"
    stages = {
        "40KiB": ("maps pooled to 16 × 16, 3 heaviest keys of every query kept", "40.0 KiB"),
        "28KiB": ("maps pooled to 16 × 16, heaviest keys dropped", "28.0 KiB"),
        "8KiB": ("maps dropped, scores kept", "8.0 KiB"),
    }
    names = ["pooled maps and top keys", "pooled maps", "scores only"]
    for memory, (said, allowed) in stages.items():
        one = captured(tokens=64, memory=memory)
        layer = one.stacks["self"].layer(1)
        assert one.plan["kept"] == 0
        name, size, unit = one.plan["line"].rsplit(" ", 2)
        assert name == names.pop(0)
        assert unit == "KiB"
        assert float(size) <= float(allowed.split()[0])
        assert not one.stacks["self"].has_weights(0)
        assert one.notes == (f"{said}: whole ones take 128.0 KiB, --memory allows {allowed}",)
        assert ("top_keys" in layer.kept) == ("heaviest keys of" in said)
        assert ("pooled" in layer.kept) == ("pooled" in said)
        if "pooled" in said:
            bins = whole.stacks["self"].weights(1).reshape(4, 16, 4, 16, 4)
            mass = bins.sum(axis=4).mean(axis=2)
            np.testing.assert_allclose(layer.kept["pooled"], mass, atol=1e-6)
        for name, value in whole.scores["self"].items():
            np.testing.assert_array_equal(one.scores["self"][name], value)


def test_the_line_of_the_plan_is_about_one_example() -> None:
    found = attnviz.captures(build("llama"), {"input_ids": ids(3, 16)})
    assert {one.plan["line"] for one in found} == {"whole maps 8.0 KiB"}


@pytest.mark.parametrize(
    ("used", "line"), [(0, "pooled maps and top keys"), (9, "maps pooled in part")]
)
def test_what_the_plan_could_not_foresee_is_no_size(used: int, line: str) -> None:
    keeper = Keeper(Plan(budget=10, maps=0), asked=20, used=used)
    assert keeper.line(1) == line


@pytest.mark.parametrize("memory", ["-1G", "lots", ""])
def test_a_memory_that_is_no_size(memory: str) -> None:
    with pytest.raises(UsageError, match="is no size"):
        captured(memory=memory)


@pytest.mark.parametrize("stack", ["encoder", "decoder", "cross"])
@pytest.mark.parametrize("layer", [None, "0", "-1"])
def test_one_stack(stack: str, layer: str | None) -> None:
    decoder = {"decoder_input_ids": ids(1, 5, seed=2)}
    found = selected("t5", Selection.parse(layer=layer, stack=stack), **decoder)
    layers = {None: [0, 1], "0": [0], "-1": [1]}[layer]
    assert shown(found) == {stack: dict.fromkeys(layers, ALL)}
    sizes = {"encoder": (12, 12), "decoder": (5, 5), "cross": (5, 12)}[stack]
    assert found.stacks[stack].weights(layers[0]).shape == (4, *sizes)
    assert found.plan["maps"] == found.plan["kept"] == len(layers) * 16 * sizes[0] * sizes[1]


def test_a_stack_that_does_not_exist() -> None:
    with pytest.raises(SelectionError, match="stack cross does not exist: LlamaModel has self"):
        selected("llama", Selection.parse(stack="cross"))


def test_heads_are_counted_in_the_stack_that_has_the_most() -> None:
    from transformers import BartConfig, BartModel

    torch.manual_seed(0)
    config = BartConfig(
        vocab_size=100, d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=8,
        decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16,
    )  # fmt: skip
    given = {"input_ids": ids(1, 6), "decoder_input_ids": ids(1, 4)}
    found = attnviz.capture(BartModel(config).eval(), given, heads=[7])
    assert shown(found) == {"encoder": {0: (7,)}}
    with pytest.raises(SelectionError, match="head 8 does not exist"):
        attnviz.capture(BartModel(config).eval(), given, heads=[8])


def encoder_only(model: PreTrainedModel) -> ModelInputs:
    tensors = {"input_ids": ids(1, 9), "decoder_input_ids": torch.tensor([[1]])}
    made = from_tensors(model, tensors)
    return ModelInputs(made.tensors, made.sources, made.targets, encoder_only=True)


def test_without_a_target_only_the_encoder_is_shown() -> None:
    model = build("t5")
    (found,) = module.run(wrap(model), encoder_only(model))
    assert list(found.stacks) == ["encoder"]
    assert found.plan["maps"] == found.plan["kept"]
    for stack in ("decoder", "cross"):
        with pytest.raises(SelectionError):
            module.run(wrap(model), encoder_only(model), RunRequest(Selection(stack=stack)))


@pytest.mark.parametrize("name", ["llama", "bert", "bloom", "gpt2", "modernbert"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_a_padded_batch_equals_its_texts_alone(name: str, side: str) -> None:
    model = build(name)
    long, short = ids(1, 12), ids(1, 8, seed=1)
    inside = slice(4, None) if side == "left" else slice(0, 8)
    tokens, mask = torch.zeros(2, 12, dtype=torch.long), torch.zeros(2, 12, dtype=torch.long)
    tokens[0], mask[0] = long, 1
    tokens[1, inside], mask[1, inside] = short, 1
    given = {"input_ids": tokens, "attention_mask": mask}
    if name in ("gpt2", "bert"):  # whose positions would count the padding
        given["position_ids"] = (mask.cumsum(-1) - 1).clamp_min(0)
    together = attnviz.captures(model, given)
    alone = [attnviz.capture(model, {"input_ids": one}) for one in (long, short)]
    assert len(together) == 2
    assert together[1].stacks["self"].queries(0).padding == tuple(not m for m in mask[1].tolist())
    for one, other, part in zip(together, alone, (slice(None), inside), strict=True):
        for layer in one.stacks["self"].layers:
            own = one.stacks["self"].weights(layer)[:, part, part]
            np.testing.assert_allclose(own, other.stacks["self"].weights(layer), atol=1e-5)
        for score, value in other.scores["self"].items():
            np.testing.assert_allclose(one.scores["self"][score], value, atol=1e-4, err_msg=score)


def test_a_capture_holds_one_example() -> None:
    with pytest.raises(InputError, match="the tensors hold 3 examples"):
        attnviz.capture(build("bert"), {"input_ids": ids(3, 6)})
    assert len(attnviz.captures(build("bert"), {"input_ids": ids(3, 6)})) == 3


@pytest.mark.parametrize(
    ("tensors", "message"),
    [({}, "there are none"), ({"pixel_values": torch.zeros(1)}, "pixel_values"),
     ({"input_ids": torch.zeros(3, dtype=torch.long)}, r"shape \(3,\)")],
)  # fmt: skip
def test_tensors_without_tokens(tensors: dict[str, Tensor], message: str) -> None:
    with pytest.raises(InputError, match=message):
        attnviz.capture(build("bert"), tensors)


def test_a_text_needs_a_tokenizer() -> None:
    with pytest.raises(InputError, match="has no tokenizer"):
        attnviz.capture(build("bert"), "hello")


def test_embeddings_have_slots() -> None:
    model = build("llama")
    tokens = ids(1, 7)
    embedded = model.get_input_embeddings()(tokens).detach()
    found = attnviz.capture(model, {"inputs_embeds": embedded})
    assert found.stacks["self"].queries(0).kind == "slot"
    other = attnviz.capture(model, {"input_ids": tokens}).stacks["self"]
    np.testing.assert_allclose(found.stacks["self"].weights(1), other.weights(1), atol=1e-6)


@pytest.mark.parametrize(("name", "source"), [("llama", FunctionSource), ("bloom", TensorSource)])
@pytest.mark.parametrize(
    ("factor", "check"), [(2.0, "rows sum to 1"), (torch.nan, "finite"), (0.9, "rows sum to 1")]
)
def test_a_capture_that_cannot_be_trusted_is_an_error(
    name: str, source: type, factor: float, check: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed_blocks(monkeypatch, source, lambda block: {"weights": block.weights * factor})
    with pytest.raises(CaptureError, match=f"cannot be trusted: .*{check}") as caught:
        captured(name)
    assert "attnviz check" in caught.value.hint


def test_weight_on_masked_keys_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fewer(block: RowBlock) -> dict[str, Tensor]:
        allowed = block.allowed.clone()
        allowed[:, 0] = False
        return {"allowed": allowed}

    changed_blocks(monkeypatch, FunctionSource, fewer)
    with pytest.raises(CaptureError, match="masked keys get nothing"):
        captured("bert")


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB"),
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    ],
)
def test_running_out_of_memory_says_what_to_reduce(error: Exception) -> None:
    model = build("llama")

    def fail(*_: object) -> None:
        raise error

    model.layers[1].register_forward_pre_hook(fail)
    with pytest.raises(
        ModelError, match=r"out of memory on cpu at 12 tokens \(whole maps, 7.9 KiB; "
    ) as caught:
        attnviz.capture(model, {"input_ids": ids(1, 12)})
    assert "select layers or heads" in caught.value.hint
    assert caught.value.__cause__ is error


def test_other_errors_of_the_model_are_said_to_be_its_own() -> None:
    model = build("llama")
    model.layers[0].register_forward_pre_hook(lambda *_: torch.ones(3) + torch.ones(5))
    message = "running LlamaModel failed: RuntimeError: The size of tensor a"
    with pytest.raises(ModelError, match=message) as caught:
        attnviz.capture(model, {"input_ids": ids(1, 8)})
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_no_map_is_an_error_and_never_an_empty_capture(monkeypatch: pytest.MonkeyPatch) -> None:
    from attnviz.observe.engine import Observation

    monkeypatch.setattr(Observation, "stacks", lambda self, example=0: {})
    with pytest.raises(CaptureError, match="no attention map of LlamaModel can be shown"):
        captured()


def test_facts_and_checks() -> None:
    found = captured("gemma2")
    assert (found.model.name, found.model.layers, found.model.heads) == ("Gemma2Model", 2, 4)
    assert [check.name for check in found.checks] == [
        "finite",
        "rows sum to 1",
        "masked keys get nothing",
        IGNORES_PADDING,
    ]
    assert all(check.ok for check in found.checks)
    assert found.text == ""
