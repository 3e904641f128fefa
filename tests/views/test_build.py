import numpy as np
import pytest

from attnviz.attention.axis import Axis
from attnviz.attention.capture import AttentionStack, Capture
from attnviz.attention.selection import Selection
from attnviz.errors import SelectionError
from attnviz.views.appearance import Appearance
from attnviz.views.build import build
from attnviz.views.heads.head_grid import HeadGrid
from attnviz.views.heads.query_grid import QueryGrid
from attnviz.views.maps.head_maps import HeadMaps
from attnviz.views.maps.head_screen import HeadScreen
from tests.captures import FACTS, axis, capture, layer, translation


def kinds(view):
    return [type(part) for part in view.parts]


@pytest.mark.parametrize(
    ("options", "view", "expected"),
    [
        ({}, "auto", [HeadGrid, HeadScreen]),
        ({"layer": "1", "head": "2"}, "auto", [HeadScreen]),
        ({"head": "L1H2"}, "auto", [HeadScreen]),
        ({"layer": "1"}, "auto", [HeadMaps]),
        ({"head": "2"}, "auto", [HeadMaps]),
        ({"query": "cat"}, "auto", [QueryGrid]),
        ({"query": "cat", "key": "mat"}, "auto", [QueryGrid]),
        ({"query": "cat", "head": "L0H1"}, "auto", [HeadScreen]),
        ({"query": "2-4"}, "auto", [HeadGrid, HeadScreen]),
        ({"key": "cat"}, "auto", [HeadGrid, HeadScreen]),
        ({}, "heads", [HeadGrid]),
        ({}, "grid", [HeadMaps]),
        ({}, "map", [HeadScreen]),
        ({}, "table", [HeadScreen]),
        ({"query": "cat"}, "map", [HeadScreen]),
    ],
)
def test_what_is_asked_for_decides_the_picture(options, view, expected):
    assert kinds(build(capture(), Selection.parse(**options), view=view)) == expected


def test_the_first_look_shows_the_prediction_and_the_chosen_head():
    view = build(capture())
    grid, screen = view.parts
    assert view.prediction is not None
    assert grid.chosen == ((screen.head.layer, screen.head.head),)
    assert screen.reason.startswith("picked: most attention to particular words")
    assert grid.sink_labels == ("[CLS]", "[SEP]")
    assert 0.2 < grid.sink_share < 0.6
    assert sum(count for _, count in grid.summary) == 12


def test_one_layer_is_all_its_heads_and_one_head_all_layers():
    layer_view = build(capture(), Selection.parse(layer="1")).parts[0]
    assert [head.label for head, _ in layer_view.maps] == ["L1H0", "L1H1", "L1H2", "L1H3"]
    head_view = build(capture(), Selection.parse(head="-1")).parts[0]
    assert [head.label for head, _ in head_view.maps] == ["L0H3", "L1H3", "L2H3"]
    assert len({one.vmax for _, one in head_view.maps}) == 1


def test_a_query_grid_names_the_heaviest_key_and_which_of_equal_words():
    labels = ["[CLS]", "the", "cat", "saw", "the", "dog", "[SEP]"]
    view = build(capture(labels), Selection.parse(query="the#2"))
    grid = view.parts[0]
    assert grid.occurrence == (2, 2)
    assert grid.positions == (4,)
    stack = capture(labels).stacks["self"]
    for number, head, cell in grid.cells:
        row = stack.weights(number, head)[4]
        assert cell.key == row.argmax()
        assert cell.weight == pytest.approx(row.max())
        assert cell.special == (grid.keys.labels[cell.key] in ("[CLS]", "[SEP]"))
    ordinary = [cell.weight for _, _, cell in grid.cells if not cell.special]
    assert grid.vmax == max(ordinary)
    assert len(ordinary) < len(grid.cells)


def test_the_edge_between_two_words_in_every_head():
    one = capture()
    grid = build(one, Selection.parse(query="sat", key="cat")).parts[0]
    found = {(layer_, head): cell.weight for layer_, head, cell in grid.cells}
    for (number, head), weight in found.items():
        assert weight == pytest.approx(one.stacks["self"].weights(number, head)[3, 2])


def test_cross_attention_comes_first_and_the_others_are_summed_up():
    view = build(translation())
    assert [getattr(part, "stack", None) for part in view.parts] == [
        "cross",
        "encoder",
        "decoder",
        "cross",
    ]
    assert view.facts.tokens == 6
    assert view.facts.targets == 5
    only = build(translation(), Selection.parse(stack="decoder"))
    assert [part.stack for part in only.parts] == ["decoder", "decoder"]


def test_the_table_lists_keys_sinks_and_the_strongest_link():
    screen = build(capture(), Selection.parse(head="L0H0")).parts[0]
    table = screen.table
    assert table.rows == tuple(range(8))
    key, weight = table.top(3)[0]
    assert (key, round(weight, 2)) == (2, 0.99)
    assert table.sink[1] == pytest.approx(screen.heatmap.values[1, [0, 7]].sum())
    assert table.link(0) is None
    layer_, head, key, weight = table.link(4)
    best = max(
        (capture().stacks["self"].weights(number)[:, 4].max(), -number) for number in range(3)
    )
    assert weight == pytest.approx(best[0])
    assert layer_ == -best[1]
    assert head in range(4)
    assert table.strongest(2) == sorted(table.strongest(2))


