"""Heads in the order of a score."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from attnviz.attention.selection import Selection
from attnviz.errors import SelectionError
from attnviz.views.heads.head import names_of
from attnviz.views.heads.head_table import head_table, table_matrix
from attnviz.views.heads.query_grid import row_weights
from attnviz.views.heads.score_matrix import EDGE
from tests.captures import WORDS, axis, capture, layer, translation


def test_heads_are_sorted_by_the_score() -> None:
    found = capture()
    table = head_table([found], Selection(), "previous", top=5)
    values = [one.head.score("previous") for one in table.rows]
    assert values == sorted(found.scores["self"]["previous"].ravel(), reverse=True)[:5]
    assert (len(table.rows), table.left_out, table.texts) == (5, 7, 1)
    assert head_table([found], Selection()).sort == "content"
    assert all(not one.spread for one in table.rows)


def test_only_what_was_selected() -> None:
    table = head_table([capture()], Selection.parse(layer="1", head="0-1"))
    assert {one.head.label for one in table.rows} == {"L1H0", "L1H1"}


def test_all_stacks_unless_one_is_named() -> None:
    assert {one.stack for one in head_table([translation()], Selection()).rows} == {
        "encoder", "decoder", "cross",
    }  # fmt: skip
    table = head_table([translation()], Selection.parse(stack="cross"))
    assert {one.stack for one in table.rows} == {"cross"}
    assert not table.several


def test_an_edge_ranks_heads_by_one_weight() -> None:
    found = capture()
    table = head_table([found], Selection.parse(query="mat", key="cat"))
    assert (table.sort, table.edge) == (EDGE, "mat → cat")
    query, key = WORDS.index("mat"), WORDS.index("cat")
    stack = found.stacks["self"]
    for one in table.rows:
        exact = stack.weights(one.head.layer, one.head.head)[query, key]
        assert one.head.score(EDGE) == pytest.approx(exact)
    values = [one.head.score(EDGE) for one in table.rows]
    assert values == sorted(values, reverse=True)
    assert head_table([found], Selection.parse(query="1-2", key="2"), "self").sort == "self"


def test_an_edge_of_a_pooled_capture_may_be_unknown() -> None:
    words = axis()
    found = capture()
    layers = {0: layer(0, words, words, whole=False)}
    found = replace(found, stacks={"self": replace(found.stacks["self"], by_layer=layers)})
    table = head_table([found], Selection.parse(query="mat", key="sat"))
    values = [one.head.score(EDGE) for one in table.rows]
    assert any(math.isnan(value) for value in values)
    assert not math.isnan(values[0])
    assert math.isnan(values[-1]), "unknown weights come last"


def test_an_edge_needs_one_token_at_each_end() -> None:
    found = capture([*WORDS[:3], "cat", *WORDS[3:]])
    with pytest.raises(SelectionError, match="--key cat could be any of 2 tokens: 2, 3") as error:
        head_table([found], Selection.parse(query="mat", key="cat"))
    assert "cat#2" in error.value.hint
    for key, words in (("cat#2", "mat → cat"), ("3", "mat → cat"), ("-1", "mat → [SEP]")):
        assert head_table([found], Selection.parse(query="mat", key=key)).edge == words


def test_one_end_is_no_edge() -> None:
    for selection in (Selection.parse(query="mat"), Selection.parse(key="cat")):
        with pytest.raises(SelectionError, match="two ends"):
            head_table([capture()], selection)


def test_means_and_deviations_over_texts() -> None:
    one, other = capture(), capture(["[CLS]", "a", "dog", "ran", "off", "home", "!", "[SEP]"])
    weights = np.roll(other.stacks["self"].weights(1), 1, axis=0)
    changed = layer(1, axis(), axis(), weights)
    stack = other.stacks["self"]
    by_layer = {**stack.by_layer, 1: changed}
    other = replace(other, stacks={"self": replace(stack, by_layer=by_layer)})
    table = head_table(iter([one, other]), Selection(), "previous")
    assert table.texts == 2
    both = np.stack([some.scores["self"]["previous"] for some in (one, other)])
    for row in table.rows:
        place = row.head.layer, row.head.head
        assert row.head.score("previous") == pytest.approx(both.mean(0)[place])
        assert row.spread["previous"] == pytest.approx(both.std(0)[place])
        assert row.counts["previous"] == 2
    assert table.fewer("previous") == 0


def test_a_mean_says_over_how_few_texts_it_is() -> None:
    one, other = capture(), capture()
    other.stacks["self"].layer(1).kept["score.previous"][0] = math.nan
    for found in (one, other):
        found.stacks["self"].layer(2).kept["score.previous"][:] = math.nan
    table = head_table([one, other], Selection(), "previous")
    rows = {(row.head.layer, row.head.head): row for row in table.rows}
    assert table.fewer("previous") == 1
    assert rows[1, 0].head.score("previous") == one.scores["self"]["previous"][1, 0]
    assert math.isnan(rows[1, 0].spread["previous"])
    assert [rows[place].counts["previous"] for place in ((1, 0), (1, 1), (2, 0))] == [1, 2, 0]


def test_kinds() -> None:
    found = capture()
    every = head_table([found], Selection())
    names = {one.head.pattern.name for one in every.rows}
    assert "previous" in names
    for kind in ("previous", "prev"):
        rows = head_table([found], Selection(), kind=kind).rows
        assert {one.head.pattern.name for one in rows} == {"previous"}
    sinks = head_table([found], Selection(), kind="sink").rows
    assert {one.head.pattern.category for one in sinks} == {"sink"}
    first = head_table([found], Selection(), kind="first").rows
    assert all("first-token" in {name.name for name in names_of(one.head)} for one in first)
    with pytest.raises(SelectionError, match="no head is of the kind clever") as error:
        head_table([found], Selection(), kind="clever")
    assert "previous" in error.value.hint


def test_unknown_score() -> None:
    with pytest.raises(SelectionError, match="no score 'beauty'") as error:
        head_table([capture()], Selection(), "beauty")
    assert "content" in error.value.hint
    for name, needed in (("edge", "--query and --key"), ("prefix_matching", "--probe")):
        with pytest.raises(SelectionError, match=f"no score '{name}'") as error:
            head_table([capture()], Selection(), name)
        assert needed in error.value.hint


def test_matrix_of_the_table() -> None:
    found = capture()
    matrix = table_matrix(head_table([found], Selection.parse(head="0,3"), "self"))
    assert (matrix.layers, matrix.heads, matrix.score) == ((0, 1, 2), (0, 3), "self")
    np.testing.assert_array_equal(matrix.values, found.scores["self"]["self"][:, [0, 3]])
    few = head_table([found], Selection(), kind="previous")
    assert np.isfinite(table_matrix(few).values).sum() == len(few.rows)


def test_what_is_known_of_some_tokens_of_a_word_alone_is_not_known() -> None:
    """Of a query of two tokens, a key that was kept for one of them only has no weight."""
    held = capture(["a", "b", "c", "d", "e", "f"])
    first = held.stacks["self"].layer(0)
    weights = first.kept["weights"]
    order = np.argsort(-weights, axis=-1)[..., :2]
    few = {
        "top_keys": order.astype(np.int32),
        "top_weights": np.take_along_axis(weights, order, axis=-1),
    }
    pooled = replace(first, kept=few)
    whole = row_weights(first, 3, [1, 2])
    row = row_weights(pooled, 3, [1, 2])
    both = set(order[3, 1]) & set(order[3, 2])
    assert {key for key in range(6) if not np.isnan(row[key])} == both
    for key in both:
        assert row[key] == pytest.approx(whole[key], rel=1e-6)
    alone = row_weights(pooled, 3, [1])
    assert {key for key in range(6) if not np.isnan(alone[key])} == set(order[3, 1])


def test_keys_behind_a_causal_query_are_known_to_get_nothing() -> None:
    held = capture(["a", "b", "c", "d"], causal=True)
    first = held.stacks["self"].layer(0)
    weights = first.kept["weights"]
    order = np.argsort(-weights, axis=-1)[..., :1]
    top = np.take_along_axis(weights, order, axis=-1)
    pooled = replace(first, kept={"top_keys": order.astype(np.int32), "top_weights": top})
    row = row_weights(pooled, 0, [1])
    assert row[2] == row[3] == 0
    assert np.isnan(row[:2]).sum() == 1
