"""What goes into an image: one view of a selection."""

from __future__ import annotations

import numpy as np
import pytest

from attnviz.attention.selection import Selection
from attnviz.errors import SelectionError
from attnviz.views.appearance import Appearance
from attnviz.views.build import figure
from attnviz.views.heads.score_matrix import HeadMatrix
from attnviz.views.maps.arcs import Arcs
from attnviz.views.maps.head_maps import HeadMaps
from attnviz.views.maps.head_screen import HeadScreen
from tests.captures import capture, translation


def test_the_grid_is_the_default_and_one_head_a_heatmap() -> None:
    found = capture()
    assert isinstance(figure(found, Selection(), Appearance()).parts[0], HeadMaps)
    one = figure(found, Selection.parse(head="L1H2"), Appearance()).parts[0]
    assert isinstance(one, HeadScreen)
    assert one.head.label == "L1H2"
    assert one.heatmap is not None
    np.testing.assert_array_equal(one.heatmap.values, found.stacks["self"].weights(1, 2))


def test_heatmap_and_arcs_of_all_heads_take_the_head_that_inspect_shows() -> None:
    map_ = figure(capture(), Selection(), Appearance(), "map").parts[0]
    lines = figure(capture(), Selection(), Appearance(), "arcs").parts[0]
    assert isinstance(map_, HeadScreen)
    assert isinstance(lines, Arcs)
    assert map_.reason.startswith("picked")
    assert [one.label for one in lines.heads] == [map_.head.label]


def test_maps_of_a_grid_are_pooled_as_they_are_made() -> None:
    body = figure(capture(), Selection(), Appearance(most=3), "grid").parts[0]
    assert isinstance(body, HeadMaps)
    assert {one.shape for _, one in body.maps} == {(3, 3)}
    assert {one.vmax for _, one in body.maps} == {body.vmax}


def test_matrix_of_a_score() -> None:
    found = capture()
    body = figure(found, Selection.parse(head="1-2"), Appearance(score="previous"), "matrix").parts[
        0
    ]
    assert isinstance(body, HeadMatrix)
    assert body.heads == (1, 2)
    np.testing.assert_array_equal(body.values, found.scores["self"]["previous"][:, 1:3])
    one = figure(found, Selection.parse(head="L1H3,L0H0"), Appearance(), "matrix").parts[0]
    assert isinstance(one, HeadMatrix)
    assert np.isnan(one.values).sum() == 2
    with pytest.raises(SelectionError, match="no score 'beauty'") as error:
        figure(found, Selection(), Appearance(score="beauty"), "matrix")
    assert "content" in error.value.hint


def test_lines_are_the_weights_that_are_large_enough() -> None:
    found = capture()
    selection = Selection.parse(head="L0H0,L0H3")
    body = figure(found, selection, Appearance(least=0.3), "arcs").parts[0]
    assert isinstance(body, Arcs)
    weights = found.stacks["self"].weights(0)[[0, 3]]
    assert len(body.lines) == (weights >= 0.3).sum()
    head, query, key = body.lines.T
    np.testing.assert_allclose(weights[head, query, key], body.weights)
    assert (np.diff(body.weights) >= 0).all()
    share = 1 - weights[weights >= 0.3].sum() / weights.sum()
    assert body.unseen == pytest.approx(share, abs=1e-6)
    special = np.array(body.keys.special)[key]
    assert body.sinks[special].all()


def test_lines_of_what_was_selected() -> None:
    selection = Selection.parse(head="L0H3", query="2-4", key="0-6")
    body = figure(capture(), selection, Appearance(least=0.0), "arcs").parts[0]
    assert isinstance(body, Arcs)
    assert body.rows == (2, 3, 4)
    assert body.columns == tuple(range(7))
    assert len(body.lines) == 3 * 7


def test_too_many_heads_or_tokens_for_lines() -> None:
    from attnviz.attention.capture import AttentionStack
    from attnviz.views.maps.arcs import arcs
    from attnviz.views.request import Rows
    from tests.captures import axis, layer

    words = axis([f"w{i}" for i in range(420)])
    stack = AttentionStack("self", {0: layer(0, words, words)})
    with pytest.raises(SelectionError, match="420 tokens are too many"):
        arcs(stack, [(0, 0)], Appearance(), Rows())
    with pytest.raises(SelectionError, match="25 heads are too many"):
        arcs(stack, [(0, 0)] * 25, Appearance(), Rows())


def test_cross_stack_first() -> None:
    body = figure(translation(), Selection(), Appearance()).parts[0]
    assert body.stack == "cross"
    assert body.several


def test_sinks_are_split_off_unless_asked_not_to() -> None:
    one = figure(capture(), Selection.parse(head="L0H2"), Appearance()).parts[0]
    plain = figure(capture(), Selection.parse(head="L0H2"), Appearance(sink_split=False)).parts[0]
    assert isinstance(one, HeadScreen)
    assert isinstance(plain, HeadScreen)
    assert one.heatmap is not None
    assert plain.heatmap is not None
    assert one.heatmap.sinks[0]
    assert not plain.heatmap.sinks.any()
    assert plain.heatmap.vmax == plain.heatmap.values.max() > one.heatmap.vmax