def test_learned_sinks_are_shown_as_a_share():
    tokens = axis()
    weights = np.full((1, 8, 8), 0.63 / 8, np.float32)
    one = layer(0, tokens, tokens, weights)
    held = Capture(FACTS, {"self": AttentionStack("self", {0: one})})
    table = build(held).parts[-1].table
    assert table.learned == pytest.approx(np.full(8, 0.37))
    assert table.sink == pytest.approx(np.full(8, 0.37 + 2 * 0.63 / 8))


def test_words_are_merged_in_maps_tables_and_selections():
    view = build(translation(), Selection.parse(head="L0H1"), Appearance(words=True))
    screen = view.parts[0]
    assert screen.heatmap.keys.labels == ("The", "▁house", "▁is", "▁wonderful", ".")
    assert screen.heatmap.values.sum(axis=1) == pytest.approx(np.ones(5))
    narrowed = build(
        translation(), Selection.parse(head="L0H1", key="wonderful"), Appearance(words=True)
    )
    assert narrowed.parts[0].heatmap.columns == ((3, 4),)


def test_pooled_runs_still_have_a_picture():
    view = build(capture(whole=False))
    screen = view.parts[-1]
    assert screen.heatmap.pooled == "mass"
    assert screen.table.partial
    assert len(screen.table.rows) == 8
    assert screen.table.top_weights.max() > 0.5


def test_padding_has_no_row_in_the_table():
    tokens = axis(["[PAD]", "a", "b", "c"], padding=(True, False, False, False))
    held = Capture(FACTS, {"self": AttentionStack("self", {0: layer(0, tokens, tokens)})})
    view = build(held, Selection.parse(head="L0H1"))
    assert view.parts[0].table.rows == (1, 2, 3)
    assert view.facts.tokens == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layer": "9"}, "layer 9 does not exist: tiny-bert has layers 0-2"),
        ({"head": "4"}, "head 4 does not exist: tiny-bert has heads 0-3 in layer 0"),
        ({"stack": "cross"}, "stack cross does not exist: tiny-bert has self"),
        ({"query": "dog"}, "--query dog"),
    ],
)
def test_what_does_not_exist_is_an_error(options, message):
    with pytest.raises(SelectionError) as caught:
        build(capture(), Selection.parse(**options))
    assert caught.value.message.startswith(message)


def test_a_head_that_was_not_observed_is_an_error():
    one = layer(0, Axis(labels=("a", "b")), Axis(labels=("a", "b")), np.full((1, 2, 2), 0.5))
    held = Capture(FACTS, {"self": AttentionStack("self", {0: one})})
    partly = {"self": AttentionStack("self", {0: one.__class__(**{**vars(one), "n_heads": 4})})}
    assert build(held).parts
    with pytest.raises(SelectionError, match="nothing of this selection was observed"):
        build(Capture(FACTS, partly), Selection.parse(head="3"))


def test_a_table_of_kept_keys_is_renormalised_like_its_map():
    held = capture(whole=False)
    appearance = Appearance(renormalize=True, hide_special=True)
    (screen,) = build(held, Selection.parse(head="L0H3", query="2"), appearance).parts
    listed = sum(weight for _, weight in screen.table.top(0))
    assert listed == pytest.approx(screen.heatmap.values[0].sum(), abs=0.06)
    assert screen.table.sink[0] == 0


def test_the_sink_share_of_kept_keys_is_said_to_be_partial():
    (screen,) = build(capture(whole=False), Selection.parse(head="L0H1")).parts
    assert "sink counts only what is among the 4 heaviest keys of a query" in screen.table.notes
    (screen,) = build(capture(), Selection.parse(head="L0H1")).parts
    assert screen.table.notes == ()


def test_several_maps_state_the_range_of_what_is_hidden():
    (maps,) = build(capture(), Selection.parse(layer="0"), Appearance(hide_special=True)).parts
    shares = [one.left_out for _, one in maps.maps]
    assert maps.notes == (f"special tokens hidden: {min(shares):.0%} to {max(shares):.0%} "
                          "of the attention is not shown",)  # fmt: skip


def test_a_key_that_was_not_kept_is_unknown_and_not_zero():
    (grid,) = build(capture(whole=False), Selection.parse(query="5", key="3")).parts
    top = capture(whole=False).stacks["self"].by_layer[0].kept["top_keys"]
    for layer_, head, cell in grid.cells:
        if layer_ == 0:
            assert np.isnan(cell.weight) == (3 not in top[head, 5])
    assert "? = not among them" in grid.notes


def test_a_query_grid_says_what_it_does_not_do():
    appearance = Appearance(words=True, hide_special=True, renormalize=True)
    (grid,) = build(capture(), Selection.parse(query="cat"), appearance).parts
    assert grid.notes == ("keys were not merged into words", "nothing was hidden",
                          "nothing was renormalised")  # fmt: skip


def test_maps_without_a_table_mention_learned_sinks():
    tokens = axis()
    weights = np.full((2, 8, 8), 0.1, np.float32)
    held = Capture(FACTS, {"self": AttentionStack("self", {0: layer(0, tokens, tokens, weights)})})
    note = "a learned sink takes what rows lack to 100 %"
    assert note in build(held, Selection.parse(head="L0H1"), view="map").parts[0].heatmap.notes
    assert note in build(held, view="grid").parts[0].notes
