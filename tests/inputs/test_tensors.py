"""Axes for tensors that were made elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

import attnviz
from attnviz.errors import InputError
from attnviz.inputs.encode import encode
from attnviz.inputs.tensors import from_tensors

if TYPE_CHECKING:
    from collections.abc import Callable

    from attnviz.models.loaded import LoadedModel

    Get = Callable[[str], LoadedModel]


def test_ids_are_labels(loaded: Get) -> None:
    ids = torch.tensor([[2, 7, 9, 3], [2, 5, 3, 0]])
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
    inputs = from_tensors(loaded("bert").model, {"input_ids": ids, "attention_mask": mask})
    assert [axis.labels for axis in inputs.sources] == [("2", "7", "9", "3"), ("2", "5", "3", "0")]
    assert inputs.sources[1].padding == (False, False, False, True)
    assert inputs.sources[1].positions == (0, 1, 2, -1)
    assert inputs.targets is None
    assert inputs.text == ""
    assert inputs.pair is None


def test_a_tokenizer_names_them(loaded: Get) -> None:
    found = loaded("bert")
    assert found.tokenizer is not None
    tensors = found.tokenizer(["the cat"], return_tensors="pt")
    axis = from_tensors(found.model, tensors, found.tokenizer).source
    assert axis.labels == ("[CLS]", "the", "cat", "[SEP]")
    assert axis.special == (True, False, False, True)
    assert axis.words == (None, 1, 2, None)


def test_decoder_side(loaded: Get) -> None:
    tensors = {
        "input_ids": torch.tensor([[5, 6, 1]]),
        "decoder_input_ids": torch.tensor([[0, 4, 4]]),
        "decoder_attention_mask": torch.tensor([[1, 1, 0]]),
        "use_cache": False,
    }
    inputs = from_tensors(loaded("t5").model, tensors)
    assert inputs.targets is not None
    assert inputs.targets[0].labels == ("0", "4", "4")
    assert inputs.targets[0].padding == (False, False, True)
    assert inputs.tensors["use_cache"] is False


def test_embeddings_are_slots(loaded: Get) -> None:
    inputs = from_tensors(loaded("bert").model, {"inputs_embeds": torch.zeros(2, 3, 32)})
    assert [axis.kind for axis in inputs.sources] == ["slot", "slot"]
    assert len(inputs.source) == 3


def test_masks_of_other_shapes_tell_no_padding(loaded: Get) -> None:
    tensors = {"input_ids": torch.ones(1, 3).long(), "attention_mask": torch.ones(1, 1, 3, 3)}
    assert not any(from_tensors(loaded("bert").model, tensors).source.padding)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({}, "there are none"),
        ({"pixel_values": torch.zeros(1)}, "no input_ids among the tensors: pixel_values"),
        ({"input_ids": torch.zeros(3)}, r"shape \(3,\)"),
    ],
)
def test_refused(loaded: Get, tensors: dict[str, torch.Tensor], message: str) -> None:
    with pytest.raises(InputError, match=message):
        from_tensors(loaded("bert").model, tensors)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("attention_mask", (2, 3)),
        ("attention_mask", (2, 5)),
        ("attention_mask", (1, 4)),
        ("attention_mask", (4,)),
        ("attention_mask", (4, 2)),
        ("attention_mask", (2, 4, 3)),
        ("attention_mask", (3, 1, 4, 4)),
        ("attention_mask", (2, 1, 3, 4)),
        ("attention_mask", (2, 1, 1, 4, 4)),
        ("decoder_attention_mask", (2, 4)),
        ("decoder_attention_mask", (1, 3)),
    ],
)
def test_a_mask_that_does_not_fit_is_refused(
    loaded: Get, name: str, shape: tuple[int, ...]
) -> None:
    tensors = {
        "input_ids": torch.full((2, 4), 5),
        "decoder_input_ids": torch.full((2, 3), 5),
        name: torch.ones(shape),
    }
    ids = "decoder_input_ids (2, 3)" if name.startswith("decoder") else "input_ids (2, 4)"
    with pytest.raises(InputError) as error:
        from_tensors(loaded("t5").model, tensors)
    assert error.value.message == f"{name} has shape {shape}, {ids}"


@pytest.mark.parametrize("shape", [(2, 4), (2, 4, 4), (2, 1, 4), (2, 1, 4, 4), (1, 1, 4, 4)])
def test_masks_of_queries_and_keys_are_the_models_to_judge(
    loaded: Get, shape: tuple[int, ...]
) -> None:
    tensors = {"input_ids": torch.full((2, 4), 5), "attention_mask": torch.ones(shape)}
    assert len(from_tensors(loaded("bert").model, tensors).sources) == 2


def test_a_cache_has_more_keys_than_there_are_tokens(loaded: Get) -> None:
    model = loaded("gpt2").model
    with torch.no_grad():
        cache = model(torch.tensor([[5, 6, 7]])).past_key_values
    given = {"input_ids": torch.tensor([[8, 9]]), "past_key_values": cache}
    assert from_tensors(model, given | {"attention_mask": torch.ones(1, 5)}).source.real == 2
    with pytest.raises(InputError, match="shape"):
        from_tensors(model, given | {"attention_mask": torch.ones(1, 1)})


@pytest.mark.parametrize("name", ["bert", "gpt2", "bart"])
def test_tensors_of_a_loaded_model_bear_the_names_of_its_tokens(loaded: Get, name: str) -> None:
    """The same tensors as of the text: the same labels, special tokens and scores."""
    found = loaded(name)
    target = {"target": "it sat"} if found.encoder_decoder else {}
    expected = attnviz.capture(found, "the cat sat", **target)
    tensors = encode(found, "the cat sat", **target).tensors
    capture = attnviz.capture(found, tensors)
    assert list(capture.stacks) == list(expected.stacks)
    for stack, scores in expected.scores.items():
        own, wanted = capture.stacks[stack].queries(0), expected.stacks[stack].queries(0)
        assert (own.labels, own.special) == (wanted.labels, wanted.special)
        for score in ("special", "content", "first"):
            np.testing.assert_allclose(capture.scores[stack][score], scores[score], atol=1e-6)
