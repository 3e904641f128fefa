"""Windows of pooled maps at full resolution: from the run to the picture and the saved file."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import attnviz
from attnviz.attention.selection import Selection
from attnviz.errors import CaptureError, SelectionError, UsageError
from attnviz.views.appearance import Appearance
from attnviz.views.build import build
from attnviz.views.maps.cells import State
from attnviz.views.maps.heatmap import heatmap
from tests.observe.runs import ids
from tests.zoo.shrink import build as model_of

if TYPE_CHECKING:
    from pathlib import Path

    from attnviz.attention.capture import Capture

TOKENS, POOLED = 96, "128KiB"


def captured(name: str, memory: str | None, tokens: int = TOKENS, **asked: Any) -> Capture:
    tensors = {"input_ids": ids(1, tokens)}
    selection = Selection.parse(**asked)
    return attnviz.captures(model_of(name), tensors, selection=selection, memory=memory)[0]


@pytest.mark.parametrize("name", ["llama", "modernbert", "bloom", "gemma2"])
@pytest.mark.parametrize(
    ("asked", "rows", "columns"),
    [
        ({"query": "70-80", "key": "3-20"}, slice(70, 81), slice(3, 21)),
        ({"query": "90"}, slice(90, 91), slice(0, 96)),
        ({"key": "-2"}, slice(0, 96), slice(94, 95)),
        ({"query": "2-5", "key": "60-95"}, slice(2, 6), slice(60, 96)),
    ],
)
def test_a_window_is_the_part_of_the_whole_map(
    name: str, asked: dict[str, str], rows: slice, columns: slice
) -> None:
    whole = captured(name, None).main_stack
    stack = captured(name, POOLED, **asked).main_stack
    assert not stack.has_weights(1)
    layer = stack.layer(1)
    assert "pooled" in layer.kept
    np.testing.assert_allclose(
        layer.kept["window"], whole.weights(1)[:, rows, columns], atol=1e-6, rtol=1e-5
    )
    mask = whole.layer(1).allowed
    assert mask is not None
    np.testing.assert_array_equal(layer.kept["window_allowed"], mask[rows, columns])


def test_the_picture_of_a_window_is_that_of_the_whole_map() -> None:
    appearance, asked = Appearance(), {"query": "70-80", "key": "3-20"}
    exact = heatmap(captured("gemma2", None).main_stack.layer(1), 2, appearance, range(70, 81),
                    range(3, 21))  # fmt: skip
    found = heatmap(captured("gemma2", POOLED, **asked).main_stack.layer(1), 2, appearance,
                    range(70, 81), range(3, 21))  # fmt: skip
    np.testing.assert_allclose(found.values, exact.values, atol=1e-6)
    np.testing.assert_array_equal(found.states, exact.states)
    assert (found.rows, found.columns) == (exact.rows, exact.columns)
    assert found.left_out == pytest.approx(exact.left_out, abs=1e-5)
    assert found.notes == exact.notes
    assert not found.pooled
    assert (found.states != State.CUT).all()


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"query": "70-80", "key": "3"}, "; the window of --query 70-80 and --key 3 is exact"),
        ({"query": "90"}, "; the window of --query 90 is exact"),
        ({"key": "-2"}, "; the window of --key -2 is exact"),
        ({}, ""),
    ],
)
def test_the_note_on_pooled_maps_says_that_the_window_is_exact(
    asked: dict[str, str], words: str
) -> None:
    (note,) = captured("llama", POOLED, **asked).notes
    assert note.endswith(f"--memory allows 128.0 KiB{words}")
    assert captured("llama", None, **asked).notes == ()


def test_what_holds_a_long_map_together_is_known_however_it_was_kept() -> None:
    head = Selection.parse(head="L1H2")
    (whole,), (pooled,) = (
        build(captured("llama", memory), head).parts for memory in (None, POOLED)
    )
    assert not whole.heatmap.pooled
    for name in ("heavy", "slashes", "vertical", "slash"):
        found, expected = getattr(whole.structure, name), getattr(pooled.structure, name)
        np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("tokens", "asked", "known"),
    [(60, {}, False), (61, {}, True), (61, {"query": "5-9"}, False), (61, {"key": "2"}, False)],
)
def test_short_maps_and_parts_of_a_map_need_no_such_lines(
    tokens: int, asked: dict[str, str], known: bool
) -> None:
    found = build(captured("gemma2", None, tokens), Selection.parse(head="L1H2", **asked))
    assert (found.parts[0].structure is not None) is known


def test_without_the_heaviest_keys_there_is_no_table_but_of_a_window() -> None:
    made = captured("llama", POOLED, query="7-9")
    layers = {
        n: replace(one, kept={k: v for k, v in one.kept.items() if not k.startswith("top_")})
        for n, one in made.main_stack.by_layer.items()
    }
    bare = replace(made, stacks={"self": replace(made.main_stack, by_layer=layers)})
    (found,) = build(bare, Selection.parse(head="L1H2")).parts
    assert found.heatmap.pooled
    assert found.table is None
    with pytest.raises(CaptureError, match="the heaviest keys of layer 1 were not kept") as caught:
        build(bare, Selection.parse(head="L1H2"), view="table")
    assert "--query" in caught.value.hint
    (rows,) = build(bare, Selection.parse(head="L1H2", query="7-9"), view="table").parts
    assert rows.table.rows == (7, 8, 9)


def test_one_query_is_known_in_full() -> None:
    asked = Selection.parse(query="90")
    (part,) = build(captured("llama", POOLED, query="90"), asked).parts
    (exact,) = build(captured("llama", None), asked).parts
    own = [(layer, head, cell.key) for layer, head, cell in part.cells]
    assert own == [(layer, head, cell.key) for layer, head, cell in exact.cells]
    assert part.notes == exact.notes == ()


def test_a_saved_window_opens_and_another_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    made = captured("llama", POOLED, query="70-80", key="3-20")
    made.save(path)
    opened = attnviz.open(path)
    inside = build(opened, Selection.parse(head="L1H2", query="71-75", key="3-9"))
    assert inside.parts[0].heatmap.shape == (5, 7)
    said = "queries 71-75 × keys 3-40 of layer 0 were not kept at full resolution, but 70-80 × 3-20"
    with pytest.raises(CaptureError, match=said) as caught:
        build(opened, Selection.parse(query="71-75", key="3-40"))
    assert "again with this --query and --key" in caught.value.hint
    with pytest.raises(CaptureError, match=r"queries 1-2 × keys 0-3 .* resolution \("):
        build(captured("llama", POOLED), Selection.parse(query="1-2", key="0-3"))


@pytest.mark.parametrize("asked", [{"query": "90-96"}, {"query": "1-3", "key": "200-210"}])
def test_a_window_outside_is_refused_before_the_run(
    asked: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attnviz.runs.run, "observe", None)
    with pytest.raises(SelectionError, match="does not exist: there are tokens 0-95"):
        captured("llama", POOLED, **asked)


def test_a_window_that_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError, match="the scores and what query and key name take"):
        captured("llama", "64KiB", query="0-90", key="0-90")
