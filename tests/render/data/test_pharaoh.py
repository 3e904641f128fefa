"""Alignments from cross attention, on maps whose alignment is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from attnviz.attention.axis import Axis
from attnviz.attention.capture import AttentionStack
from attnviz.errors import SelectionError
from attnviz.render.data.pharaoh import alignment
from tests.captures import axis, capture, layer, translation

SOURCE = axis(["the", "red", "house", "[END]"])
READ = axis(["[START]", "la", "maison", "rouge"])  # the last row predicts the end


def cross(weights, queries=READ, keys=SOURCE, number=0):
    """A stack of one cross layer with these maps (heads, queries, keys)."""
    maps = np.asarray(weights, np.float32)
    return AttentionStack("cross", {number: layer(number, queries, keys, maps, cross=True)})


def pointing(*keys, count=4, share=1.0):
    """A map whose rows give `share` to these keys, the rest evenly to all."""
    return np.eye(count)[list(keys)] * share + (1 - share) / count


def test_a_row_aligns_the_word_that_it_predicts():
    stack = cross([pointing(0, 2, 1, 3)])
    assert alignment(stack, {0: (0,)}) == "0-0 1-2 2-1"
    assert alignment(stack, {0: (0,)}, soft=True) == "0-0:1 1-2:1 2-1:1"


def test_the_mean_over_heads_decides():
    stack = cross([pointing(0, 2, 1, 3, share=0.6), pointing(1, 2, 0, 3, share=0.8)])
    assert alignment(stack, {0: (0,)}) == "0-0 1-2 2-1"
    assert alignment(stack, {0: (0, 1)}) == "0-2 1-0 2-1"
    layers = {0: stack.by_layer[0], 3: replace(stack.by_layer[0], layer=3)}
    both = AttentionStack("cross", layers)
    assert alignment(both, {0: (0,), 3: (1,)}) == "0-2 1-0 2-1"


def test_special_tokens_and_padding_never_align():
    keys = axis(["[BOS]", "the", "house", "[PAD]"], padding=(False, False, False, True))
    maps = np.array([[[0.7, 0.1, 0.2, 0], [0.6, 0.3, 0.1, 0], [1, 0, 0, 0]]])
    queries = axis(["[START]", "la", "maison"])
    stack = cross(maps, queries, keys)
    assert alignment(stack, {0: (0,)}) == "0-1 1-0"
    assert alignment(stack, {0: (0,)}, soft=True) == "0-0:0.1 0-1:0.3 1-0:0.2 1-1:0.1"
    padded = axis(["[PAD]", "la", "maison"], padding=(True, False, False))
    assert alignment(cross(maps, padded, keys), {0: (0,)}) == "0-1"
    behind = axis(["[START]", "la", "maison"], padding=(False, False, True))
    assert alignment(cross(maps, behind, keys), {0: (0,)}) == "1-0"


def test_tokens_are_merged_into_words():
    keys = axis(["un", "believ", "able", "news", "[END]"], words=(0, 0, 0, 1, None))
    queries = axis(["[START]", "nou", "velles", "incroy", "ables"], words=(None, 0, 0, 1, 1))
    maps = np.array([[
        [0.2, 0.2, 0.2, 0.3, 0.1],  # predicts nou: the three pieces together win over news
        [0.0, 0.0, 0.1, 0.9, 0.0],  # predicts velles
        [0.3, 0.3, 0.3, 0.1, 0.0],
        [0.1, 0.1, 0.3, 0.4, 0.1],
        [0.0, 0.0, 0.0, 0.0, 1.0],
    ]])  # fmt: skip
    stack = cross(maps, queries, keys)
    assert alignment(stack, {0: (0,)}) == "0-1 1-0"
    soft = alignment(stack, {0: (0,)}, soft=True, least=0.0)
    assert soft == "0-0:0.35 0-1:0.7 1-0:0.6 1-1:0.25"


def test_pairs_below_the_least_weight_are_left_out():
    stack = cross([pointing(0, 2, 1, 3, share=0.2)])
    assert alignment(stack, {0: (0,)}) == "0-0 1-2 2-1"
    assert alignment(stack, {0: (0,)}, least=0.5) == ""
    soft = alignment(stack, {0: (0,)}, soft=True)
    assert soft.split()[:3] == ["0-0:0.4", "0-1:0.2", "0-2:0.2"]
    assert alignment(stack, {0: (0,)}, soft=True, least=0.3) == "0-0:0.4 1-2:0.4 2-1:0.4"


def test_a_word_without_weight_aligns_to_none():
    maps = pointing(0, 3, 1, 3)[None]
    maps[0, 2] = np.nan
    assert alignment(cross(maps), {0: (0,)}) == "0-0"
    start = axis(["[START]"])
    assert alignment(cross(np.ones((1, 1, 4)) / 4, start), {0: (0,)}) == ""
    ends = axis(["[BOS]", "[END]"])
    assert alignment(cross(np.ones((1, 4, 2)) / 2, READ, ends), {0: (0,)}) == ""


def test_tokens_without_words_or_specials_count_themselves():
    """As tensors without a tokenizer give them."""
    queries, keys = Axis(("0", "7", "8")), Axis(("5", "6"))
    maps = np.array([[[0, 1], [1, 0], [0.5, 0.5]]])
    assert alignment(cross(maps, queries, keys), {0: (0,)}) == "0-1 1-0"


def test_other_stacks_are_refused():
    with pytest.raises(SelectionError, match="stack self does not look from a target at a source"):
        alignment(capture().stacks["self"], {0: (0,)})
    with pytest.raises(SelectionError, match="does not look"):
        alignment(translation().stacks["decoder"], {0: (0,)})


def test_maps_that_were_not_kept_are_refused():
    pooled = layer(1, READ, SOURCE, cross=True, whole=False)
    with pytest.raises(SelectionError, match="layer 1 were not kept whole"):
        alignment(AttentionStack("cross", {1: pooled}), {1: (0,)})


def test_layers_of_different_tokens_are_refused():
    one, other = layer(0, READ, SOURCE, cross=True), layer(1, READ, axis(["a", "b"]), cross=True)
    with pytest.raises(SelectionError, match="layers 0 and 1 differ in their tokens"):
        alignment(AttentionStack("cross", {0: one, 1: other}), {0: (0,), 1: (0,)})
