import tracemalloc
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attnviz.attention.capture import AttentionStack
from attnviz.views.appearance import Appearance
from attnviz.views.maps import cells, pool
from attnviz.views.maps.alignment import alignment
from attnviz.views.maps.heatmap import State, heatmap, sink_columns
from attnviz.views.maps.legend import faint
from attnviz.views.maps.pool import column_bins, pooled
from attnviz.views.maps.scales import description, number, positions, ranks
from tests.captures import axis, layer

TOKENS = axis()


def test_sinks_are_off_the_scale_and_the_rest_ends_at_the_largest_weight():
    one = heatmap(layer(0, TOKENS, TOKENS), 0, Appearance())
    assert np.flatnonzero(one.sinks).tolist() == [0, 7]
    assert one.vmax == pytest.approx(one.values[:, 1:7].max())
    assert one.sink_labels == ("[CLS]", "[SEP]")


def test_a_popular_word_is_a_sink_too():
    weights = np.full((1, 8, 8), 0.5 / 7, np.float32)
    weights[:, :, 3] = 0.5
    assert np.flatnonzero(
        sink_columns(layer(0, TOKENS, TOKENS, weights), 0, Appearance())
    ).tolist() == [
        0,
        3,
        7,
    ]


def test_every_kind_of_cell_has_its_state():
    padded = axis(["a", "b", "c", "[PAD]"], padding=(False, False, False, True))
    weights = np.full((1, 4, 4), 0.3, np.float32)
    weights[0, 2, 0] = 0.0
    weights[0, 1, 1] = np.nan
    states = heatmap(layer(0, padded, padded, weights, causal=True), 0, Appearance()).states
    assert states[0, 0] == State.VALUE
    assert states[2, 0] == State.ZERO
    assert states[1, 1] == State.NAN
    assert states[0, 1] == State.MASKED
    assert (states[3] == State.PADDED).all()
    assert (states[:, 3] == State.PADDED).all()


def test_hidden_special_tokens_are_counted_in_the_notes():
    one = layer(0, TOKENS, TOKENS)
    shown = heatmap(one, 1, Appearance(hide_special=True))
    assert shown.shape == (6, 6)
    assert shown.notes == ("special tokens hidden: 25% of the attention is not shown",)
    assert shown.rows[0] == (1, 2)


def test_renormalising_is_said_and_done():
    one = heatmap(layer(0, TOKENS, TOKENS), 3, Appearance(hide_special=True, renormalize=True))
    assert one.values.sum(axis=1) == pytest.approx(np.ones(6))
    assert "rows renormalised to 1 over what is shown" in one.notes
    assert heatmap(layer(0, TOKENS, TOKENS), 3, Appearance()).notes == ()


def test_chosen_queries_and_keys_are_all_that_is_left():
    one = heatmap(layer(0, TOKENS, TOKENS), 3, Appearance(), queries=(2, 3), keys=(1, 4))
    assert one.rows == ((2, 3), (3, 4))
    assert one.columns == ((1, 2), (4, 5))
    assert "other keys hidden" in one.notes[0]


def test_a_special_query_that_is_asked_for_is_not_hidden():
    one = heatmap(layer(0, TOKENS, TOKENS), 3, Appearance(hide_special=True), queries=(0,))
    assert one.rows == ((0, 1),)


def test_pooled_maps_of_the_run_are_drawn_as_they_were_kept():
    one = heatmap(layer(0, TOKENS, TOKENS, whole=False), 1, Appearance(words=True))
    assert one.shape == (4, 4)
    assert one.rows == ((0, 2), (2, 4), (4, 6), (6, 8))
    assert one.pooled == "mass"
    assert "the maps were not kept whole" in one.notes
    assert "words were not merged" in one.notes
    assert one.values.sum(axis=1) == pytest.approx(np.ones(4))


@pytest.mark.parametrize("reduce", ["mass", "mean", "max"])
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("size", [4, 2])
def test_maps_pooled_in_the_run_are_those_pooled_for_the_picture(reduce, causal, size):
    """Once and twice: a mean is that of the cells that the mask allows, wherever it is taken."""
    appearance = Appearance(reduce=reduce, sink_split=False)
    whole = pooled(heatmap(layer(0, TOKENS, TOKENS, causal=causal), 3, appearance), size, size)
    kept = heatmap(layer(0, TOKENS, TOKENS, causal=causal, whole=False), 3, appearance)
    small = pooled(kept, size, size)
    np.testing.assert_allclose(small.values, whole.values, atol=1e-6)
    np.testing.assert_array_equal(small.states, whole.states)
    assert small.pooled == reduce
    assert kept.notes == ("the maps were not kept whole",)
    again = pooled(
        pooled(heatmap(layer(0, TOKENS, TOKENS, causal=causal), 3, appearance), 4, 4), 2, 2
    )
    once = pooled(heatmap(layer(0, TOKENS, TOKENS, causal=causal), 3, appearance), 2, 2)
    np.testing.assert_allclose(again.values, once.values, atol=1e-6)


