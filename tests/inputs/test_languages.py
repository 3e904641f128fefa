"""Models that mark the languages of a text and its target with codes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import torch

import attnviz
from attnviz.cli.source import Source
from attnviz.errors import InputError, UsageError
from attnviz.inputs.encode import encode, encode_batch
from attnviz.inputs.read import read_texts
from attnviz.inputs.tensors import from_tensors
from attnviz.inputs.text import Text
from attnviz.models.languages import language_codes, nearest
from attnviz.runs.batch import batches

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from attnviz.models.loaded import LoadedModel

TEXT, TARGET = "the cat sat on the mat", "die katze schlief"
# Source and target code, and the tokens around each side.
ENGLISH_GERMAN = {
    "m2m100": ("en", "de"),
    "nllb": ("eng_Latn", "deu_Latn"),
    "mbart": ("en_XX", "de_DE"),
    "mbart50": ("en_XX", "de_DE"),
}
FINNISH_GERMAN = {
    "m2m100": ("fi", "de"),
    "nllb": ("fin_Latn", "deu_Latn"),
    "mbart": ("fi_FI", "de_DE"),
    "mbart50": ("fi_FI", "de_DE"),
}
AROUND = {
    "m2m100": (["__fi__"], ["</s>"], ["</s>", "__de__"], []),
    "nllb": (["fin_Latn"], ["</s>"], ["</s>", "deu_Latn"], []),
    "mbart": ([], ["</s>", "fi_FI"], ["de_DE"], ["</s>"]),
    "mbart50": (["fi_FI"], ["</s>"], ["</s>", "de_DE"], []),
}
FAMILIES = pytest.mark.parametrize("name", list(ENGLISH_GERMAN))


def prepared(loaded: LoadedModel, source: str, target: str) -> tuple[torch.Tensor, torch.Tensor]:
    """What transformers gives encoder and decoder in training, from a tokenizer of its own."""
    from transformers import AutoTokenizer

    assert loaded.tokenizer is not None
    tokenizer: Any = AutoTokenizer.from_pretrained(
        loaded.tokenizer.name_or_path, src_lang=source, tgt_lang=target
    )
    batch = tokenizer(TEXT, text_target=TARGET, return_tensors="pt")
    seen: list[torch.Tensor] = []
    decoder = loaded.model.get_decoder()
    hook = decoder.register_forward_pre_hook(
        lambda _, __, given: seen.append(given["input_ids"]), with_kwargs=True
    )
    with hook, torch.no_grad():
        loaded.model(input_ids=batch["input_ids"], labels=batch["labels"])
    return batch["input_ids"], seen[0]


@FAMILIES
def test_both_sides_read_what_they_read_in_training(
    name: str, translator: Callable[[str], LoadedModel]
) -> None:
    loaded = translator(name)
    source, target = FINNISH_GERMAN[name]
    inputs = encode(loaded, TEXT, target=TARGET, source_lang=source, target_lang=target)
    encoder, decoder = prepared(loaded, source, target)
    assert inputs.tensors["input_ids"].tolist() == encoder.tolist()
    assert inputs.tensors["decoder_input_ids"].tolist() == decoder.tolist()
    assert not any("is read as" in note for note in inputs.notes)


@FAMILIES
def test_codes_stand_around_the_words_and_are_special(
    name: str, translator: Callable[[str], LoadedModel]
) -> None:
    loaded = translator(name)
    source, target = FINNISH_GERMAN[name]
    inputs = encode(loaded, TEXT, target=TARGET, source_lang=source, target_lang=target)
    before, after, start, end = AROUND[name]
    for axis, text, front, back in (
        (inputs.source, TEXT, before, after),
        (inputs.target, TARGET, start, end),
    ):
        assert axis is not None
        inner = slice(len(front), len(axis) - len(back))
        assert list(axis.labels[: len(front)]) == front
        assert list(axis.labels[inner.stop :]) == back
        assert axis.special == tuple(
            not inner.start <= place < inner.stop for place in range(len(axis))
        )
        words = dict.fromkeys(axis.words[inner])
        assert list(words) == list(range(len(text.split())))
    named = from_tensors(loaded.model, inputs.tensors, loaded.tokenizer)
    assert named.source.special == inputs.source.special


@FAMILIES
def test_defaults_are_told(name: str, translator: Callable[[str], LoadedModel]) -> None:
    loaded = translator(name)
    english, _ = ENGLISH_GERMAN[name]
    inputs = encode(loaded, TEXT, target=TARGET)
    encoder, decoder = prepared(loaded, english, english)
    assert inputs.tensors["input_ids"].tolist() == encoder.tolist()
    assert inputs.tensors["decoder_input_ids"].tolist() == decoder.tolist()
    assert inputs.notes[:2] == (
        f"the text is read as {english} (the tokenizer's default): --source-lang names another",
        f"the target is read as {english} (the language of the text): --target-lang names another",
    )


@FAMILIES
def test_a_model_that_begins_with_a_language_gives_the_default(
    name: str, translator: Callable[[str], LoadedModel]
) -> None:
    loaded = translator(name)
    english, german = ENGLISH_GERMAN[name]
    tokenizer: Any = loaded.tokenizer
    settings: Any = loaded.model.generation_config
    code = f"__{german}__" if name == "m2m100" else german
    settings.forced_bos_token_id = tokenizer.convert_tokens_to_ids(code)
    try:
        inputs = encode(loaded, TEXT, target=TARGET)
    finally:
        settings.forced_bos_token_id = None
    _, decoder = prepared(loaded, english, german)
    assert inputs.tensors["decoder_input_ids"].tolist() == decoder.tolist()
    assert f"the target is read as {german} (what the model begins with)" in inputs.notes[1]


@FAMILIES
def test_the_tokenizer_keeps_its_languages(
    name: str, translator: Callable[[str], LoadedModel]
) -> None:
    loaded = translator(name)
    source, target = FINNISH_GERMAN[name]
    tokenizer: Any = loaded.tokenizer
    backend = getattr(tokenizer, "backend_tokenizer", None)
    own = tokenizer(TEXT)["input_ids"]
    inside = backend and backend.encode(TEXT).ids
    was = tokenizer.src_lang, tokenizer.tgt_lang
    encode(loaded, TEXT, target=TARGET, source_lang=source, target_lang=target)
    assert (tokenizer.src_lang, tokenizer.tgt_lang) == was
    assert (backend and backend.encode(TEXT).ids) == inside
    assert tokenizer(TEXT)["input_ids"] == own


@FAMILIES
def test_unknown_languages_are_refused_with_the_known_ones(
    name: str, translator: Callable[[str], LoadedModel]
) -> None:
    loaded = translator(name)
    _, german = ENGLISH_GERMAN[name]
    wrong = german[:2] + "x_Xxxx"
    for option in ("source_lang", "target_lang"):
        with pytest.raises(InputError, match=f"{name} knows no language '{wrong}'") as caught:
            encode(loaded, TEXT, target=TARGET, **{option: wrong})
        assert caught.value.hint.startswith(f"it knows, nearest first: {german}, ")
        assert loaded.tokenizer is not None
        listed = caught.value.hint.partition(": ")[2].split(", ")
        assert sorted(listed) == sorted(language_codes(loaded.tokenizer))


@pytest.mark.parametrize("name", ["t5", "bart", "bert"])
@pytest.mark.parametrize("option", ["source_lang", "target_lang"])
def test_models_without_codes_take_no_language(
    name: str, option: str, loaded: Callable[[str], LoadedModel]
) -> None:
    with pytest.raises(InputError, match="it marks languages with no codes"):
        encode(loaded(name), "the cat", **{option: "de"})


@pytest.mark.parametrize("name", ["marian", "fsmt"])
def test_models_of_one_pair_of_languages_take_no_language(
    name: str, translator: Callable[[str], LoadedModel]
) -> None:
    with pytest.raises(InputError, match="takes no --target-lang") as caught:
        encode(translator(name), TEXT, target=TARGET, target_lang="de")
    assert caught.value.hint == "leave --target-lang out"


def test_marian_of_many_languages_names_its_codes(
    translator: Callable[[str], LoadedModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = translator("marian")
    monkeypatch.setattr(loaded.tokenizer, "supported_language_codes", [">>nld<<", ">>deu<<"])
    with pytest.raises(InputError) as caught:
        encode(loaded, TEXT, target=TARGET, target_lang="deu")
    assert caught.value.hint == "begin the text with one of >>deu<<, >>nld<<"


def test_a_language_of_no_target_is_refused(translator: Callable[[str], LoadedModel]) -> None:
    with pytest.raises(InputError, match="there is no target that could be de"):
        encode(translator("m2m100"), TEXT, target_lang="de")


def test_marks_around_a_code_may_be_given(translator: Callable[[str], LoadedModel]) -> None:
    loaded = translator("m2m100")
    marked = encode(loaded, TEXT, target=TARGET, source_lang="__fi__", target_lang="__de__")
    plain = encode(loaded, TEXT, target=TARGET, source_lang="fi", target_lang="de")
    assert marked.source == plain.source
    assert marked.target == plain.target


def test_a_capture_is_of_the_languages_that_were_given(
    translator: Callable[[str], LoadedModel],
) -> None:
    capture = attnviz.capture(
        translator("nllb"), TEXT, target=TARGET, source_lang="fin_Latn", target_lang="deu_Latn"
    )
    assert capture.stacks["encoder"].queries(0).labels[0] == "fin_Latn"
    assert capture.stacks["decoder"].queries(0).labels[:2] == ("</s>", "deu_Latn")
    assert set(capture.stacks) == {"encoder", "decoder", "cross"}


def test_languages_of_many_texts(tmp_path: Path) -> None:
    lines = [
        {"text": "a", "target": "b", "source_lang": "fi", "target_lang": "de"},
        {"text": "c", "target": "d", "source_lang": "fi", "target_lang": "de"},
        {"text": "e", "target": "f"},
    ]
    path = tmp_path / "texts.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines))
    assert [(one.source_lang, one.target_lang) for one in read_texts(path)] == [
        ("fi", "de"),
        ("fi", "de"),
        (None, None),
    ]
    texts = list(Source(None, None, path, None, None, "sv", "nl").read())
    assert [(one.source_lang, one.target_lang) for one in texts] == [
        ("fi", "de"),
        ("fi", "de"),
        ("sv", "nl"),
    ]
    assert [len(batch) for batch in batches(texts, 8)] == [2, 1]


def test_one_batch_is_in_one_language(translator: Callable[[str], LoadedModel]) -> None:
    texts = [Text("the cat", source_lang="fi"), Text("it sat", source_lang="en")]
    with pytest.raises(InputError, match="several languages"):
        encode_batch(translator("m2m100"), texts)
    alike = [Text("the cat", source_lang="fi"), Text("it sat on it", source_lang="fi")]
    inputs = encode_batch(translator("m2m100"), alike)
    assert [axis.labels[axis.padding.index(False)] for axis in inputs.sources] == ["__fi__"] * 2


def test_a_saved_capture_has_its_languages_already() -> None:
    with pytest.raises(UsageError, match="has its text already"):
        Source("run.safetensors", None, None, None, None, target_lang="de").check()


def test_nearest_codes() -> None:
    assert nearest("de", ["en_XX", "fi_FI", "de_DE"])[0] == "de_DE"
    assert nearest("deutsch", ["nl_Latn", "deu_Latn", "dan_Latn"])[0] == "deu_Latn"


def test_tensors_take_no_further_parts(translator: Callable[[str], LoadedModel]) -> None:
    with pytest.raises(InputError, match="tensors are given whole"):
        attnviz.capture(
            translator("m2m100").model, {"input_ids": torch.tensor([[4, 5]])}, target_lang="de"
        )
