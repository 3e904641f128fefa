"""What a picture says of what was really loaded: code, layers, formats; and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import transformers
from transformers import dynamic_module_utils

import attnviz
from attnviz.errors import AttnvizError, InputError, ModelError
from attnviz.models.find.source import Source
from attnviz.models.load import load
from attnviz.models.translate import translate
from tests.models import tiny

if TYPE_CHECKING:
    from collections.abc import Callable

CODE = """
from transformers import GPT2LMHeadModel
class Mine(GPT2LMHeadModel):
    pass
"""


def test_code_that_was_not_run_is_named(
    copy: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dynamic_module_utils, "HF_MODULES_CACHE", str(tmp_path / "modules"))
    path = copy("gpt2")
    (path / "modeling_mine.py").write_text(CODE)
    tiny.edit(path, auto_map={"AutoModelForCausalLM": "modeling_mine.Mine"}, architectures=["Mine"])
    assert load(str(path)).notes == (
        "gpt2 brings code for its model (modeling_mine.py), which was not run: loaded as GPT2Model "
        "of transformers (--trust-remote-code runs it)",
        "Mine is not a class of transformers for this config: loaded as GPT2Model",
    )
    tiny.edit(path, architectures=["GPT2LMHeadModel"])
    found = load(str(path), trust_remote_code=True)
    assert found.facts.architecture == "Mine"
    assert found.notes == ("gpt2 brings code for its model (modeling_mine.py): Mine of it was run",)


def test_trust_does_not_lose_the_head_of_a_model_without_code_of_its_own(
    copy: Callable[[str], Path],
) -> None:
    path = copy("gpt2")
    tiny.edit(path, auto_map={"AutoTokenizer": ["mine.Tokenizer", None]})
    found = load(str(path), trust_remote_code=True)
    assert found.facts.architecture == "GPT2LMHeadModel"
    assert "(mine.py), which was not run" in found.notes[0]


def test_layers_that_the_config_does_not_have(copy: Callable[[str], Path]) -> None:
    path = copy("gpt2")
    tiny.edit(path, n_layer=1)
    [note] = load(str(path)).notes
    assert "weights of the checkpoint are of layers that its config.json does not have" in note
    assert "transformer.h.1." in note


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_layer": 10**9}, r"damaged: n_layer is 1,000,000,000"),
        ({"id2label": None, "num_labels": 10**9}, r"damaged: num_labels is 1,000,000,000"),
        ({"n_positions": 10**9}, r"do not fit its config\.json: it tells of 32,000,0"),
        ({"n_embd": 10**9}, r"do not fit its config\.json"),
        ({"n_head": 5}, "cannot be loaded: ValueError: `embed_dim` must be divisible"),
        ({"attn_implementation": "fast"}, 'cannot be loaded: ValueError: .*"fast"'),
        ({"dtype": "int8"}, "cannot be loaded: ValueError: .* not a floating-point dtype"),
        ({"n_layer": "two"}, "'n_layer' expected int, got str"),
    ],
)
def test_configs_that_cannot_be(
    copy: Callable[[str], Path], changes: dict[str, Any], message: str
) -> None:
    path = copy("gpt2")
    tiny.edit(path, **changes)
    with pytest.raises(ModelError, match=message) as error:
        load(str(path))
    assert error.value.hint


def test_missing_shards(copy: Callable[[str], Path]) -> None:
    path = copy("gpt2")
    model = transformers.AutoModelForCausalLM.from_pretrained(path)
    (path / "model.safetensors").unlink()
    model.save_pretrained(path, max_shard_size="60KB")
    gone = sorted(path.glob("*.safetensors"))[1]
    gone.unlink()
    with pytest.raises(ModelError, match=f"a file of .* is missing: .*{gone.name}"):
        load(str(path))


@pytest.mark.parametrize("content", ["[]", "7", '{"model": {"type": "Nope"}}'])
def test_malformed_tokenizers(copy: Callable[[str], Path], content: str) -> None:
    path = copy("bert")
    (path / "tokenizer.json").write_text(content)
    with pytest.raises(ModelError, match=r"the tokenizer of .*bert cannot be loaded: "):
        load(str(path))


def test_a_tokenizer_that_fails_on_the_text(copy: Callable[[str], Path]) -> None:
    path = copy("bert")
    config = json.loads((path / "tokenizer_config.json").read_text())
    (path / "tokenizer_config.json").write_text(json.dumps(config | {"model_max_length": "40"}))
    with pytest.raises(ModelError, match="the tokenizer of bert failed: TypeError: '>' not"):
        attnviz.capture(load(str(path)), "the cat")


def test_a_panic_in_rust_is_an_error_too(copy: Callable[[str], Path]) -> None:
    path = copy("gpt2")
    content = json.loads((path / "tokenizer.json").read_text())
    content["model"]["continuing_subword_prefix"] = "longer than any piece"
    (path / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(ModelError, match=r"the tokenizer of .* cannot be loaded: PanicException"):
        load(str(path))


def test_loops_of_links(copy: Callable[[str], Path]) -> None:
    path = copy("bert")
    weights = path / "model.safetensors"
    weights.unlink()
    weights.symlink_to(weights)
    with pytest.raises(ModelError, match="Too many levels of symbolic links"):
        load(str(path))


@pytest.mark.parametrize(
    ("how", "hint"),
    [
        ({"quant_method": "gptq", "bits": 4}, "pip install optimum"),
        ({"quant_method": "awq", "bits": 4}, "pip install gptqmodel"),
        ({"quant_method": "compressed-tensors"}, "pip install 'compressed-tensors>="),
        ({"quant_method": "bitsandbytes", "load_in_8bit": True}, "pip install 'attnviz[quantize]'"),
        ({"quant_method": "nonsense"}, "not quantized"),
        ({"bits": 4}, "not quantized"),
    ],
)
def test_quantized_checkpoints_name_their_package(
    copy: Callable[[str], Path], how: dict[str, Any], hint: str
) -> None:
    path = copy("gpt2")
    tiny.edit(path, quantization_config=how)
    with pytest.raises(ModelError, match="quantized") as error:
        load(str(path))
    assert hint in error.value.hint
    assert "--quantize" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("needs it: `pip install -U vptq`", "pip install vptq"),
        ("get it (`pip install 'auto-round>=0.5'`)", "pip install 'auto-round>=0.5'"),
        ("do: pip install aqlm[gpu,cpu].", "pip install 'aqlm[gpu,cpu]'"),
        ("Run: pip install --no-deps accelerate", "pip install 'attnviz[big]'"),
        ("see the page of it", "install it"),
    ],
)
def test_the_command_that_an_error_tells_of(text: str, hint: str) -> None:
    found = translate(ImportError(text), Source("local", "x", "x"))
    assert found is not None
    assert found.hint == hint


def test_weights_that_were_dequantized(copy: Callable[[str], Path]) -> None:
    path = copy("gpt2")
    tiny.edit(path, quantization_config={"quant_method": "mxfp4"})
    assert load(str(path), device="cpu").notes == (
        "its mxfp4 weights are dequantized to float32 here",
    )


def vision(**settings: Any) -> dict[str, Any]:
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    return small | {"intermediate_size": 16, "image_size": 8, "patch_size": 4} | settings


def text(**settings: Any) -> dict[str, Any]:
    small = {"vocab_size": 400, "hidden_size": 16, "num_hidden_layers": 1}
    return small | {"num_attention_heads": 2, "intermediate_size": 16} | settings


def other_models() -> dict[str, Callable[[], Any]]:
    """Models that read something else than text."""
    t = transformers
    return {
        "whisper": lambda: t.WhisperForConditionalGeneration(
            t.WhisperConfig(
                vocab_size=400,
                d_model=16,
                encoder_layers=1,
                decoder_layers=1,
                encoder_attention_heads=2,
                decoder_attention_heads=2,
                encoder_ffn_dim=16,
                decoder_ffn_dim=16,
                num_mel_bins=8,
                max_source_positions=20,
                max_target_positions=20,
                pad_token_id=0,
                bos_token_id=0,
                eos_token_id=0,
                decoder_start_token_id=0,
            )
        ),
        "vit": lambda: t.ViTForImageClassification(t.ViTConfig(**vision())),
        "blip": lambda: t.BlipForConditionalGeneration(
            t.BlipConfig(text_config=text(), vision_config=vision())
        ),
        "clip": lambda: t.CLIPModel(
            t.CLIPConfig(text_config=text(eos_token_id=2), vision_config=vision(), projection_dim=8)
        ),
    }


@pytest.mark.parametrize(
    ("name", "target", "message", "hint"),
    [
        ("whisper", None, "whisper reads input_features, not text", "that reads text"),
        ("whisper", "the mat", "whisper reads input_features, not text", "that reads text"),
        ("vit", None, "vit reads pixel_values, not text", "choose a model that reads text"),
        ("blip", None, "blip reads pixel_values besides text", "'input_ids': …, 'pixel_values': …"),
        ("clip", None, "running clip failed: AttributeError: ", "it also reads pixel_values; give"),
    ],
)
def test_models_that_read_something_else(
    tmp_path: Path, name: str, target: str | None, message: str, hint: str
) -> None:
    tiny.save(tmp_path / name, other_models()[name](), tiny.byte_level())
    with pytest.raises(AttnvizError, match=message) as error:
        attnviz.capture(load(str(tmp_path / name)), "the cat", target=target)
    assert hint in error.value.hint


def test_errors_of_the_model_and_of_what_observes_it(
    folder: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from attnviz.observe.engine import Recorder

    def broken(*args: object, **kwargs: object) -> None:
        raise ZeroDivisionError("a bug\nand more")

    loaded = load(str(folder("gpt2")))
    with monkeypatch.context() as patch:
        patch.setattr(loaded.model.transformer.h[1].mlp, "forward", broken)
        with pytest.raises(ModelError, match=r"running gpt2 failed: ZeroDivisionError: a bug$"):
            try:
                attnviz.capture(loaded, "the cat")
            except ModelError as error:
                assert "ATTNVIZ_DEBUG=1" in error.hint
                assert isinstance(error.__cause__, ZeroDivisionError)
                raise ModelError(error.message) from error
    monkeypatch.setattr(Recorder, "_record", broken)
    with pytest.raises(attnviz.AttnvizError, match="observing gpt2 failed: ZeroDivisionError"):
        attnviz.capture(loaded, "the cat")


def test_interrupts_and_our_own_errors_pass(
    folder: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = load(str(folder("gpt2")))
    for error in (KeyboardInterrupt(), InputError("known")):

        def stop(*args: object, error: BaseException = error, **kwargs: object) -> None:
            raise error

        monkeypatch.setattr(loaded.model.transformer.h[0], "forward", stop)
        with pytest.raises(type(error)) as raised:
            attnviz.capture(loaded, "the cat")
        assert raised.value is error