def test_rows_of_a_run_without_whole_maps_come_from_the_heaviest_keys():
    one = heatmap(layer(0, TOKENS, TOKENS, whole=False), 0, Appearance(), queries=(2, 5))
    assert one.rows == ((2, 3), (5, 6))
    assert (one.states == State.CUT).sum() == 2 * 4
    assert one.values[0, 1] == pytest.approx(one.values[0].max())
    assert "only the 4 heaviest keys" in one.notes[0]


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 12), st.integers(1, 24))
def test_pooling_keeps_the_sums_of_rows(queries, keys, most_rows, most_columns):
    rows, columns = axis([f"q{i}" for i in range(queries)]), axis([f"k{i}" for i in range(keys)])
    one = heatmap(layer(0, rows, columns, cross=True), 3, Appearance())
    small = pooled(one, most_rows, most_columns)
    assert small.shape[0] <= most_rows
    assert small.shape[1] <= most_columns
    assert small.values.sum(axis=1) == pytest.approx(np.ones(small.shape[0]), abs=1e-4)
    assert small.rows[0][0] == 0
    assert small.rows[-1][1] == queries
    assert [a for a, _ in small.columns[1:]] == [b for _, b in small.columns[:-1]]


def test_pooling_by_the_largest_cell():
    one = heatmap(layer(0, TOKENS, TOKENS), 3, Appearance(reduce="max"))
    small = pooled(one, 1, 1)
    assert small.values.item() == pytest.approx(one.values.max())
    assert small.pooled == "max"


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.integers(1, 70))
def test_bins_cover_all_columns_in_order(sinks, count):
    bins = column_bins(np.array(sinks), count)
    assert len(bins) <= count
    assert [j for a, b in bins for j in range(a, b)] == list(range(len(sinks)))


def test_a_few_sinks_stay_alone():
    sinks = np.zeros(100, bool)
    sinks[[0, 99]] = True
    bins = column_bins(sinks, 20)
    assert bins[0] == (0, 1)
    assert bins[-1] == (99, 100)


def test_masked_cells_stay_masked_when_pooled():
    tokens = axis([f"t{i}" for i in range(8)])
    one = heatmap(layer(0, tokens, tokens, causal=True), 1, Appearance())
    small = pooled(one, 4, 4)
    assert (small.states[np.triu_indices(4, 1)] == State.MASKED).all()
    assert (small.states[np.tril_indices(4)] == State.VALUE).all()


@pytest.mark.parametrize(
    ("scale", "expected", "words"),
    [
        ("linear", [0.25, 1.0], "0 – 0.40 linear"),
        ("sqrt", [0.5, 1.0], "0 – 0.40 square root"),
        ("log", [1 + np.log10(0.25) / 3, 1.0], "0.0004 – 0.40 log"),
        ("row", [0.25, 1.0], "0 – the largest of each row"),
    ],
)
def test_scales(scale, expected, words):
    keys = axis(["a", "b"])
    weights = np.array([[[0.1, 0.4], [0.1, 0.2]]], np.float32)
    one = heatmap(layer(0, keys, keys, weights), 0, Appearance(scale=scale))
    assert positions(one)[0] == pytest.approx(expected)
    assert description(one) == words
    if scale == "row":
        assert positions(one)[1] == pytest.approx([0.5, 1.0])


def test_ranks_run_from_0_to_1_and_leave_out_what_is_unknown():
    found = ranks(np.array([[0.3, np.nan], [0.1, 0.2]]))
    assert found == pytest.approx(np.array([[1.0, np.nan], [0.0, 0.5]]), nan_ok=True)


def test_an_empty_scale_divides_by_nothing():
    keys = axis(["a", "b"])
    one = heatmap(layer(0, keys, keys, np.zeros((1, 2, 2), np.float32)), 0, Appearance())
    assert one.vmax == 0
    assert positions(replace(one, scale="log")).max() <= 1
    assert number(0) == "0"


def test_pooling_a_kept_map_again_weighs_its_rows_by_their_queries():
    tokens = axis([f"t{i}" for i in range(10)])
    kept = heatmap(layer(0, tokens, tokens, whole=False), 3, Appearance())
    again = pooled(kept, 2, 2)
    weights = layer(0, tokens, tokens).kept["weights"][3]
    (top, end), (left, stop) = again.rows[0], again.columns[0]
    mean = weights[top:end, left:stop].sum(axis=1).mean()
    assert {b - a for a, b in kept.rows} == {2, 3}
    assert again.values[0, 0] == pytest.approx(mean)


def test_a_kept_pooled_map_has_no_padding_and_broken_rows_are_no_zeros():
    padded = axis([f"t{i}" for i in range(8)], padding=(True, True) + (False,) * 6)
    one = layer(0, padded, padded, whole=False)
    sums = one.kept["row_sums"].copy()
    sums[1, 4] = np.nan
    found = heatmap(replace(one, kept={**one.kept, "row_sums": sums}), 1, Appearance())
    assert (found.rows[0][0], found.rows[-1][1]) == (2, 8)
    (broken,) = [row for row, (a, b) in enumerate(found.rows) if a <= 4 < b]
    assert (found.states[broken] == State.NAN).all()
    assert not (found.states == State.PADDED).any()


