"""A capture that is shown from Python: printed, as a figure, as columns, as HTML."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from rich.console import Console

from attnviz.attention.selection import Selection
from attnviz.errors import AttnvizError, CaptureError, SelectionError
from attnviz.views.build import build
from tests.captures import capture, long_capture, translation


def printed(found: object, capsys: pytest.CaptureFixture[str]) -> str:
    found.show(width=80, color="never")
    return capsys.readouterr().out


def test_show_prints_what_inspect_prints(capsys: pytest.CaptureFixture[str]) -> None:
    held = capture()
    first = printed(held, capsys)
    assert first == printed(build(held), capsys)
    assert "What each head does" in first
    held.show("map", heads="L1H2", width=80, color="never")
    assert "L1H2" in capsys.readouterr().out
    held.show("grid", layers=[-1], query="cat", scale="sqrt", width=80, color="never")
    assert "square root" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"layers": 9}, "layer 9 does not exist"),
        ({"heads": "L9H0"}, "layer 9 does not exist"),
        ({"query": "zebra"}, "no token or word"),
        ({"layers": []}, "layers is empty"),
        ({"view": "pie"}, "--view pie is no view"),
    ],
)
def test_what_is_not_there_is_told(asked: dict[str, object], said: str) -> None:
    with pytest.raises(AttnvizError, match=said):
        capture().show(**asked)


def test_an_unknown_word_is_a_wrong_call() -> None:
    with pytest.raises(TypeError, match="colour"):
        capture().show(colour="red")


def test_a_console_and_a_notebook_show_it() -> None:
    held = translation()
    out = io.StringIO()
    Console(file=out, width=100, color_system=None, _environ={}).print(held)
    assert "cross" in out.getvalue()
    html = held._repr_html_()
    assert (html.startswith("<pre") and html.endswith("</pre>\n")) or html.endswith("</pre>")
    text = re.sub("<[^>]+>", "", html)
    assert "What each head does" in text
    assert "<script" not in capture(["<script>", "b"])._repr_html_()


def test_figure_is_one_of_matplotlib() -> None:
    figure = capture().figure(heads="L0H1")
    figure.canvas.draw()
    assert any("L0H1" in text.get_text() for text in figure.texts)
    with pytest.raises(AttnvizError):
        capture().figure("pie")


def test_frame_has_a_row_per_weight() -> None:
    held = capture(["a", "b", "c", "d"], causal=True)
    columns = held.frame(layers=1)
    rows = {len(column) for column in columns.values()}
    assert rows == {4 * 10}  # heads × cells of the triangle
    weights = held.stacks["self"].weights(1)
    np.testing.assert_array_equal(
        columns["weight"], weights[columns["head"], columns["query"], columns["key"]]
    )
    labels = np.array(held.stacks["self"].keys(1).labels, dtype=object)
    assert (columns["key_label"] == labels[columns["key"]]).all()
    assert (columns["layer"] == 1).all()


def test_frame_of_every_stack_of_some_tokens() -> None:
    held = translation()
    columns = held.frame()
    assert set(columns["stack"]) == set(held.stacks)
    [query] = {*held.frame(stack="cross", query=0)["query"]}
    assert query == 0
    with pytest.raises(SelectionError):
        held.frame(stack="self")


def test_frame_needs_whole_maps() -> None:
    with pytest.raises(CaptureError, match="not kept whole"):
        long_capture().frame()


def test_labels_select_heads() -> None:
    assert Selection.of(heads="L3H7") == Selection.of(heads=[(3, 7)])
    assert Selection.of(heads=["L3H7", "l5h1"]).pairs == ((3, 7), (5, 1))
    assert Selection.of(heads=2, query=-1, stack="self") == Selection.parse(
        head="2", query="-1", stack="self"
    )
    with pytest.raises(SelectionError, match="heads"):
        Selection.of(heads="3")
