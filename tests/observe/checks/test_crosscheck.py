"""The crosscheck passes on what is right and fails on what is wrong."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from attnviz.attention.capture import Check
from attnviz.models.load import wrap
from attnviz.observe.checks import crosscheck as module
from attnviz.observe.checks.crosscheck import (
    compared,
    crosscheck,
    eager_maps,
    eager_twin,
    flat,
    matters,
)
from attnviz.observe.checks.evened import even
from attnviz.observe.engine import Layer
from attnviz.observe.sources.map_source import FunctionSource, TensorSource
from tests.observe.runs import axes, seen_by
from tests.sources import changed_blocks
from tests.zoo.oracle import Padding, inputs
from tests.zoo.shrink import build, quiet


def checks(name: str, padding: Padding = "left") -> list[Check]:
    model = build(name)
    given = inputs(model, padding)
    targets = axes(given["decoder_input_ids"]) if "decoder_input_ids" in given else None
    with quiet():
        sources = axes(given["input_ids"], given["attention_mask"])
        return crosscheck(wrap(model), given, sources, targets, "padded")


@pytest.mark.parametrize("name", ["llama", "bert", "t5", "bloom", "gpt_oss", "modernbert", "bart"])
def test_right_weights_pass(name: str) -> None:
    found = checks(name)
    assert [check.name for check in found if not check.ok] == []
    assert found[0].name == "outputs unchanged, padded"
    assert all("largest difference" in check.detail for check in found[1:])
    assert len(found) == (4 if name in ("t5", "bart") else 2)


@pytest.mark.parametrize(
    ("name", "source"),
    [("llama", FunctionSource), ("bert", FunctionSource), ("bloom", TensorSource)],
)
@pytest.mark.parametrize("wrong", [lambda rows: rows.roll(1, 0), lambda rows: rows * torch.nan])
def test_wrong_weights_fail(
    name: str, source: type, wrong: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Heads out of place, and rows that are no numbers."""
    changed_blocks(monkeypatch, source, lambda block: {"weights": wrong(block.weights)})
    failed = [check.name for check in checks(name) if not check.ok]
    assert failed == ["equal to eager, padded"]


def test_outputs_that_differ_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    real = module.observe

    def disturbed(*given: Any) -> Any:
        seen = real(*given)
        next(flat(seen.outputs)).add_(1e-6)
        return seen

    monkeypatch.setattr(module, "observe", disturbed)
    found = checks("bert")
    assert [check.name for check in found if not check.ok] == ["outputs unchanged, padded"]


@pytest.mark.parametrize(
    "name", ["llama", "t5", "gpt2", "bart", "deberta-v2", "encoder-decoder", "xlnet"]
)
def test_the_twin_has_the_same_weights_and_buffers(name: str) -> None:
    """Tied weights and buffers that are not saved included, and no memory of its own."""
    model = build(name)
    with quiet():
        twin = eager_twin(model)
    assert not twin.training
    assert twin.config._attn_implementation == "eager"
    own, other = dict(model.named_parameters()), dict(twin.named_parameters())
    assert own.keys() == other.keys()
    assert all(torch.equal(own[key], other[key]) for key in own)
    shared = [own[key].data_ptr() == other[key].data_ptr() for key in own]
    assert sum(shared) >= len(shared) - 1  # a tied bias may be a copy
    buffers = dict(twin.named_buffers())
    for key, value in model.named_buffers():
        assert torch.equal(buffers[key], value)
    assert not any(one.is_meta for one in (*twin.parameters(), *twin.buffers()))


def test_the_twin_leaves_the_model_as_it_is() -> None:
    model = build("llama")
    eager_maps(model, inputs(model))
    assert model.config._attn_implementation == "sdpa"
    assert next(model.parameters()).device.type == "cpu"


@pytest.mark.parametrize("name", ["llama", "bert", "t5", "bloom"])
def test_every_layer_matters(name: str) -> None:
    model = build(name)
    given = inputs(model)
    targets = axes(given["decoder_input_ids"]) if "decoder_input_ids" in given else None
    with quiet():
        (check,) = matters(wrap(model), given, axes(given["input_ids"]), targets)
    assert check.ok
    layers = 6 if name == "t5" else 2
    assert check.detail == f"in each of {layers} layers"


@pytest.mark.parametrize("name", ["bert", "bloom"])
def test_a_layer_whose_values_are_zero_does_not_matter(name: str) -> None:
    model = build(name)
    given = inputs(model)
    path = (
        "encoder.layer.1.attention.output.dense" if name == "bert" else "h.1.self_attention.dense"
    )
    torch.nn.init.zeros_(model.get_submodule(path).weight)
    with quiet():
        (check,) = matters(wrap(model), given, axes(given["input_ids"]), None)
    assert not check.ok
    assert check.detail == "unused: self L1"


def layer(weights: Tensor) -> Layer:
    """The first layer of a real capture with other weights in it."""
    model = build("bert")
    found = seen_by(model, inputs(model)).layers[0]
    for example, kept in enumerate(found.kept):
        kept.kept["weights"] = weights[example].numpy()  # type: ignore[index]
    return found


@pytest.mark.parametrize("value", [0.5, torch.nan, torch.inf])
def test_one_wrong_cell_is_enough(value: float) -> None:
    weights = torch.full((2, 4, 24, 24), 1 / 24)
    eager = weights.clone()
    assert compared([layer(weights)], {"attentions": [eager]}, 1e-4, "x")[0].ok
    eager[1, 3, 23, 5] = value
    assert not compared([layer(weights)], {"attentions": [eager]}, 1e-4, "x")[0].ok


def test_even_rows_keep_their_sum_and_their_keys() -> None:
    rows = torch.tensor([[0.2, 0.3, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    expected = torch.tensor([[0.25, 0.25, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    torch.testing.assert_close(even(rows), expected)


def test_flat_leaves_caches_out() -> None:
    one, two, three = (torch.full((1,), float(n)) for n in range(3))
    outputs = {"a": one, "past_key_values": two, "b": (None, [three])}
    assert [float(each) for each in flat(outputs)] == [0, 2]


def test_the_callers_random_numbers_go_on() -> None:
    model = build("bert")
    given = inputs(model)
    sources = axes(given["input_ids"])
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    with quiet():
        crosscheck(wrap(model), given, sources, None, "unpadded")
        matters(wrap(model), given, sources, None)
    assert torch.equal(torch.rand(3), expected)
