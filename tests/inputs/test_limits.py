"""What a model does not take, and how the input is made to fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from attnviz.errors import InputError
from attnviz.inputs.encode import encode
from attnviz.models.load import wrap

if TYPE_CHECKING:
    from collections.abc import Callable

    from attnviz.models.loaded import LoadedModel

    Get = Callable[[str], LoadedModel]

ALL = ("bert", "gpt2", "llama", "t5", "bart", "roberta")


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_pairs_need_a_separator(loaded: Get, name: str) -> None:
    with pytest.raises(InputError, match="no form for pairs"):
        encode(loaded(name), "the cat", pair="it sat")


@pytest.mark.parametrize("name", ["bert", "gpt2", "llama", "roberta"])
def test_targets_need_a_decoder(loaded: Get, name: str) -> None:
    with pytest.raises(InputError, match=f"{name} takes no target"):
        encode(loaded(name), "the cat", target="eine katze")


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("part", ["text", "pair", "target"])
def test_empty_parts(loaded: Get, name: str, part: str) -> None:
    given = {"text": "the cat"} | {part: ""}
    with pytest.raises(InputError, match=f"the {part} is empty"):
        encode(loaded(name), **given)  # type: ignore[arg-type]


def test_text_without_tokens(loaded: Get) -> None:
    with pytest.raises(InputError, match="no tokens of the text"):
        encode(loaded("bert"), " \n ")
    with pytest.raises(InputError, match="no tokens of the pair"):
        encode(loaded("bert"), "the", pair="\u200b\x00")
    assert encode(loaded("gpt2"), "  ").source.labels == (" ", " ")


@pytest.mark.parametrize(
    ("name", "around", "limit"), [("bert", 2, 40), ("roberta", 2, 40), ("gpt2", 0, 64)]
)
def test_too_long(loaded: Get, name: str, around: int, limit: int) -> None:
    text = "the" + " cat" * 76
    said = f"the text has {77 + around} tokens: {name} takes {limit}"
    with pytest.raises(InputError, match=said) as error:
        encode(loaded(name), text)
    assert "--truncate" in error.value.hint
    inputs = encode(loaded(name), text, truncate=True)
    assert len(inputs.source) == limit
    assert any(f"was cut to {limit} of" in note for note in inputs.notes)
    loaded(name).model(**inputs.tensors)


def test_exactly_as_long_as_the_model_takes(loaded: Get) -> None:
    for name, words in (("bert", 38), ("gpt2", 64), ("roberta", 38)):
        inputs = encode(loaded(name), " ".join(["it"] * words))
        loaded(name).model(**inputs.tensors)


def test_relative_positions_know_no_limit(loaded: Get) -> None:
    inputs = encode(loaded("t5"), "cat " * 300, target="cat " * 100)
    assert len(inputs.source) > 300


def test_too_long_target(loaded: Get) -> None:
    with pytest.raises(InputError, match=r"the target has \d+ tokens: bart takes 64"):
        encode(loaded("bart"), "the", target="cat " * 80)
    inputs = encode(loaded("bart"), "the", target="cat " * 80, truncate=True)
    assert inputs.target is not None
    assert len(inputs.target) == 64
    loaded("bart").model(**inputs.tensors)


def test_beginning_of_sequence(loaded: Get) -> None:
    assert encode(loaded("gpt2"), "cat", bos=True).source.labels[0] == "<|end|>"
    assert encode(loaded("gpt2"), "cat", bos=True).source.special[0]
    assert encode(loaded("gpt2"), "cat", bos=False).source.labels[0] == "cat"
    assert encode(loaded("llama"), "the", bos=True).source.labels == ("<s>", "the")
    assert encode(loaded("llama"), "the", bos=False).source.labels == ("the",)
    with pytest.raises(InputError, match="no beginning-of-sequence token"):
        encode(loaded("bert"), "the", bos=True)


def test_beginning_counts_towards_the_limit(loaded: Get) -> None:
    text = " ".join(["it"] * 64)
    with pytest.raises(InputError, match="has 65 tokens"):
        encode(loaded("gpt2"), text, bos=True)
    inputs = encode(loaded("gpt2"), text, bos=True, truncate=True)
    assert len(inputs.source) == 64
    assert inputs.source.labels[0] == "<|end|>"


def test_lone_surrogates_are_replaced(loaded: Get) -> None:
    for name in ALL:
        inputs = encode(loaded(name), "the \ud83d cat \ud83d\ude00")
        assert inputs.text == "the \ufffd cat 😀"
        assert "surrogate" in inputs.notes[0]


def test_no_tokenizer(loaded: Get) -> None:
    with pytest.raises(InputError, match="no tokenizer"):
        encode(wrap(loaded("bert").model), "the cat")