def test_the_heaviest_keys_keep_padding_and_nan_apart_from_what_was_not_kept():
    padded = axis([f"t{i}" for i in range(8)], padding=(True, True) + (False,) * 6)
    one = layer(0, padded, padded, whole=False)
    heaviest = one.kept["top_weights"].copy()
    heaviest[1, 4, 0] = np.nan
    broken = replace(one, kept={**one.kept, "top_weights": heaviest})
    shown = heatmap(broken, 1, Appearance(words=True), queries=(1, 4))
    assert (shown.states[0] == State.PADDED).all()
    assert shown.states[1, one.kept["top_keys"][1, 4, 0]] == State.NAN
    assert "words were not merged" in shown.notes


def test_what_is_hidden_of_kept_keys_is_a_share_of_what_was_kept():
    shown = heatmap(
        layer(0, TOKENS, TOKENS, whole=False), 1, Appearance(hide_special=True), queries=(2,)
    )
    assert any("of the attention that was kept is not shown" in note for note in shown.notes)


def test_a_pooled_map_says_that_it_leaves_no_keys_out():
    shown = heatmap(layer(0, TOKENS, TOKENS, whole=False), 1, Appearance(), keys=(2,))
    assert "all queries and keys are shown" in shown.notes


def large(side, head=0):
    """A causal layer of this many tokens with a sink, NaN, zeros and equal weights."""
    rng = np.random.default_rng(side)
    weights = rng.random((1, side, side), np.float32)
    weights **= 8
    weights[:, :, 0] += 3
    weights *= np.tri(side, dtype=np.float32)
    weights /= weights.sum(axis=-1, keepdims=True)
    weights[0, side // 2, 1:9] = 0.07
    weights[0, side // 3, 5] = np.nan
    weights[0, side // 4, 2] = 0
    one = axis(["[CLS]", *map(str, range(1, side - 1)), "[PAD]"],
               padding=(False,) * (side - 1) + (True,))  # fmt: skip
    return layer(0, one, one, weights, causal=True)


LOOKS = [Appearance(reduce=reduce, hide_special=hide, renormalize=hide, sink_split=split)
         for reduce, hide, split in product(("mass", "mean", "max"), (False, True), (False, True))
         ]  # fmt: skip


@pytest.mark.parametrize("appearance", LOOKS)
@pytest.mark.parametrize("block", [1, 500, 2**12])
def test_a_map_looked_at_in_blocks_is_the_one_looked_at_at_once(appearance, block, monkeypatch):
    one = large(60)
    stack = AttentionStack("self", {0: one})

    def drawn():
        full = heatmap(one, 0, appearance)
        table = alignment(stack, one, 0, appearance, full)
        maps = [full, pooled(full, 7, 60), pooled(pooled(full, 7, 60), 7, 9), pooled(full, 60, 9)]
        parts = [(m.values, m.states, m.sinks, m.cells, m.vmax, m.notes, m.left_out) for m in maps]
        return [*(part for each in parts for part in each),
                table.top_keys, table.top_weights, table.sink]  # fmt: skip

    expected = drawn()
    monkeypatch.setattr(cells, "BLOCK", block)
    monkeypatch.setattr(pool, "BLOCK", block)
    for found, wanted in zip(drawn(), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(
    "appearance", [Appearance(), Appearance(reduce="max"), Appearance(hide_special=True)]
)
def test_drawing_a_large_map_takes_little_more_than_the_map(appearance):
    one = large(3000)
    stack, size = AttentionStack("self", {0: one}), one.kept["weights"].nbytes
    tracemalloc.start()
    full = heatmap(one, 0, appearance)
    table = alignment(stack, one, 0, appearance, full)
    small = pooled(pooled(full, 60, 3000), 60, 80)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert max(small.shape) <= 80
    assert (table.top_keys[:, 0] >= 0).any()
    assert most < size / 2


@pytest.mark.parametrize(("size", "dark"), [(99, False), (101, True)])
def test_a_map_is_faint_where_next_to_no_cell_stands_out(size, dark):
    tokens = axis([f"t{i}" for i in range(size)])
    weights = 0.9 * np.eye(size, dtype=np.float32)[None] + 0.1 / size
    one = layer(0, tokens, tokens, weights)
    assert faint([heatmap(one, 0, Appearance())]) is dark
    assert not faint([heatmap(one, 0, Appearance(scale="sqrt"))])
    even = layer(0, tokens, tokens, np.full((1, size, size), 1 / size, np.float32))
    assert not faint([heatmap(even, 0, Appearance())])
    assert faint([heatmap(one, 0, Appearance()), heatmap(even, 0, Appearance())])
    assert not faint([])
