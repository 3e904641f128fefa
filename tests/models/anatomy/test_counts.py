"""What configs tell of heads and layers."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from attnviz.models.anatomy.counts import (
    Counts,
    expected_sites,
    head_counts,
    main_counts,
    media_tokens,
    number,
)
from attnviz.models.anatomy.handed import anatomy_of
from tests.models.anatomy.strangers import ChunkConfig, chunky
from tests.observe.runs import maps, seen_by
from tests.zoo.oracle import inputs
from tests.zoo.shrink import build, shrunk_config


@pytest.mark.parametrize(
    "name",
    [
        "gpt2", "bert", "albert", "bloom", "gptj", "distilbert", "xlnet", "t5", "bart", "fsmt",
        "encoder-decoder", "t5gemma", "jamba", "recurrent_gemma", "nemotron_h", "qwen3_next",
        "gemma3n_text", "zamba2", "falcon_h1", "lfm2", "granite4_vision", "prophetnet",
    ],
)  # fmt: skip
def test_the_plan_is_what_is_kept(name: str) -> None:
    model = build(name)
    given_ = inputs(model)
    targets = given_["decoder_input_ids"].shape[1] if "decoder_input_ids" in given_ else None
    sites = expected_sites(model.config, 24, targets)
    seen = seen_by(model, given_)
    planned = sum(4 * one.heads * one.queries * one.keys for one in sites)
    kept = sum(4 * maps(layer).numel() for layer in seen.layers)
    assert planned == pytest.approx(kept, rel=0.5)


def test_layers_keep_their_numbers_in_hybrids() -> None:
    found = [one.layer for one in expected_sites(shrunk_config("recurrent_gemma"), 10, None)]
    assert found == [2]


def test_without_a_target_there_is_only_an_encoder() -> None:
    sites = expected_sites(shrunk_config("t5"), 10, None)
    assert {one.role for one in sites} == {"encoder"}
    assert [one.layer for one in sites] == [0, 1]


def test_heads_that_vary_by_layer_are_no_error() -> None:
    """transformers refuses to read a setting that differs from layer to layer."""
    assert isinstance(expected_sites(shrunk_config("dots3_note_text"), 10, None), list)


def test_names_that_are_handed_in_come_first() -> None:
    config = ChunkConfig()
    known = anatomy_of({"heads": "n_chunks", "layers": ["absent", "n_blocks"]})
    assert main_counts(config) == Counts(0, 0, 0)
    assert main_counts(config, known) == Counts(2, 4, 0)
    assert expected_sites(config, 7, None) == []
    sites = expected_sites(config, 7, None, known)
    assert [(one.role, one.layer, one.heads, one.queries) for one in sites] == [
        ("self", 0, 4, 7),
        ("self", 1, 4, 7),
    ]


def test_a_number_may_be_handed_in_itself() -> None:
    known = anatomy_of({"heads": 4, "layers": 2})
    assert main_counts(ChunkConfig(), known) == Counts(2, 4, 0)
    assert next(head_counts(chunky(), known)) == 4
    assert [*head_counts(chunky())] == []


@pytest.mark.parametrize(
    ("value", "count"), [(3, 3), ([2, 5], 5), (0, 0), (-1, 0), ([], 0), ("4", 0), (None, 0)]
)
def test_numbers_of_a_config(value: object, count: int) -> None:
    assert number(SimpleNamespace(n=value), ("absent", "n")) == count


def test_tokens_of_pictures_have_ids() -> None:
    config = SimpleNamespace(image_token_id=7, video_token_index=8, patch_token=9)
    assert media_tokens(config) == [7, 8]
    assert media_tokens(config, anatomy_of({"media_tokens": ["patch_token", 11]})) == [9, 11, 7, 8]
