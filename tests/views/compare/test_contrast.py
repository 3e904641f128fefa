"""Two captures compared: what corresponds, what moved."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attnviz.analysis.distances import pair_distances
from attnviz.attention.axis import Axis
from attnviz.attention.capture import AttentionStack, Capture
from attnviz.attention.selection import Selection
from attnviz.errors import SelectionError
from attnviz.views.appearance import Appearance
from attnviz.views.compare.contrast import Contrast, Kind, contrast, matched
from attnviz.views.maps.heatmap import State
from tests.captures import WORDS, capture


def compared(a: Capture, b: Capture, kind: Kind = "texts", head: str | None = None) -> Contrast:
    return contrast(a, b, Selection.parse(head=head), Appearance(), kind, ("a", "b"), 5)


def longest(one: str, other: str) -> int:
    """The length of a longest common subsequence, by the textbook's recursion."""
    table = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for i, a in enumerate(one):
        for j, b in enumerate(other):
            table[i + 1][j + 1] = table[i][j] + 1 if a == b else max(table[i][j + 1],
                                                                     table[i + 1][j])  # fmt: skip
    return table[-1][-1]


@given(st.text("abc", max_size=12), st.text("abc", max_size=12))
def test_as_many_tokens_correspond_as_can(one: str, other: str) -> None:
    found = matched(Axis(tuple(one)), Axis(tuple(other)))
    assert len(found) == longest(one, other)
    assert all(one[i] == other[j] for i, j in found)
    assert all(a < c and b < d for (a, b), (c, d) in pairwise(found))


def test_the_same_capture_did_not_move() -> None:
    found = compared(capture(), capture())
    assert [one.distance for one in found.rows] == [0] * 5
    assert found.left_out == 7
    assert found.unmatched == (0, 0)
    assert not found.difference.values.any()


def test_the_head_that_moved_is_first_with_its_difference() -> None:
    made = capture()
    layers = dict(made.stacks["self"].by_layer)
    weights = layers[1].kept["weights"].copy()
    weights[2, 3] = np.eye(8, dtype=np.float32)[5]
    layers[1] = dataclasses.replace(layers[1], kept={**layers[1].kept, "weights": weights})
    other = dataclasses.replace(made, stacks={"self": AttentionStack("self", layers)})
    found = compared(made, other, "models")
    assert found.shown.label == "L1H2"
    assert found.rows[0].most == ((3, "sat", pytest.approx(found.rows[0].distance * 6)),)
    before = made.stacks["self"].weights(1, 2)
    np.testing.assert_array_equal(found.difference.values, weights[2] - before)
    assert found.difference.scale == "signed"
    assert found.difference.vmax == np.abs(weights[2] - before).max()


def test_tokens_without_counterpart_are_one_key() -> None:
    longer = [*WORDS[:2], "big", *WORDS[2:]]
    a, b = capture(causal=True), capture(longer, causal=True)
    found = compared(a, b, head="L0H1")
    assert found.unmatched == (0, 1)
    kept = [i for i in range(9) if i != 2]
    counted = np.array(a.stacks["self"].queries(0).counted(True))
    full = b.stacks["self"].weights(0)[1:2][:, kept]
    part = np.concatenate([full[:, :, kept], full[:, :, [2]]], axis=2)
    first = np.pad(a.stacks["self"].weights(0)[1:2], ((0, 0), (0, 0), (0, 1)))
    far, _ = pair_distances(first, part, counted)
    assert found.rows[0].distance == pytest.approx(float(far[0]))
    assert found.queries == 6
    masked = found.difference.states == State.MASKED
    np.testing.assert_array_equal(masked, np.triu(np.ones((8, 8), bool), 1))


def test_models_with_other_tokens_are_compared_by_words() -> None:
    pieces = ["[CLS]", "the", "c", "##at", "sat", "[SEP]"]
    one, two = capture(pieces), capture(["[CLS]", "the", "cat", "sat", "[SEP]"])
    axis = dataclasses.replace(one.stacks["self"].queries(0),
                               labels=("[CLS]", "the", "c", "at", "sat", "[SEP]"),
                               words=(None, 0, 1, 1, 2, None))  # fmt: skip
    layers = {n: dataclasses.replace(layer, queries=axis, keys=axis)
              for n, layer in one.stacks["self"].by_layer.items()}  # fmt: skip
    one = dataclasses.replace(one, stacks={"self": AttentionStack("self", layers)})
    found = compared(one, two, "models")
    assert found.words
    assert found.queries == 3
    assert found.difference.queries.labels == ("[CLS]", "the", "cat", "sat", "[SEP]")


def test_long_texts_are_named_by_what_differs() -> None:
    found = compared(capture(), capture())
    assert found.names == ("a", "b")
    one, two = ("it did not cross the street, too tired", "it did not cross the street, too wide")
    assert dataclasses.replace(found, first=one, second=two).names == ("… tired", "… wide")


def test_what_has_nothing_in_common() -> None:
    with pytest.raises(SelectionError, match="a and b have no tokens in common"):
        compared(capture(["x", "y"]), capture(["u", "v"]))
    with pytest.raises(SelectionError, match="cut the text into different words"):
        compared(capture(["x", "y"]), capture(["u", "v"]), "models")
    with pytest.raises(SelectionError, match="does not exist"):
        compared(capture(layers=3), capture(layers=1), head="L2H0")
    found = compared(capture(layers=3), capture(layers=1))
    assert found.missing == 8
