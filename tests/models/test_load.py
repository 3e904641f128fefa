"""Loading real tiny models from folders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
import transformers

from attnviz.errors import ModelError
from attnviz.models.load import load, wrap
from tests.models import tiny

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from attnviz.models.loaded import LoadedModel


@pytest.mark.parametrize(
    ("name", "architecture", "layers", "heads"),
    [
        ("bert", "BertForMaskedLM", 2, 4),
        ("bert.ForSequenceClassification", "BertForSequenceClassification", 2, 4),
        ("bert.Model", "BertModel", 2, 4),
        ("gpt2", "GPT2LMHeadModel", 2, 4),
        ("llama", "LlamaForCausalLM", 3, 4),
        ("t5", "T5ForConditionalGeneration", 3, 4),
        ("bart", "BartForConditionalGeneration", 2, 4),
    ],
)
def test_head_and_facts(
    loaded: Callable[[str], LoadedModel], name: str, architecture: str, layers: int, heads: int
) -> None:
    found = loaded(name)
    facts = found.facts
    assert type(found.model).__name__ == facts.architecture == architecture
    assert (facts.layers, facts.heads) == (layers, heads)
    assert facts.name == name
    assert facts.revision is None
    assert (facts.dtype, facts.device, facts.implementation) == ("float32", "cpu", "sdpa")
    assert facts.parameters == sum(p.numel() for p in found.model.parameters())
    assert found.tokenizer is not None
    assert not found.model.training
    assert found.untrained == ()
    assert found.notes == ()


def test_weights_are_those_of_the_folder(folder: Callable[[str], Path]) -> None:
    path = folder("gpt2")
    plain = transformers.GPT2LMHeadModel.from_pretrained(path)
    found = load(str(path), device="cpu")
    for one, two in zip(plain.parameters(), found.model.parameters(), strict=True):
        assert torch.equal(one, two)


@pytest.mark.parametrize("name", ["bert.Model", "gpt2", "llama", "t5", "bart", "roberta"])
def test_without_weights_it_is_planned_alike(
    loaded: Callable[[str], LoadedModel], copy: Callable[[str], Path], name: str
) -> None:
    from attnviz.attention.selection import Selection
    from attnviz.inputs.encode import encode
    from attnviz.runs.forecast import foreseen
    from attnviz.runs.request import RunRequest

    path = copy(name)
    (path / "model.safetensors").unlink()
    outline = load(str(path), weights=False)
    assert outline.model.device.type == "meta"
    assert outline.facts.parameters == loaded(name).facts.parameters
    asked = RunRequest(Selection.parse(layer="1"), 2**30)
    one, other = (
        foreseen(model, encode(model, "the cat sat on the mat"), asked)
        for model in (outline, loaded(name))
    )
    assert one == other


def test_without_weights_nor_a_named_class(copy: Callable[[str], Path]) -> None:
    path = copy("bert")
    tiny.edit(path, architectures=None)
    assert load(str(path), weights=False).facts.architecture == "BertModel"


def test_nested_and_paired_configs() -> None:
    from transformers import BertConfig, EncoderDecoderConfig, EncoderDecoderModel

    def config(layers: int, heads: int) -> BertConfig:
        return BertConfig(
            vocab_size=20,
            hidden_size=24,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            intermediate_size=8,
        )

    both = EncoderDecoderConfig.from_encoder_decoder_configs(config(1, 2), config(3, 6))
    facts = wrap(tiny.built(EncoderDecoderModel, both)).facts
    assert (facts.layers, facts.heads) == (3, 6)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_dtype(folder: Callable[[str], Path], dtype: str) -> None:
    assert load(str(folder("bert")), dtype=dtype).facts.dtype == dtype


def test_dtype_auto_is_the_checkpoints(tmp_path: Path) -> None:
    path = tiny.bert(tmp_path / "half")
    tiny.save(path, transformers.BertForMaskedLM.from_pretrained(path).to(torch.bfloat16))
    assert load(str(path)).facts.dtype == "bfloat16"


def test_untrained_head_is_told(copy: Callable[[str], Path]) -> None:
    path = copy("bert.Model")
    tiny.edit(path, architectures=["BertForSequenceClassification"])
    found = load(str(path))
    assert found.facts.architecture == "BertForSequenceClassification"
    assert found.untrained == ("classifier.bias", "classifier.weight")
    assert "set at random" in found.notes[0]


def test_architecture_that_is_not_in_transformers(copy: Callable[[str], Path]) -> None:
    path = copy("bert")
    tiny.edit(path, architectures=["MyOwnForMaskedLM"])
    found = load(str(path))
    assert found.facts.architecture == "BertForMaskedLM"
    assert "MyOwnForMaskedLM" in found.notes[0]
    tiny.edit(path, architectures=["MyOwnThing"])
    assert load(str(path)).facts.architecture == "BertModel"
    tiny.edit(path, architectures=["GPT2LMHeadModel"])
    assert load(str(path)).facts.architecture == "BertLMHeadModel"
    tiny.edit(path, architectures=None)
    assert load(str(path)).facts.architecture == "BertModel"


REMOTE_CONFIG = """
from transformers import BertConfig
class OwnConfig(BertConfig):
    model_type = "own-kind"
