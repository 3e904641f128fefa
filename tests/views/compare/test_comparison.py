"""Heads compared within one capture: groups, neighbours, pairs, layers."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from attnviz.analysis.distances import head_distances
from attnviz.attention.capture import AttentionStack, Capture
from attnviz.attention.selection import Selection
from attnviz.errors import CaptureError, SelectionError
from attnviz.views.appearance import Appearance
from attnviz.views.compare.comparison import (
    group_matrix,
    head_groups,
    layer_matrix,
    like_head,
    side_by_side,
)
from attnviz.views.request import Request, request
from tests.captures import FACTS, axis, capture, layer


def asked(made: Capture | None = None, head: str | None = None, **appearance: bool) -> Request:
    return request(made or capture(), Selection.parse(head=head), Appearance(**appearance))


def test_heads_with_equal_maps_are_one_group() -> None:
    """The maps of `capture` move by one head from layer to layer."""
    found = head_groups(asked())
    members = [{head.label for head in one.heads} for one in found.groups]
    assert {"L0H0", "L1H1", "L2H2"} in members
    assert {"L0H2", "L1H3", "L2H0"} in members
    assert sorted(len(one) for one in members) == [3, 3, 3, 3]
    assert all(one.within == pytest.approx(0, abs=1e-6) for one in found.groups)
    assert {(a.label, b.label) for a, b, _ in found.pairs} <= {
        (a, b) for one in members for a in one for b in one
    }
    assert found.queries == 6  # without [CLS] and [SEP]
    assert sorted(found.order) == list(range(12))


def test_distances_are_those_of_the_metric() -> None:
    made = capture(causal=True)
    found = head_groups(asked(made))
    maps = [made.stacks["self"].weights(n) for n in range(3)]
    counted = np.array(made.stacks["self"].queries(0).counted(True))
    np.testing.assert_allclose(found.distances, head_distances(maps, counted), atol=1e-6)
    near = like_head(asked(made), (1, 2), top=4)
    place = 1 * 4 + 2
    order = np.argsort(np.delete(found.distances[place], place), kind="stable")
    assert [far for _, far in near.rows] == pytest.approx(
        np.delete(found.distances[place], place)[order][:4].tolist(), abs=1e-5
    )
    assert near.left_out == 7
    assert near.head.label == "L1H2"


def test_heads_that_share_keys_are_marked() -> None:
    made = capture()
    grouped = dataclasses.replace(made, model=dataclasses.replace(FACTS, kv_heads=2))
    found = head_groups(asked(grouped))
    assert (head_groups(asked()).share, found.share) == (1, 2)
    assert head_groups(asked()).sharing is None
    same, others = found.sharing or (math.nan, math.nan)
    layers = [found.distances[i : i + 4, i : i + 4] for i in (0, 4, 8)]
    assert same == pytest.approx(np.mean([(one[0, 1] + one[2, 3]) / 2 for one in layers]))
    assert others == pytest.approx(np.mean([one[:2, 2:].mean() for one in layers]))
    matrix = group_matrix(found)
    assert (matrix.share, matrix.sharing) == (2, found.sharing)
    assert head_groups(asked(grouped, "L0H0,L0H1")).sharing is None


def test_points_keep_the_distances_of_three_heads() -> None:
    made = capture(layers=1)
    found = head_groups(asked(made, "0-2"))
    apart = np.linalg.norm(found.points[:, None] - found.points[None], axis=-1)
    np.testing.assert_allclose(apart, np.sqrt(found.distances), atol=1e-5)


def test_side_by_side_names_the_queries_that_differ() -> None:
    found = side_by_side(asked(head="L0H0,L1H1,L0H3"))
    assert [head.label for head, _ in found.maps.maps] == ["L0H0", "L0H3", "L1H1"]
    first, *rest = found.pairs
    assert {first.one.label, first.other.label} == {"L0H0", "L1H1"}
    assert first.distance == pytest.approx(0, abs=1e-6)
    assert rest[0].distance > 0.1
    place, label, far = rest[0].most[0]
    assert label == capture().stacks["self"].queries(0).labels[place]
    assert far >= rest[0].most[1][2] > 0


def test_layers_are_compared_by_the_mean_of_their_heads() -> None:
    groups, found = head_groups(asked()), layer_matrix(asked())
    whole = groups.distances.reshape(3, 4, 3, 4).mean(axis=(1, 3))
    assert found.shown.keys.labels == ("L0", "L1", "L2")
    assert found.shown.values[0, 1] == pytest.approx(whole[0, 1], abs=1e-6)
    assert found.shown.values[0, 0] == pytest.approx(whole[0, 0] * 16 / 12, abs=1e-6)


def test_the_matrix_has_groups_in_one_piece() -> None:
    found = group_matrix(head_groups(asked()))
    values = found.shown.values
    for i in range(0, 12, 3):
        np.testing.assert_allclose(values[i : i + 3, i : i + 3], 0, atol=1e-6)
    assert found.shown.vmax == values.max()
    assert found.shown.measure == "distance"


def test_words_are_compared_with_words() -> None:
    made = capture(["[CLS]", "un", "##able", "cat", "[SEP]"])
    one = made.stacks["self"].by_layer[0]
    words = dataclasses.replace(one.queries, words=(None, 0, 0, 1, None))
    layers = {
        n: dataclasses.replace(layer, queries=words, keys=words)
        for n, layer in made.stacks["self"].by_layer.items()
    }
    made = dataclasses.replace(made, stacks={"self": AttentionStack("self", layers)})
    assert head_groups(asked(made)).queries == 3
    assert head_groups(asked(made, words=True)).queries == 2


def test_what_cannot_be_compared() -> None:
    with pytest.raises(SelectionError, match="one head alone"):
        head_groups(asked(head="L0H0"))
    with pytest.raises(SelectionError, match="one layer alone"):
        layer_matrix(asked(head="L0H0,L0H1"))
    with pytest.raises(CaptureError, match="layer 0 were not kept whole"):
        head_groups(asked(capture(whole=False)))
    short = axis(["a", "b"])
    stack = AttentionStack("self", {0: layer(0, axis(), axis()), 1: layer(1, short, short)})
    with pytest.raises(SelectionError, match="layers 0 and 1 attend over different tokens"):
        head_groups(asked(Capture(FACTS, {"self": stack})))
