"""What the paths of modules tell."""

from __future__ import annotations

import pytest

from attnviz.models.anatomy.handed import anatomy_of
from attnviz.models.anatomy.names import KNOWN
from attnviz.models.anatomy.paths import has_slots, modality_of, role_of, rotates, side_of
from tests.zoo.shrink import build


@pytest.mark.parametrize(
    ("path", "side"),
    [
        ("encoder.layers.0", "encoder"),
        ("model.decoder.layers.1.encoder_attn", "decoder"),
        ("Encoder.h.0", "encoder"),
        ("h.0.attn", None),
    ],
)
def test_sides(path: str, side: str | None) -> None:
    assert side_of(path, KNOWN) == side


def test_a_word_that_is_handed_in_is_a_mark_too() -> None:
    known = anatomy_of({"cross": "memory", "decoder": ["writer"], "vision": r"eye\b"})
    assert role_of("layers.0.memory_mixer", KNOWN, encoder_decoder=True) == "self"
    assert role_of("layers.0.memory_mixer", known, encoder_decoder=True) == "cross"
    assert role_of("writer.layers.0.mixer", known, encoder_decoder=True) == "decoder"
    assert role_of("decoder.layers.0.mixer", known, encoder_decoder=True) == "decoder"
    assert modality_of("eye.layers.0", known) == "vision"
    assert modality_of("eyes.layers.0", known) is None


def test_slots_are_no_tokens() -> None:
    assert has_slots("model.Resampler.layers.0", KNOWN)
    assert not has_slots("model.layers.0.self_attn", KNOWN)


@pytest.mark.parametrize(("name", "rotary"), [("llama", True), ("gpt2", False)])
def test_rotary_embeddings(name: str, rotary: bool) -> None:
    assert rotates(build(name), KNOWN) is rotary


def test_rotary_embeddings_of_another_name() -> None:
    assert rotates(build("gpt2"), anatomy_of({"rotary": "wpe"}))
