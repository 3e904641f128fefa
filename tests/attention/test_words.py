import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attnviz.attention import words
from attnviz.attention.axis import Axis
from attnviz.attention.words import (
    joined_label,
    merge_layer,
    merge_words,
    word_axis,
    word_groups,
)
from tests.captures import layer

PIECES = Axis(
    labels=("[CLS]", "un", "##belie", "##vable", "!", "[SEP]", "[PAD]", "[PAD]"),
    words=(None, 0, 0, 0, 1, None, None, None),
    spans=((0, 0), (0, 2), (2, 7), (7, 12), (12, 13), None, None, None),
    special=(True, False, False, False, False, True, True, True),
    padding=(False,) * 6 + (True, True),
)


def test_words_are_runs_and_special_tokens_and_padding_stay_alone():
    assert word_groups(PIECES) == ((0,), (1, 2, 3), (4,), (5,), (6,), (7,))


def test_the_axis_of_words_joins_labels_and_spans():
    merged = word_axis(PIECES)
    assert merged.labels == ("[CLS]", "unbelievable", "!", "[SEP]", "[PAD]", "[PAD]")
    assert merged.spans[1] == (0, 12)
    assert merged.words == (None, 0, 1, None, None, None)
    assert merged.special == (True, False, False, True, True, True)
    assert merged.padding == (False, False, False, False, True, True)


def test_equal_word_numbers_of_two_texts_are_two_words():
    pair = Axis(labels=("a", "b", "c"), words=(0, 0, 0), segments=(0, 0, 1))
    assert word_groups(pair) == ((0, 1), (2,))
    assert word_axis(pair).segments == (0, 1)


def test_columns_are_summed_and_rows_averaged():
    weights = np.array([[[0.1, 0.2, 0.7], [0.5, 0.3, 0.2], [0.0, 0.6, 0.4]]])
    merged = merge_words(weights, ((0,), (1, 2)), ((0, 1), (2,)))
    assert merged == pytest.approx(np.array([[[0.3, 0.7], [0.7, 0.3]]]))


@given(st.data())
def test_rows_still_sum_to_one(data):
    size = data.draw(st.integers(1, 12))
    words, number = [], 0
    for _ in range(size):
        number += data.draw(st.integers(0, 1))
        words.append(number)
    axis = Axis(labels=("x",) * size, words=tuple(words))
    seed = data.draw(st.integers(0, 2**32 - 1))
    weights = np.random.default_rng(seed).dirichlet(np.ones(size), size=(2, size))
    groups = word_groups(axis)
    assert sorted(i for group in groups for i in group) == list(range(size))
    merged = merge_words(weights, groups, groups)
    assert merged.sum(axis=-1) == pytest.approx(np.ones((2, len(groups))))


@pytest.mark.parametrize("block", [1, 100, 900])
def test_words_merged_in_blocks_are_those_merged_at_once(block, monkeypatch):
    weights = np.random.default_rng(0).random((2, 30, 40), np.float32)
    rows = tuple((i, i + 1, i + 2) for i in range(0, 30, 3))
    columns = ((0,), *((i, i + 1, i + 2) for i in range(1, 40, 3)))
    expected = merge_words(weights, rows, columns)
    monkeypatch.setattr(words, "BLOCK", block)
    np.testing.assert_array_equal(merge_words(weights, rows, columns), expected)


def test_merging_words_takes_no_more_than_the_words():
    weights = np.ones((1, 2000, 2000), np.float32)
    pairs = tuple((i, i + 1) for i in range(0, 2000, 2))
    tracemalloc.start()
    merged = merge_words(weights, pairs, pairs)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 2 * merged.nbytes == weights.nbytes / 2


def test_a_layer_of_words_keeps_scores_and_moves_links():
    tokens = Axis(labels=("a", "##b", "c", "d"), words=(0, 0, 1, 2))
    merged = merge_layer(layer(0, tokens, tokens))
    assert merged.queries.labels == ("ab", "c", "d")
    assert merged.kept["weights"].shape == (4, 3, 3)
    assert merged.kept["score.content"].shape == (4,)
    assert merged.kept["links"].shape == (3, 4)
    assert np.nanmax(merged.kept["links"][:, 1]) <= 2
    assert merged.allowed is not None
    assert merged.allowed.shape == (3, 3)
    assert merged.kept["column_means"].sum(axis=1) == pytest.approx(np.ones(4))


def test_pooled_layers_are_left_alone():
    tokens = Axis(labels=("a", "##b", "c", "d"), words=(0, 0, 1, 2))
    one = layer(0, tokens, tokens, whole=False)
    assert merge_layer(one) is one


def test_bytes_of_a_word_become_its_characters() -> None:
    assert joined_label(["\\xe4\\xbd", "\\xa0", "好"]) == "你好"
    assert joined_label(["\\xe4\\xbd"]) == "\\xe4\\xbd"
    assert joined_label([" the", "ory"]) == "theory"
    assert joined_label([" "]) == " "
