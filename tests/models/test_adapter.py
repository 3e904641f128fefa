"""Models with adapters: which was applied, to what, and that its attention is the merged one."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

import attnviz
from attnviz.errors import ModelError
from attnviz.models import adapter as adapters
from attnviz.models.load import load
from attnviz.runs.check import check_model
from tests.models import tiny
from tests.models.adapters import cached, lora, say

if TYPE_CHECKING:
    from collections.abc import Callable

    from attnviz.attention.capture import Capture

TEXT = "the cat sat on the mat"
pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing.*:FutureWarning")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folders `base`, `lora` (an adapter of it), `merged` and `both` (base with adapter)."""
    root = tmp_path_factory.mktemp("adapters")
    base = tiny.gpt2(root / "base")
    lora(base).save_pretrained(root / "lora")
    shutil.copytree(base, root / "both")
    for file in (root / "lora").glob("adapter_*"):
        shutil.copy(file, root / "both")
    shutil.copytree(base, root / "merged")
    lora(base).merge_and_unload().save_pretrained(root / "merged")
    return root


def maps(capture: Capture) -> np.ndarray[Any, Any]:
    """Every weight of the one stack of a capture."""
    [stack] = capture.stacks.values()
    return np.stack([stack.weights(layer, head) for layer in stack.layers for head in range(4)])


def seen(model: Any) -> Capture:
    return attnviz.capture(model, TEXT)


@pytest.mark.parametrize("name", ["lora", "both", "asked"])
def test_an_active_adapter_attends_as_the_merged_model(models: Path, name: str) -> None:
    where = "base" if name == "asked" else name
    loaded = load(str(models / where), adapter=str(models / "lora") if name == "asked" else None)
    found, merged = seen(loaded), seen(load(str(models / "merged")))
    base = seen(load(str(models / "base")))
    assert np.abs(maps(found) - maps(merged)).max() < 1e-6
    assert np.abs(maps(found) - maps(base)).max() > 1e-3
    assert found.prediction.items[0][1][0][0] == merged.prediction.items[0][1][0][0]
    assert {n: s.layers for n, s in found.stacks.items()} == {
        n: s.layers for n, s in base.stacks.items()
    }
    [note] = found.notes
    assert note.startswith(f"adapter {'both' if name == 'both' else 'lora'} applied: LoRA r=4 of ")
    assert found.model.name == ("both + LoRA" if name == "both" else "base + lora")


@pytest.mark.parametrize("dora", [False, True])
def test_scores_and_checks_of_an_active_adapter(models: Path, tmp_path: Path, dora: bool) -> None:
    lora(models / "base", use_dora=dora).save_pretrained(tmp_path / "lora")
    shutil.copytree(models / "base", tmp_path / "merged")
    lora(models / "base", use_dora=dora).merge_and_unload().save_pretrained(tmp_path / "merged")
    loaded = load(str(tmp_path / "lora"))
    found, merged = seen(loaded).scores["self"], seen(load(str(tmp_path / "merged"))).scores["self"]
    for name, values in merged.items():
        if dora and name == "norm":
            assert np.isnan(found[name]).all()
        else:
            np.testing.assert_allclose(found[name], values, atol=1e-5, err_msg=name)
    assert not np.isnan(merged["norm"]).any()
    assert [one.name for one in check_model(loaded, TEXT) if one.ok is not True] == []


@pytest.mark.parametrize("name", ["lora", "both"])
def test_the_base_alone_on_request(models: Path, name: str) -> None:
    found = seen(load(str(models / name), adapter="none"))
    np.testing.assert_array_equal(maps(found), maps(seen(load(str(models / "base")))))
    assert found.notes == (f"the adapter in {name} is not applied: --adapter none",)
    assert "+" not in found.model.name


def test_another_adapter_takes_the_place_of_the_one_that_lies_there(
    models: Path, tmp_path: Path
) -> None:
    lora(models / "base", r=2, use_dora=True).save_pretrained(tmp_path / "other")
    found = load(str(models / "both"), adapter=str(tmp_path / "other"))
    assert found.facts.name == "both + other"
    [left_out, applied] = found.notes
    assert left_out == f"the adapter in both is not applied: --adapter {tmp_path / 'other'}"
    assert applied.startswith("adapter other applied: DoRA r=2 of base both")


