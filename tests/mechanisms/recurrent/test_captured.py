"""What attnviz captures of a recurrent model is what the model says of itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForSeq2SeqLM

import attnviz
from attnviz.inputs.encode import ModelInputs
from attnviz.mechanisms import FAMILIES, attend_by_name
from attnviz.mechanisms.recurrent import RecurrentForConditionalGeneration, register
from attnviz.models.load import wrap
from attnviz.runs.check import check_model
from tests.mechanisms.recurrent.builds import SCORES, SHAPES, build, given


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("choices", SHAPES, ids=str)
def test_captured_weights_are_the_models_own(score: str, choices: dict) -> None:
    model, inputs = build(score=score, **choices), given(2)
    inputs["attention_mask"] = torch.tensor([[1] * 7, [1] * 4 + [0] * 3])
    with torch.no_grad():
        own = model(**inputs, output_attentions=True).cross_attentions[0].numpy()
    for example, capture in enumerate(attnviz.captures(model, inputs)):
        assert list(capture.stacks) == ["cross"]
        stack = capture.stacks["cross"]
        assert list(stack.layers) == [0]
        assert np.abs(stack.weights(0) - own[example]).max() <= 1e-5
        assert own.std() > 0.05
        assert (capture.model.layers, capture.model.heads) == (1, 1)
        assert capture.notes == ()


@pytest.mark.parametrize("score", SCORES)
def test_the_reference_gives_the_captured_weights(score: str) -> None:
    """The states through `mechanisms`, from queries seen at the module's door."""
    model, inputs = build(score=score), given()
    asked: list[torch.Tensor] = []
    model.decoder.cross_attention.register_forward_pre_hook(lambda _, args: asked.append(args[0]))
    stack = attnviz.capture(model, inputs).stacks["cross"]
    with torch.no_grad():
        keys = model.encoder(inputs["input_ids"]).last_hidden_state
        parameters = dict(model.decoder.cross_attention.parameters_of_score.items())
        assert set(parameters) == set(FAMILIES[score].parameters)
        found = attend_by_name(score, torch.stack(asked, 1), keys, keys, parameters)
    assert np.abs(stack.weights(0) - found.weights[0].numpy()).max() <= 1e-5


def test_one_step_is_captured_too() -> None:
    model, inputs = build(), given(target=1)
    stack = attnviz.capture(model, inputs).stacks["cross"]
    own = model(**inputs, output_attentions=True).cross_attentions[0]
    assert np.abs(stack.weights(0) - own[0].detach().numpy()).max() <= 1e-5


@pytest.mark.parametrize("score", SCORES)
def test_check_proves_it(score: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, inputs = build(score=score), given(source=14)
    inputs["attention_mask"] = torch.ones(1, 14, dtype=torch.long)
    monkeypatch.setattr("attnviz.runs.check.encode", lambda *_, **__: ModelInputs(inputs, ()))
    found = check_model(wrap(model), "text")
    assert [one for one in found if not one.ok] == []
    assert sum(one.name.startswith("equal to eager") for one in found) == 3


@pytest.mark.parametrize("choices", SHAPES, ids=str)
def test_a_saved_folder_loads(choices: dict, tmp_path: Path) -> None:
    model, inputs = build(score="general", **choices), given()
    model.save_pretrained(tmp_path)
    loaded = attnviz.load(str(tmp_path))
    assert isinstance(loaded.model, RecurrentForConditionalGeneration)
    assert loaded.untrained == ()
    assert not loaded.model.training
    wanted = model(**inputs).logits
    assert torch.allclose(loaded.model(**inputs).logits, wanted, atol=1e-5)
    register()
    assert AutoConfig.from_pretrained(tmp_path).to_diff_dict() == loaded.model.config.to_diff_dict()
    by_auto = AutoModelForSeq2SeqLM.from_pretrained(tmp_path)
    assert torch.allclose(by_auto(**inputs).logits, wanted, atol=1e-5)


def test_weights_that_a_folder_lacks_are_drawn(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    build().save_pretrained(tmp_path)
    file = tmp_path / "model.safetensors"
    weights = load_file(file)
    del weights["bias"], weights["decoder.combine.weight"]
    save_file(weights, file, metadata={"format": "pt"})
    loaded = attnviz.load(str(tmp_path))
    assert loaded.untrained == ("bias", "decoder.combine.weight")
    assert not loaded.model.bias.any()
    assert loaded.model.decoder.combine.weight.std() > 0
