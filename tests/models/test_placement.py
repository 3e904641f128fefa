"""Models that are spread over devices, offloaded or quantized, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from transformers import BitsAndBytesConfig, GPTQConfig

import attnviz
from attnviz.errors import ModelError
from attnviz.models import placement
from attnviz.models.load import load, wrap
from attnviz.runs.check import check_model

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT = "the cat sat on the mat"


@pytest.mark.parametrize("name", ["llama", "bert", "gpt2"])
@pytest.mark.parametrize("where", ["auto", {"": "cpu"}, "offloaded"])
def test_a_spread_model_attends_as_on_one_device(
    folder: Callable[[str], Path], loaded: Callable[[str], Any], name: str, where: Any
) -> None:
    pytest.importorskip("accelerate")
    alone = loaded(name)
    model = load(str(folder(name)), device_map={"": "cpu"} if where == "offloaded" else where)
    if where == "offloaded":
        from accelerate import cpu_offload

        cpu_offload(model.model)
        assert model.model.device.type == "meta"
    else:
        assert model.facts.device == "cpu"
    exact, found = attnviz.capture(alone, TEXT), attnviz.capture(model, TEXT)
    for layer in exact.main_stack.layers:
        np.testing.assert_array_equal(
            found.main_stack.weights(layer), exact.main_stack.weights(layer)
        )
    assert found.prediction == exact.prediction
    for score, values in exact.scores["self"].items():
        assert np.isfinite(found.scores["self"]["norm"]).all()
        np.testing.assert_array_equal(found.scores["self"][score], values, err_msg=score)


@pytest.mark.parametrize(
    ("options", "package", "extra"),
    [
        (["--device-map", "auto"], "accelerate", "attnviz[big]"),
        (["--quantize", "8bit"], "bitsandbytes", "attnviz[quantize]"),
        (["--quantize", "4bit"], "bitsandbytes", "attnviz[quantize]"),
    ],
)
def test_a_missing_package_is_named(
    folder: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    package: str,
    extra: str,
) -> None:
    from attnviz.cli.app import run

    monkeypatch.setattr(placement, "find_spec", lambda name: None)
    assert run(["inspect", TEXT, "-m", str(folder("gpt2")), *options]) == 1
    err = capsys.readouterr().err
    assert f"error: {options[0]} needs the package {package}" in err
    assert extra in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "cpu", "device_map": "auto"}, "--device cpu and --device-map exclude"),
        ({"device_map": "everywhere"}, "'everywhere' is not a device map"),
        ({"quantize": "3bit"}, "'3bit' is no quantization"),
    ],
)
def test_what_is_refused(
    folder: Callable[[str], Path], options: dict[str, str], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        load(str(folder("gpt2")), **options)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (BitsAndBytesConfig(load_in_8bit=True), "8bit weights, else bfloat16"),
        (BitsAndBytesConfig(load_in_4bit=True), "4bit weights, else bfloat16"),
        (GPTQConfig(bits=4), "gptq weights, else bfloat16"),
    ],
)
def test_the_facts_name_the_quantization(
    folder: Callable[[str], Path], how: Any, said: str
) -> None:
    model = load(str(folder("bert")), dtype="bfloat16").model
    assert wrap(model).facts.dtype == "bfloat16"
    model.is_quantized, model.config.quantization_config = True, how  # as a quantizer marks it
    assert wrap(model).facts.dtype == said


@pytest.mark.parametrize("name", ["bert", "llama"])
def test_quantized_weights(
    folder: Callable[[str], Path], capfd: pytest.CaptureFixture[str], name: str
) -> None:
    pytest.importorskip("bitsandbytes")
    exact = attnviz.capture(attnviz.load(str(folder(name)), device="cpu"), TEXT)
    model = attnviz.load(str(folder(name)), device="cpu", quantize="8bit")
    assert model.facts.dtype == "8bit weights, else float32"
    found = attnviz.capture(model, TEXT)
    for layer in found.main_stack.layers:
        weights, own = (one.main_stack.weights(layer) for one in (found, exact))
        assert 0 < np.abs(weights - own).max() < 0.1
        np.testing.assert_allclose(weights.sum(axis=-1), 1, atol=1e-5)
    assert np.isnan(found.scores["self"]["norm"]).all()
    assert all(one.ok for one in check_model(model, TEXT) if one.ok is not None)
    assert "MatMul8bitLt" not in capfd.readouterr().err


def test_quantized_weights_without_a_kernel(folder: Callable[[str], Path]) -> None:
    pytest.importorskip("bitsandbytes")
    model = attnviz.load(str(folder("llama")), device="cpu", quantize="4bit")
    with pytest.raises(ModelError, match="bitsandbytes cannot run llama on cpu"):
        attnviz.capture(model, TEXT)
    with pytest.raises(ModelError, match="bitsandbytes cannot run llama on cpu"):
        check_model(model, TEXT)