@pytest.mark.parametrize("where", ["beside", "above", "here"])
def test_a_base_that_is_named_by_a_relative_path(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    shutil.copytree(models / "lora", tmp_path / "lora")
    base = tmp_path / ("lora/base" if where == "beside" else "base")
    shutil.copytree(models / "base", base)
    if where == "here":
        monkeypatch.chdir(tmp_path)
    say(tmp_path / "lora", base_model_name_or_path="../base" if where == "above" else "base")
    assert (
        np.abs(
            maps(seen(load(str(tmp_path / "lora")))) - maps(seen(load(str(models / "lora"))))
        ).max()
        == 0
    )


@pytest.mark.parametrize("base", ["both", "lora"])
def test_a_base_with_an_adapter_of_its_own_is_refused(
    models: Path, tmp_path: Path, base: str
) -> None:
    shutil.copytree(models / "lora", tmp_path / "lora")
    say(tmp_path / "lora", base_model_name_or_path=str(models / base))
    with pytest.raises(ModelError, match=f"the base model .*{base} holds an adapter itself"):
        load(str(tmp_path / "lora"))


def test_adapters_and_bases_of_the_hub_cache(models: Path, tmp_path: Path) -> None:
    cache = tmp_path / "hf" / "hub"
    shutil.copytree(models / "lora", tmp_path / "named")
    say(tmp_path / "named", base_model_name_or_path="org/base")
    for name, folder in (("org/base", models / "base"), ("org/lora", tmp_path / "named")):
        cached(cache, name, folder)
    cached(cache, "org/both", models / "both")
    expected = maps(seen(load(str(models / "lora"))))
    for name, adapter, shown in (
        ("org/lora", None, "base + lora"),
        ("org/base", "org/lora", "base + lora"),
        ("org/both", None, "both + LoRA"),
        (str(models / "base"), "org/lora", "base + lora"),
        (str(tmp_path / "named"), None, "base + named"),
    ):
        found = load(name, adapter=adapter)
        assert found.facts.name == shown
        np.testing.assert_array_equal(maps(seen(found)), expected)
    shutil.rmtree(cache / "models--org--base")
    with pytest.raises(ModelError, match="org/base is not in the local cache"):
        load("org/lora")


def test_a_classifier_that_was_trained_with_its_adapter(
    folder: Callable[[str], Path], tmp_path: Path
) -> None:
    base = folder("bert.ForPreTraining")  # with a pooler
    model = lora(base, task_type="SEQ_CLS", target_modules=["query"], labels=3)
    model.save_pretrained(tmp_path / "classes")
    loaded = load(str(tmp_path / "classes"))
    assert loaded.facts.architecture == "BertForSequenceClassification"
    assert loaded.untrained == ()
    ids = loaded.tokenizer(TEXT, return_tensors="pt")
    with torch.no_grad():
        torch.testing.assert_close(loaded.model(**ids).logits, model(**ids).logits)


def test_embeddings_that_grew_with_the_adapter(models: Path, tmp_path: Path) -> None:
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(models / "base")
    tokenizer.add_tokens(["<new>"])
    shutil.copytree(models / "base", tmp_path / "base")
    base = transformers.AutoModelForCausalLM.from_pretrained(models / "base")
    base.resize_token_embeddings(len(tokenizer))
    base.save_pretrained(tmp_path / "base")
    model = lora(tmp_path / "base", modules_to_save=["wte"])
    model.save_pretrained(tmp_path / "lora")
    tokenizer.save_pretrained(tmp_path / "lora")
    say(tmp_path / "lora", base_model_name_or_path=str(models / "base"))
    found = attnviz.capture(load(str(tmp_path / "lora")), "the <new>")
    assert found.stacks["self"].queries(0).labels[-1] == "<new>"
    ids = {"input_ids": tokenizer("the <new>", return_tensors="pt").input_ids}
    expected = attnviz.capture(model, ids)
    assert np.abs(maps(found) - maps(expected)).max() < 1e-6


def test_a_model_of_peft_in_memory(models: Path) -> None:
    wrapped = lora(models / "base")
    ids = {"input_ids": torch.tensor([[5, 9, 30, 7]])}
    found = attnviz.capture(wrapped, ids)
    assert found.model.name == "base + LoRA"
    assert found.model.architecture == "GPT2LMHeadModel"
    assert found.notes == ("adapter default applied: LoRA r=4 of base base",)
    assert list(found.stacks) == ["self"]
    assert found.prediction.task == "next token"
    with wrapped.disable_adapter():
        off = attnviz.capture(wrapped, ids)
    assert off.model.name == "base"
    assert off.notes == ("adapter default is in the model, but not active: LoRA r=4 of base base",)
    wrapped.merge_adapter()
    merged = attnviz.capture(wrapped, ids)
    assert merged.notes == found.notes
    assert np.abs(maps(merged) - maps(found)).max() < 1e-6
    assert np.abs(maps(off) - maps(found)).max() > 1e-3


def test_models_of_peft_that_are_more_than_their_layers(models: Path) -> None:
    import peft
    import transformers

    base = transformers.AutoModelForCausalLM.from_pretrained(models / "base")
    config = peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3)
    with pytest.raises(ModelError, match=r"default \(PREFIX_TUNING\) puts virtual tokens"):
        attnviz.capture(peft.get_peft_model(base, config), {"input_ids": torch.tensor([[5, 9]])})


