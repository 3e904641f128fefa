"""Groups of heads on constructed distances, against a plain average linkage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attnviz.analysis import groups
from attnviz.analysis.distances import head_distances
from attnviz.analysis.groups import between, grouped, layout, linkage, nearest_pairs
from tests.analysis.test_distances import random_maps


def apart(points: np.ndarray) -> np.ndarray:
    return np.sqrt(np.square(points[:, None] - points[None]).sum(axis=-1))


def random_distances(seed: int, heads: int) -> np.ndarray:
    """Symmetric, without ties, and no metric."""
    upper = np.triu(np.random.default_rng(seed).uniform(size=(heads, heads)), 1)
    return upper + upper.T


def plain_linkage(distances: np.ndarray) -> tuple[list[float], list[set[frozenset[int]]]]:
    """Heights, and the groups after each merge: means over all pairs, from the definition."""
    parts = [frozenset([i]) for i in range(len(distances))]
    heights, states = [], [set(parts)]
    while len(parts) > 1:
        pairs = [
            (float(distances[np.ix_(sorted(a), sorted(b))].mean()), a, b)
            for i, a in enumerate(parts)
            for b in parts[i + 1 :]
        ]
        height, a, b = min(pairs, key=lambda one: one[0])
        parts = [one for one in parts if one not in (a, b)] + [a | b]
        heights.append(height)
        states.append(set(parts))
    return heights, states


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 12))
def test_the_tree_is_that_of_plain_average_linkage(seed, heads):
    distances = random_distances(seed, heads)
    heights, states = plain_linkage(distances)
    np.testing.assert_allclose([height for _, _, height in linkage(distances)], heights)
    for merged, expected in enumerate(states):
        found = grouped(distances, count=heads - merged)
        assert {frozenset(group.members) for group in found.groups} == expected
        if 0 < merged < heads - 1:
            middle = (heights[merged - 1] + heights[merged]) / 2
            by_height = grouped(distances, threshold=middle)
            assert by_height.groups == found.groups


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 12), st.floats(0, 1))
def test_what_holds_of_all_groups(seed, heads, threshold):
    distances = random_distances(seed, heads)
    found = grouped(distances, threshold=threshold)
    assert sorted(found.order.tolist()) == list(range(heads))
    assert sorted(head for group in found.groups for head in group.members) == list(range(heads))
    sizes = [len(group.members) for group in found.groups]
    assert sizes == sorted(sizes, reverse=True)
    runs = 1 + int(np.count_nonzero(np.diff(found.labels[found.order])))
    assert runs == max(1, len(found.groups))
    for label, group in enumerate(found.groups):
        assert np.flatnonzero(found.labels == label).tolist() == list(group.members)
        inside = distances[np.ix_(group.members, group.members)]
        assert inside[group.members.index(group.typical)].sum() == inside.sum(axis=1).min()
        upper = inside[np.triu_indices(len(inside), 1)]
        assert group.within == pytest.approx(upper.mean() if len(upper) else 0)


def test_heads_that_do_one_thing_form_a_group():
    """Three kinds of maps, spread over two layers, each with some noise of its own."""
    size = 20
    kinds = [np.eye(size), np.eye(size, k=-1), np.full((size, size), 1 / size)]
    kinds[1][0, 0] = 1
    places = [0, 1, 2, 1, 0, 1, 2, 1]
    noise = random_maps(3, len(places), size)
    maps = np.array([0.9 * kinds[kind] + 0.1 * noise[i] for i, kind in enumerate(places)])
    counted = np.arange(size) > 0
    found = grouped(head_distances([maps[:4], maps[4:]], counted))
    assert [group.members for group in found.groups] == [(1, 3, 5, 7), (0, 4), (2, 6)]
    assert found.labels.tolist() == [1, 0, 2, 0, 1, 0, 2, 0]
    assert all(group.within < 0.15 for group in found.groups)


def test_near_heads_stand_side_by_side():
    points = np.random.default_rng(5).permutation(30).astype(float)[:, None]
    order = grouped(apart(points)).order
    assert np.abs(np.diff(points[order, 0])).mean() < 2.5


def test_pieces_are_turned_so_that_near_ends_meet():
    points = np.array([[1.0], [0.0], [5.0], [7.0]])
    assert grouped(apart(points)).order.tolist() == [1, 0, 2, 3]


def test_typical_head_is_the_one_in_the_middle():
    points = np.array([[0.0], [0.1], [0.02], [0.05], [9.0]])
    found = grouped(apart(points), count=2)
    assert [group.typical for group in found.groups] == [2, 4]


def test_permuted_heads_form_the_same_groups():
    distances = random_distances(8, 11)
    order = np.random.default_rng(1).permutation(11)
    moved = grouped(distances[np.ix_(order, order)], threshold=0.4)
    back = {tuple(sorted(order[list(group.members)].tolist())) for group in moved.groups}
    assert back == {group.members for group in grouped(distances, threshold=0.4).groups}


def test_equal_heads_and_unknown_distances():
    distances = np.zeros((5, 5), np.float32)
    distances[4, :4] = distances[:4, 4] = np.nan
    found = grouped(distances)
    assert [group.members for group in found.groups] == [(0, 1, 2, 3), (4,)]
    assert len(nearest_pairs(distances, 100)) == 6
    assert np.isfinite(layout(distances)).all()


@pytest.mark.parametrize("count", [0, 4])
def test_a_count_that_cannot_be(count):
    with pytest.raises(ValueError, match=f"3 heads cannot form {count} groups"):
        grouped(random_distances(0, 3), count=count)


def test_a_thousand_heads_of_one_chain():
    """Worst case for the tree: no recursion, and heights that rise."""
    found = linkage(apart(np.square(np.arange(1000.0))[:, None]))
    heights = [height for _, _, height in found]
    assert heights == sorted(heights)
    assert len(found) == 999


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 9), st.integers(1, 40))
def test_nearest_pairs(seed, heads, count):
    distances = random_distances(seed, heads)
    every = sorted((distances[i, j], i, j) for i in range(heads) for j in range(i + 1, heads))
    assert nearest_pairs(distances, count) == [(i, j, d) for d, i, j in every[:count]]


def test_between_labels():
    distances = random_distances(4, 5)
    found = between(distances, np.array([0, 1, 0, 2, 0]))
    assert found.shape == (3, 3)
    np.testing.assert_array_equal(found, found.T)
    assert found[0, 1] == pytest.approx(distances[[0, 2, 4], 1].mean())
    assert found[0, 0] == pytest.approx((distances[0, 2] + distances[0, 4] + distances[2, 4]) / 3)
    assert np.isnan(np.diag(found)).tolist() == [False, True, True]
    assert between(np.zeros((0, 0)), np.zeros(0, int)).shape == (0, 0)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 20))
def test_layout_keeps_the_distances_of_points_in_the_plane(seed, heads):
    points = np.random.default_rng(seed).normal(size=(heads, 2))
    found = layout(apart(points))
    np.testing.assert_allclose(apart(found), apart(points), atol=1e-6)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-6)
    assert (np.abs(found).max(axis=0) <= found.max(axis=0) + 1e-6).all()


def test_layout_of_a_line_needs_one_dimension():
    found = layout(apart(np.array([[0.0], [1.0], [3.0]])), dims=3)
    np.testing.assert_allclose(found[:, 1:], 0, atol=1e-6)
    np.testing.assert_allclose(found[:, 0], [-4 / 3, -1 / 3, 5 / 3])


@pytest.mark.parametrize("heads", [0, 1, 2])
def test_few_heads(heads):
    distances = 1 - np.eye(heads)
    assert layout(distances).shape == (heads, 2)
    assert len(grouped(distances).groups) == heads
    assert len(grouped(distances, threshold=1).groups) == min(1, heads)
    assert len(nearest_pairs(distances)) == (heads == 2)


@pytest.mark.parametrize("noise", [0.3, 3])
def test_layout_of_many_heads_is_that_of_all_eigenvectors(noise, monkeypatch):
    """Four kinds of heads, and heads without any order."""
    kinds = np.log(random_maps(59, 4, 12))[np.arange(60) % 4]
    maps = np.exp(kinds + noise * np.random.default_rng(0).normal(size=kinds.shape))
    distances = np.sqrt(head_distances([maps], np.ones(12, bool)))
    expected = layout(distances)
    monkeypatch.setattr(groups, "EXACT", 0)
    np.testing.assert_allclose(layout(distances), expected, atol=1e-5)
    few = layout(distances[:3, :3])
    monkeypatch.undo()
    np.testing.assert_allclose(few, layout(distances[:3, :3]), atol=1e-5)


def test_layout_without_distances_is_one_point(monkeypatch):
    for exact in (0, 100):
        monkeypatch.setattr(groups, "EXACT", exact)
        assert (layout(np.zeros((40, 40))) == 0).all()
