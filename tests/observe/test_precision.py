"""Numbers of any precision, and numbers that are none."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel

import attnviz
from attnviz.errors import CaptureError
from attnviz.models.load import wrap
from attnviz.observe.checks.crosscheck import crosscheck
from tests.observe.runs import axes, eager_maps, ids, maps, seen_by
from tests.zoo.oracle import inputs
from tests.zoo.shrink import build

NAMES = ["gpt2", "llama", "gemma2", "bloom", "t5", "bert"]


@pytest.fixture
def double() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def assert_equals_eager(model: PreTrainedModel) -> None:
    given = {"input_ids": ids(1, 12)}
    model.set_attn_implementation("eager")
    expected = eager_maps(model, given)
    model.set_attn_implementation("sdpa")
    for layer, wanted in zip(seen_by(model, given).layers, expected, strict=True):
        torch.testing.assert_close(maps(layer), wanted[0].float(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_float64_models_are_captured(name: str) -> None:
    model = build(name).double()
    given = inputs(model)
    capture = attnviz.captures(model, given)[0]
    assert capture.checks
    assert all(check.ok for check in capture.checks)
    targets = axes(given["decoder_input_ids"]) if "decoder_input_ids" in given else None
    checks = crosscheck(wrap(model), given, axes(given["input_ids"]), targets, "float64")
    assert all(check.ok for check in checks), checks


def test_float64_weights_are_those_of_eager() -> None:
    assert_equals_eager(build("llama").double())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("memory", [None, "60KB"])
def test_torch_may_make_float64_by_default(name: str, memory: str | None, double: None) -> None:
    model = build(name)
    assert model.dtype == torch.float32
    given = inputs(model)
    wanted = attnviz.captures(model, given, memory=memory)
    torch.set_default_dtype(torch.float32)
    for one, other in zip(wanted, attnviz.captures(model, given, memory=memory), strict=True):
        for stack, scores in other.scores.items():
            for score, values in scores.items():
                np.testing.assert_allclose(one.scores[stack][score], values, atol=1e-6)


def spoiled(name: str, value: float) -> PreTrainedModel:
    """The queries of some heads of the second layer hold this value."""
    model = build(name)
    for path in ("layers.1.self_attn.q_proj.weight", "h.1.attn.c_attn.weight",
                 "encoder.layer.1.attention.self.query.weight",
                 "h.1.self_attention.query_key_value.weight"):  # fmt: skip
        found = [one for key, one in model.named_parameters() if key.endswith(path)]
        if found:
            with torch.no_grad():
                found[0].flatten()[3] = value
            return model
    raise AssertionError(name)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("name", ["gpt2", "llama", "gemma2", "bert", "bloom"])
def test_numbers_that_are_none_cannot_be_trusted(name: str, value: float) -> None:
    model, given = spoiled(name, value), {"input_ids": ids(1, 9)}
    with pytest.raises(CaptureError, match=r"cannot be trusted: finite: \d+ rows are not"):
        attnviz.capture(model, given)
    capture = attnviz.capture(model, given, untrusted=True)
    assert "finite" in {check.name for check in capture.checks if check.ok is False}
    assert capture.notes[0].startswith("not to be trusted: finite: ")
    assert not np.isfinite(capture.main_stack.weights(1)).all()
    assert np.isfinite(capture.main_stack.weights(0)).all()


def test_the_other_heads_keep_their_numbers() -> None:
    """Where one head's queries are spoiled, the scores of the others are those they had."""
    sound = build("llama")
    model = build("llama")
    size = model.config.head_dim
    given = {"input_ids": ids(1, 9)}
    with torch.no_grad():
        model.get_submodule("layers.1.self_attn.q_proj").weight[:size] = torch.nan
    found = attnviz.capture(model, given, untrusted=True).scores["self"]
    for name, values in attnviz.capture(sound, given).scores["self"].items():
        np.testing.assert_allclose(found[name][0], values[0], rtol=1e-5, atol=1e-7)
        if name == "norm":  # the projection gets all heads together: it proves nothing here
            assert np.isnan(found[name][1]).all()
            continue
        np.testing.assert_allclose(found[name][1, 1:], values[1, 1:], rtol=1e-5, atol=1e-7)
        if name not in ("special", "punctuation"):  # no token is special here
            assert np.isnan(found[name][1, 0]), name
