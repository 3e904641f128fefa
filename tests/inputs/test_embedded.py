"""Tokens that a model has no embedding for."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch

import attnviz
from attnviz.errors import InputError
from attnviz.inputs.embedded import embeddings
from attnviz.inputs.encode import encode
from tests.observe.runs import ids
from tests.zoo.names import ALL_TEXT
from tests.zoo.oracle import inputs
from tests.zoo.shrink import build, quiet
from tests.zoo.sizes import VOCABULARY

if TYPE_CHECKING:
    from collections.abc import Callable

    from transformers import PreTrainedModel

    from attnviz.models.loaded import LoadedModel

    Get = Callable[[str], LoadedModel]

FEW = ["bart", "bert", "canine", "flava", "fsmt", "gpt2", "ibert", "llama", "marian", "opt", "t5"]
# They keep their embeddings under names of their own: a token without one is the model's error.
UNKNOWN = {"dia", "fastspeech2_conformer", "fastspeech2_conformer_with_hifigan",
           "sam3_lite_text_text_model"}  # fmt: skip


@pytest.mark.parametrize("name", ["bert", "gpt2", "bart"])
def test_a_token_that_was_added_to_the_tokenizer_alone(loaded: Get, name: str) -> None:
    found = loaded(name)
    tokenizer = copy.deepcopy(found.tokenizer)
    assert tokenizer is not None
    tokenizer.add_tokens(["brandnew"])
    number = tokenizer.convert_tokens_to_ids("brandnew")
    size = found.model.get_input_embeddings().num_embeddings
    said = f"{name} has no embedding for token 'brandnew' (id {number}): it has {size}"
    with pytest.raises(InputError) as error:
        encode(replace(found, tokenizer=tokenizer), "the brandnew cat")
    assert error.value.message == said
    assert "resize_token_embeddings" in error.value.hint
    if found.encoder_decoder:
        with pytest.raises(InputError) as error:
            encode(replace(found, tokenizer=tokenizer), "the cat", target="the brandnew cat")
        assert error.value.message == said


@pytest.mark.parametrize("number", [VOCABULARY, 10**6, -7])
def test_ids_among_tensors(number: int) -> None:
    given = ids(2, 6)
    given[1, 3] = number
    with pytest.raises(InputError, match=f"no embedding for id {number}: it has {VOCABULARY}"):
        attnviz.captures(build("gpt2"), {"input_ids": given})


def runs(model: PreTrainedModel, given: dict[str, torch.Tensor], side: str, number: int) -> bool:
    changed = given[side].clone()
    changed[0, 3] = number
    try:
        with quiet(), torch.no_grad():
            model(**given | {side: changed})
    except (IndexError, RuntimeError):
        return False
    return True


@pytest.mark.parametrize(
    "name", [one if one in FEW else pytest.param(one, marks=pytest.mark.slow) for one in ALL_TEXT]
)
def test_what_is_refused_cannot_run_and_the_rest_can(name: str) -> None:
    model = build(name)
    given = inputs(model, batch=1)
    for side, decoder in (("input_ids", False), ("decoder_input_ids", True)):
        if side not in given or not runs(model, given, side, 9):
            continue
        size = embeddings(model, decoder=decoder)
        if size is None:
            assert name in UNKNOWN or runs(model, given, side, 10_000)
        else:
            assert runs(model, given, side, size - 1)
            assert not runs(model, given, side, size)
