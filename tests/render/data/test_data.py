import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attnviz.attention.capture import AttentionStack
from attnviz.attention.selection import Selection
from attnviz.render.data.answer import answer_rows, answer_values
from attnviz.render.data.tidy_rows import to_text
from attnviz.views.answer import in_full
from attnviz.views.build import build
from tests.captures import axis, capture, layer, translation


def dumped(held, view):
    return json.loads(json.dumps(answer_values(in_full(view, held)), allow_nan=False))


def test_json_speaks_the_vocabulary():
    held = capture()
    found = dumped(held, build(held))
    assert found["schema"] == 1
    assert found["model"]["name"] == "tiny-bert"
    assert found["input"]["text"] == held.text
    assert found["prediction"]["items"][0]["answers"][0] == {"answer": "good", "probability": 0.9}
    stack = found["stacks"]["self"]
    assert stack["queries"]["labels"] == list(held.stacks["self"].queries(0).labels)
    assert [one["layer"] for one in stack["layers"]] == [0, 1, 2]
    assert stack["layers"][0]["heads"][0]["pattern"] == "previous"
    assert np.array(stack["scores"]["content"]).shape == (3, 4)
    assert found["chosen"]["reason"].startswith("picked")
    (head,) = found["heads"]
    expected = held.stacks["self"].weights(head["layer"], head["head"])
    assert np.array(head["map"]["weights"]) == pytest.approx(expected, rel=1e-6)
    assert head["table"][3]["keys"][0]["weight"] == pytest.approx(expected[3, 1:7].max(), rel=1e-6)


def test_the_heaviest_keys_and_diagonals_stand_with_the_head():
    tokens = axis([f"t{i}" for i in range(6)])
    one = layer(0, tokens, tokens, whole=False)
    heavy = np.array([[[head, 0.5], [4, 0.25], [np.nan, np.nan]] for head in range(4)])
    kept = one.kept | {"heavy_keys": heavy, "slashes": heavy[:, 1:]}
    kept |= {"score.vertical": np.full(4, 0.6), "score.slash": np.full(4, 0.3)}
    held = replace(capture(), stacks={"self": AttentionStack("self", {0: replace(one, kept=kept)})})
    found = dumped(held, build(held, Selection.parse(head="2")))
    for place in (found["chosen"], found["heads"][0]):
        assert place["heavy_keys"] == [{"key": 2, "share": 0.5}, {"key": 4, "share": 0.25}]
        assert place["slashes"] == [{"offset": 4, "share": 0.25}]
    short = dumped(capture(), build(capture()))
    assert not {"heavy_keys", "slashes"} & {*short["chosen"], *short["heads"][0]}


def test_cells_without_a_weight_are_null_and_named():
    held = capture(["a", "b", "c"], causal=True)
    (head,) = dumped(held, build(held, Selection.parse(head="L0H1")))["heads"]
    assert head["map"]["weights"][0] == [1.0, None, None]
    assert head["map"]["states"][0] == ["value", "masked", "masked"]


def test_scores_that_do_not_exist_are_null():
    held = translation()
    held.stacks["cross"].by_layer[0].kept["score.self"][:] = np.nan
    found = dumped(held, build(held))
    assert found["stacks"]["cross"]["scores"]["self"][0] == [None] * 4
    assert set(found["stacks"]) == {"encoder", "decoder", "cross"}


def test_a_query_grid_is_one_entry_per_head():
    held = capture()
    found = dumped(held, build(held, Selection.parse(query="cat")))
    assert found["query"]["label"] == ["cat"]
    assert len(found["query"]["heads"]) == 12
    assert found["chosen"] is None


def test_rows_of_a_head_are_its_weights():
    held = capture()
    rows = list(answer_rows(build(held, Selection.parse(head="L1H2"))))
    assert rows[0] == ["stack", "layer", "head", "query", "query_label", "key", "key_label",
                       "weight"]  # fmt: skip
    assert len(rows) == 1 + 8 * 8
    weights = held.stacks["self"].weights(1, 2)
    assert rows[1 + 3 * 8 + 2][:7] == ["self", 1, 2, 3, "sat", 2, "cat"]
    assert float(rows[1 + 3 * 8 + 2][7]) == pytest.approx(weights[3, 2], rel=1e-6)


def test_masked_cells_have_no_row():
    view = build(capture(["a", "b", "c"], causal=True), Selection.parse(head="L0H1"))
    assert len(list(answer_rows(view))) == 1 + 6


def test_rows_of_a_grid_are_its_heads():
    rows = list(answer_rows(build(capture(), view="heads")))
    assert rows[0][:6] == ["stack", "layer", "head", "pattern", "strength", "previous"]
    assert "content" in rows[0]
    assert len(rows) == 1 + 12
    assert rows[1][3] == "previous"


def test_rows_of_tables_queries_and_several_maps():
    held = capture()
    table = list(answer_rows(build(held, Selection.parse(head="L0H0"), view="table")))
    assert table[1][:4] == ["self", 0, 0, 2]
    assert len(list(answer_rows(build(held, Selection.parse(query="cat"))))) == 1 + 12
    assert len(list(answer_rows(build(held, Selection.parse(layer="1"))))) == 1 + 4 * 64


@pytest.mark.parametrize(("form", "mark"), [("tsv", "\t"), ("csv", ",")])
def test_text_is_read_back_whatever_the_tokens(form, mark):
    rows = [["a", "b"], ["x\ty", 'he said "a,b"'], ["\n", "\ud83d"]]
    text = to_text(rows, form)
    back = list(csv.reader(io.StringIO(text, newline=""), delimiter=mark))
    assert back[:2] == rows[:2]
    assert back[2] == ["\n", "\\ud83d"]


@pytest.mark.parametrize(("form", "mark"), [("tsv", "\t"), ("csv", ",")])
@given(
    rows=st.lists(
        st.lists(
            st.text(st.characters(exclude_categories=["Cs"]))
            | st.text(st.sampled_from("\r\n\t,\"'\x00\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029 \\")),
            min_size=1,
        )
    )
)
def test_any_token_is_read_back(form, mark, rows):
    text = to_text(rows, form)
    assert [*csv.reader(io.StringIO(text, newline=""), delimiter=mark)] == rows


@pytest.mark.parametrize(
    ("cell", "written"),
    [("a\r", '"a\r"'), ("\r\n", '"\r\n"'), ("\n", '"\n"'), ('"', '""""'), ("a b", "a b"),
     ("\x1c\x85\u2028", "\x1c\x85\u2028"), ("a\tb,c", '"a\tb,c"')],
)  # fmt: skip
def test_cells_that_are_quoted(cell, written):
    for form, mark in (("csv", ","), ("tsv", "\t")):
        assert to_text([[cell, 1]], form) == f"{written}{mark}1\n"


def test_a_key_of_several_tokens_is_one_key_of_a_querys_rows():
    held = capture(["[CLS]", "un", "##able", "to", "[SEP]"])
    words = axis(["[CLS]", "un", "##able", "to", "[SEP]"], words=(None, 0, 0, 1, None))
    stacks = {"self": AttentionStack("self", {0: layer(0, words, words)})}
    view = build(replace(held, stacks=stacks), Selection.parse(query="to", key="unable"))
    row = list(answer_rows(view))[1]
    assert row[5:7] == ["1-2", "un##able"]
    sums = stacks["self"].by_layer[0].kept["weights"][0, 3, 1:3].sum()
    assert float(row[7]) == pytest.approx(sums)