def test_several_adapters_in_one_model(models: Path) -> None:
    import peft

    wrapped = lora(models / "base")
    config = peft.LoraConfig(r=2, target_modules=["c_attn"], init_lora_weights=False)
    wrapped.add_adapter("two", config)
    ids = {"input_ids": torch.tensor([[5, 9, 30, 7]])}
    assert attnviz.capture(wrapped, ids).notes == (
        "adapter default applied: LoRA r=4 of base base",
        "adapter two is in the model, but not active: LoRA r=2",
    )
    wrapped.base_model.set_adapter(["default", "two"])
    both = attnviz.capture(wrapped, ids)
    assert both.model.name == "base + LoRA + two"
    merged = attnviz.capture(wrapped.merge_and_unload(adapter_names=["default", "two"]), ids)
    assert np.abs(maps(both) - maps(merged)).max() < 1e-6


def test_an_adapter_in_a_module_that_is_no_model_of_transformers() -> None:
    import peft
    from torch import nn

    torch.manual_seed(0)
    plain = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
    config = peft.LoraConfig(target_modules=["linear1"], init_lora_weights=False)
    found = attnviz.capture(peft.get_peft_model(plain, config), torch.rand(1, 5, 8))
    assert "adapter default applied: LoRA r=8" in found.notes
    assert found.model.architecture == "TransformerEncoderLayer"


def test_without_peft_an_adapter_is_refused(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapters, "find_spec", lambda name: None)
    for name in ("lora", "both"):
        with pytest.raises(ModelError, match="the package peft is not installed") as error:
            load(str(models / name))
        assert "pip install 'attnviz[peft]'" in error.value.hint
        assert load(str(models / name), adapter="none").facts.name in ("base", "both")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("other", "does not fit the model"),
        ("deeper", "does not fit the model: .* weights have no place, such as transformer.h.1"),
        ("prompt", r"\(PROMPT_TUNING\) puts virtual tokens before the text"),
        ("unnamed", "does not say which base model it is for"),
        ("foreign", "is not one of peft"),
        ("gone", "the base model of the adapter .*nowhere does not exist"),
        ("empty", "holds no weights"),
        ("cut", "are damaged"),
        ("none", "holds no adapter: it has no adapter_config.json"),
    ],
)
def test_refused_adapters(
    models: Path, folder: Callable[[str], Path], tmp_path: Path, damage: str, message: str
) -> None:
    path = tmp_path / "lora"
    shutil.copytree(models / "lora", path)
    base, adapter = str(models / "base"), str(path)
    weights = path / "adapter_model.safetensors"
    if damage == "other":
        base = str(folder("bert"))
    elif damage == "deeper":
        base = str(shutil.copytree(models / "base", tmp_path / "shallow"))
        tiny.edit(tmp_path / "shallow", n_layer=1)
    elif damage == "prompt":
        say(path, peft_type="PROMPT_TUNING", num_virtual_tokens=4)
    elif damage == "unnamed":
        say(path, base_model_name_or_path=None)
        base, adapter = adapter, ""
    elif damage == "foreign":
        (path / "adapter_config.json").write_text('{"model_class": "GPT2LMHeadModel"}')
    elif damage == "gone":
        say(path, base_model_name_or_path="/nowhere")
        base, adapter = adapter, ""
    elif damage == "empty":
        weights.unlink()
    elif damage == "cut":
        weights.write_bytes(weights.read_bytes()[:99])
    else:
        adapter = base
    with pytest.raises(ModelError, match=message):
        load(base, adapter=adapter or None)