"""
REMOTE_MODEL = """
from transformers import BertForMaskedLM
from .configuration_own import OwnConfig
class OwnForMaskedLM(BertForMaskedLM):
    config_class = OwnConfig
"""


def test_own_code_runs_only_when_allowed(
    copy: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import dynamic_module_utils

    monkeypatch.setattr(dynamic_module_utils, "HF_MODULES_CACHE", str(tmp_path / "modules"))
    path = copy("bert")
    (path / "configuration_own.py").write_text(REMOTE_CONFIG)
    (path / "modeling_own.py").write_text(REMOTE_MODEL)
    tiny.edit(
        path,
        model_type="own-kind",
        architectures=["OwnForMaskedLM"],
        auto_map={
            "AutoConfig": "configuration_own.OwnConfig",
            "AutoModelForMaskedLM": "modeling_own.OwnForMaskedLM",
        },
    )
    with pytest.raises(ModelError, match="brings its own code") as error:
        load(str(path))
    assert "--trust-remote-code" in error.value.hint
    found = load(str(path), trust_remote_code=True)
    assert found.facts.architecture == "OwnForMaskedLM"
    [note] = found.notes
    assert note.endswith("(configuration_own.py, modeling_own.py): OwnForMaskedLM of it was run")


def test_no_tokenizer(copy: Callable[[str], Path]) -> None:
    path = copy("bert")
    for file in path.glob("tokenizer*"):
        file.unlink()
    found = load(str(path))
    assert found.tokenizer is None
    assert "no tokenizer" in found.notes[0]


def test_nothing_is_printed(copy: Callable[[str], Path], capfd: pytest.CaptureFixture[str]) -> None:
    path = copy("bert.Model")
    tiny.edit(path, architectures=["BertForSequenceClassification"])
    said: list[str] = []
    verbosity = transformers.logging.get_verbosity()
    bars = transformers.utils.logging.is_progress_bar_enabled()
    capfd.readouterr()  # what saving the model for this test has printed
    load(str(path), progress=said.append)
    assert capfd.readouterr() == ("", "")
    assert said == ["load bert.Model"]
    assert transformers.logging.get_verbosity() == verbosity
    assert transformers.utils.logging.is_progress_bar_enabled() == bars


def test_wrap_keeps_what_is_loaded(loaded: Callable[[str], LoadedModel]) -> None:
    found = loaded("bert")
    assert wrap(found) is found
    again = wrap(found.model, found.tokenizer)
    assert again.model is found.model
    assert again.facts.architecture == "BertForMaskedLM"
