"""What a capture gives back, and what it refuses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from attnviz.attention.capture import AttentionStack, Capture
from attnviz.errors import CaptureError, SelectionError
from tests.captures import WORDS, axis, capture, layer, translation


def hybrid() -> AttentionStack:
    """Layers 1 and 4, with four heads and with heads 2 and 5 of eight."""
    words = axis()
    some = layer(4, words, words)
    kept = {name: value[:2] for name, value in some.kept.items() if name != "links"}
    part = replace(some, n_heads=8, heads=(2, 5), kept=kept)
    return AttentionStack("self", {4: part, 1: layer(1, words, words)})


def test_weights_of_a_layer_and_of_a_head() -> None:
    stack = capture().stacks["self"]
    whole = stack.weights(1)
    assert whole.shape == (4, 8, 8)
    np.testing.assert_array_equal(stack.weights(layer=1, head=2), whole[2])
    np.testing.assert_allclose(whole.sum(-1), 1, atol=1e-6)
    assert not np.array_equal(stack.weights(0), whole)


def test_heads_are_found_by_their_number_in_the_model() -> None:
    stack = hybrid()
    assert stack.layers == [1, 4]
    assert stack.heads(4) == (2, 5)
    np.testing.assert_array_equal(stack.weights(4, head=5), stack.weights(4)[1])
    with pytest.raises(SelectionError, match="head 3 does not exist: layer 4 has heads 2, 5"):
        stack.weights(4, head=3)
    with pytest.raises(SelectionError, match="layer 0 does not exist: stack self has layers 1, 4"):
        stack.weights(0)


def test_scores_have_a_row_per_layer_and_a_column_per_head_of_the_model() -> None:
    stack = hybrid()
    found = stack.score("previous")
    assert found.shape == (2, 6)
    np.testing.assert_array_equal(found[0, :4], stack.layer(1).kept["score.previous"])
    np.testing.assert_array_equal(found[1, [2, 5]], stack.layer(4).kept["score.previous"])
    assert np.isnan(found[1, [0, 1, 3, 4]]).all()
    assert np.isnan(found[0, 4:]).all()
    assert np.isnan(stack.score("unheard")).all()


def test_scores_by_stack_and_name() -> None:
    found = translation().scores
    assert set(found) == {"encoder", "decoder", "cross"}
    assert set(found["cross"]) == set(translation().stacks["cross"].score_names)
    assert found["cross"]["first"].shape == (2, 4)


def test_axes_belong_to_a_layer() -> None:
    stack = translation().stacks["cross"]
    assert stack.queries(layer=0).labels[0] == "Das"
    assert stack.keys(layer=1).labels[0] == "The"
    assert stack.allowed(0).shape == (5, 6)


def test_pooled_captures_have_no_weights() -> None:
    stack = capture(whole=False).stacks["self"]
    assert not stack.has_weights(0)
    assert capture().stacks["self"].has_weights(0)
    with pytest.raises(CaptureError, match="layer 0 were not kept whole") as caught:
        stack.weights(0)
    assert "--memory" in caught.value.hint
    assert stack.allowed(0).all()
    assert stack.allowed(0).shape == (8, 8)


def test_allowed_is_the_mask() -> None:
    stack = capture(causal=True).stacks["self"]
    np.testing.assert_array_equal(stack.allowed(2), np.tril(np.ones((8, 8), bool)))


def test_the_main_stack_is_cross_where_there_is_one() -> None:
    assert translation().main_stack.name == "cross"
    assert capture().main_stack.name == "self"
    some = translation()
    only = {"vision": some.stacks["encoder"]}
    assert replace(some, stacks=only).main_stack is only["vision"]
    assert some.stack().name == "cross"
    assert some.stack("encoder").name == "encoder"


def test_an_unknown_stack_names_those_there_are() -> None:
    with pytest.raises(SelectionError, match="stack self does not exist: marian has encoder, dec"):
        translation().stack("self")


def test_captures_print_short() -> None:
    found = capture()
    assert repr(found).startswith("<Capture ")
    assert "<AttentionStack self: layers 0-" in repr(found)
    shown = repr(found.stacks["self"].layer(0))
    assert shown.startswith("<LayerAttention 0: 4 heads, 8 queries, 8 keys, kept ")
    assert "weights" in shown
    assert len(shown) < 400


def test_captures_do_not_change() -> None:
    some: Capture = capture(WORDS)
    with pytest.raises(AttributeError):
        some.text = "other"  # type: ignore[misc]
