"""Files, saved captures, JSON and rows."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Result

TEXT = "the cat sat on the mat"


@pytest.mark.parametrize(
    ("suffix", "option"),
    [
        ("txt", []),
        ("json", ["--json"]),
        ("csv", ["--format", "csv"]),
        ("tsv", ["--format", "tsv"]),
    ],
)
def test_file_holds_what_would_be_printed(
    answer: Callable[..., str],
    folder: Callable[[str], Path],
    tmp_path: Path,
    suffix: str,
    option: list[str],
) -> None:
    path = tmp_path / f"out.{suffix}"
    path.write_text("what was there before")
    asked = ["inspect", TEXT, "-m", folder("bert"), "--head", "L1H2"]
    assert answer(*asked, "-o", path) == ""
    assert path.read_text(encoding="utf-8") == answer(*asked, *option)
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith(".")] == []


@pytest.mark.parametrize("option", [[], ["--json"], ["--format", "csv"]])
def test_dash_is_standard_output(
    answer: Callable[..., str], folder: Callable[[str], Path], option: list[str]
) -> None:
    asked = ["inspect", TEXT, "-m", folder("bert"), *option]
    assert answer(*asked, "-o", "-") == answer(*asked)


@pytest.mark.parametrize(
    "option",
    [
        [],
        ["--query", "cat"],
        ["--view", "heads"],
        ["--view", "grid"],
        ["--words", "--hide-special"],
        ["--json"],
        ["--format", "csv"],
        ["--view", "heads", "--format", "csv"],
    ],
)
def test_saved_capture_shows_the_same(
    answer: Callable[..., str],
    folder: Callable[[str], Path],
    saved: Callable[[str], Path],
    option: list[str],
) -> None:
    for model in ("bert", "gpt2"):
        fresh = answer("inspect", TEXT, "-m", folder(model), *option)
        assert answer("inspect", saved(model), *option) == fresh


@pytest.mark.parametrize("option", [["--head", "L1H2"], ["--layer", "1"], ["--head", "0-1"]])
def test_saved_selection_shows_the_same(
    answer: Callable[..., str], folder: Callable[[str], Path], tmp_path: Path, option: list[str]
) -> None:
    path = tmp_path / "run.safetensors"
    asked = ["inspect", TEXT, "-m", folder("bert"), *option]
    assert answer(*asked, "-o", path) == answer(*asked)
    assert answer("inspect", path, *option) == answer(*asked)


@pytest.mark.parametrize("option", [[], ["--json"], ["--query", "eine"]])
def test_saved_stacks_show_the_same(
    answer: Callable[..., str], folder: Callable[[str], Path], tmp_path: Path, option: list[str]
) -> None:
    path = tmp_path / "run.safetensors"
    asked = ["inspect", "the cat", "--target", "eine katze", "-m", folder("bart")]
    assert answer(*asked, "-o", path, "--json").startswith("{")
    assert answer("inspect", path, *option) == answer(*asked, *option)
    assert "eine" in answer("inspect", path, "--stack", "cross", "--head", "L0H1")


def test_saved_again(
    answer: Callable[..., str], saved: Callable[[str], Path], tmp_path: Path
) -> None:
    first, second = saved("bert"), tmp_path / "again.safetensors"
    assert answer("inspect", first, "-o", second) == answer("inspect", first)
    assert answer("inspect", second) == answer("inspect", first)


def test_part_of_a_model_is_saved(
    call: Callable[..., Result], folder: Callable[[str], Path], tmp_path: Path
) -> None:
    path = tmp_path / "one.safetensors"
    asked = ["inspect", TEXT, "-m", folder("bert"), "--head", "L1H2", "-o", path]
    assert call(*asked).code == 0
    assert "L1H2" in call("inspect", path, "--head", "L1H2").out
    missing = call("inspect", path, "--head", "L0H0")
    assert missing.code == 1
    assert missing.out == ""
    assert missing.err.startswith("error: ")


def test_json(answer: Callable[..., str], folder: Callable[[str], Path]) -> None:
    out = answer("inspect", TEXT, "-m", folder("bert"), "--json")
    assert out.count("\n") == 1
    found = json.loads(out)
    keys = [
        "schema",
        "model",
        "input",
        "prediction",
        "checks",
        "notes",
        "stacks",
        "chosen",
        "heads",
    ]
    assert list(found) == keys
    assert found["model"]["name"] == "bert"
    assert found["input"] == {"text": TEXT, "pair": None, "target": None}
    assert all(check["ok"] for check in found["checks"])
    stack = found["stacks"]["self"]
    assert stack["queries"]["labels"] == ["[CLS]", *TEXT.split(), "[SEP]"]
    assert [layer["layer"] for layer in stack["layers"]] == [0, 1]
    assert {"entropy", "content", "previous", "next", "self", "sink"} <= set(stack["scores"])
    assert [len(row) for row in stack["scores"]["entropy"]] == [4, 4]
    head = found["heads"][0]
    assert (head["layer"], head["head"]) == (found["chosen"]["layer"], found["chosen"]["head"])
    weights = head["map"]["weights"]
    assert [len(row) for row in weights] == [8] * 8
    assert all(abs(sum(row) - 1) < 1e-5 for row in weights)


def test_json_of_a_query(answer: Callable[..., str], folder: Callable[[str], Path]) -> None:
    found = json.loads(answer("inspect", TEXT, "-m", folder("bert"), "--query", "the#2", "--json"))
    assert found["query"]["query"] == [5]
    assert found["query"]["label"] == ["the"]
    assert len(found["query"]["heads"]) == 8


def test_masked_cells_have_no_weight(
    answer: Callable[..., str], folder: Callable[[str], Path]
) -> None:
    asked = ["inspect", "the cat sat", "-m", folder("gpt2"), "--head", "L0H0"]
    one = json.loads(answer(*asked, "--json"))["heads"][0]["map"]
    assert one["weights"][0][1:] == [None, None]
    assert one["states"][0] == ["value", "masked", "masked"]
    assert len(answer(*asked, "--format", "csv").splitlines()) == 1 + 6


@pytest.mark.parametrize(("form", "delimiter"), [("csv", ","), ("tsv", "\t")])
def test_rows(
    answer: Callable[..., str], folder: Callable[[str], Path], form: str, delimiter: str
) -> None:
    asked = ["inspect", TEXT, "-m", folder("bert"), "--format", form]
    rows = list(csv.DictReader(io.StringIO(answer(*asked, "--head", "L1H2")), delimiter=delimiter))
    assert len(rows) == 64
    assert {(row["layer"], row["head"]) for row in rows} == {("1", "2")}
    assert sum(float(row["weight"]) for row in rows) == pytest.approx(8, abs=1e-4)
    heads = list(
        csv.DictReader(io.StringIO(answer(*asked, "--view", "heads")), delimiter=delimiter)
    )
    assert len(heads) == 8
    assert {"pattern", "entropy", "content"} <= set(heads[0])


def test_rows_of_awkward_tokens(answer: Callable[..., str], folder: Callable[[str], Path]) -> None:
    text = 'the "cat", sat'
    asked = ["inspect", text, "-m", folder("bert"), "--head", "L0H0", "--format", "csv"]
    rows = list(csv.DictReader(io.StringIO(answer(*asked))))
    assert {row["key_label"] for row in rows} >= {"[UNK]", ",", "cat"}
