"""`attnviz heads`: rankings as tables, matrices, rows, JSON and pictures."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from rich.cells import cell_len

import attnviz

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Result

TEXT = "the cat sat on the mat"


def test_table(answer: Callable[..., str], saved: Callable[[str], Path]) -> None:
    asked = ["heads", saved("bert"), "--sort", "self", "--top", 3, "--width", 120]
    lines = answer(*asked).splitlines()
    assert lines[0].startswith("bert  BertForMaskedLM")
    assert lines[2] == "Heads by self   8 heads"
    assert lines[3].split()[:4] == ["head", "does", "self", "content"]
    scores = attnviz.open(saved("bert")).scores["self"]["self"]
    best = sorted(scores.ravel(), reverse=True)
    assert [float(line[20:].split()[0]) for line in lines[4:7]] == pytest.approx(
        best[:3], abs=0.006
    )
    assert lines[-1] == "… 5 more: --top 8"


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("option", [[], ["--view", "matrix"], ["--ascii"], ["--color", "always"]])
def test_it_fits_the_width(
    answer: Callable[..., str], saved: Callable[[str], Path], width: int, option: list[str]
) -> None:
    for name in ("bert", "bart"):
        out = answer("heads", saved(name), "--width", width, *option)
        if "--color" not in option:
            assert max(map(cell_len, out.splitlines())) <= width
        if "--ascii" in option:
            assert out.isascii()


def test_edge(
    answer: Callable[..., str], refused: Callable[..., str], saved: Callable[[str], Path]
) -> None:
    asked = ["heads", saved("bert"), "--query", "cat", "--key"]
    assert "Heads by edge   cat → sat" in answer(*asked, "sat")
    found = json.loads(answer(*asked, "sat", "--json"))["heads"]
    stack = attnviz.open(saved("bert")).stacks["self"]
    labels = list(stack.queries(0).labels)
    for one in found:
        weights = stack.weights(one["layer"], one["head"])
        exact = weights[labels.index("cat"), labels.index("sat")]
        assert one["scores"]["edge"] == pytest.approx(exact, rel=1e-5)
    assert "two ends" in refused(1, "heads", saved("bert"), "--query", "cat")
    assert "no token or word" in refused(1, *asked, "dog")


def test_json_and_rows(answer: Callable[..., str], saved: Callable[[str], Path]) -> None:
    found = json.loads(answer("heads", saved("bart"), "--json", "--top", 100))["heads"]
    scores = attnviz.open(saved("bart")).scores
    assert {one["stack"] for one in found} == set(scores)
    for one in found:
        exact = scores[one["stack"]]["content"][one["layer"], one["head"]]
        assert one["scores"]["content"] == pytest.approx(exact, rel=1e-5)
        for name in one["names"]:
            value = one["scores"][name["score"]]
            assert name["value"] == value
        assert one["names"] and one["pattern"]
    rows = list(csv.DictReader(io.StringIO(answer("heads", saved("bart"), "--format", "csv"))))
    assert [row["head"] for row in rows] == [str(one["head"]) for one in found[:20]]
    assert rows[0]["names"].split() == [name["name"] for name in found[0]["names"]]


def test_names(answer: Callable[..., str]) -> None:
    asked = [
        "heads",
        "--file",
        "sample:text/repeated",
        "-m",
        "sample:english",
        "--sort",
        "induction",
    ]
    lines = answer(*asked, "--width", 100).splitlines()
    names = [line.split()[-1:] for line in lines].index(["also"])
    assert lines[names + 1].split()[:3] == ["L3H3", "induction", "75%"]
    assert "word 44%" in lines[names + 1]
    assert "also" not in answer(*asked, "--width", 50)
    found = json.loads(answer(*asked, "--kind", "previous", "--json"))["heads"]
    assert [(one["layer"], one["head"]) for one in found] == [(2, 2)]


def test_many_texts(answer: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "many.txt").write_text("the film was good\nthe food was not bad\n")
    asked = ["heads", "--texts", tmp_path / "many.txt", "-m", "sample:sentiment"]
    out = answer(*asked, "--width", 120)
    assert "2 texts" in out.splitlines()[0]
    assert "means over 2 texts" in out
    assert "±" in out
    rows = list(csv.DictReader(io.StringIO(answer(*asked, "--format", "csv"))))
    assert float(rows[0]["content_std"]) >= 0


def test_a_score_that_some_texts_lack_says_so(
    answer: Callable[..., str], folder: Callable[[str], Path], tmp_path: Path
) -> None:
    (tmp_path / "many.txt").write_text("it was the cat on the mat\nthe cat sat\non it\n")
    asked = ["heads", "--texts", tmp_path / "many.txt", "-m", folder("gpt2"), "--sort", "induction"]
    out = answer(*asked, "--width", 60)
    assert "deviation, induction over 1" in " ".join(out.split())
    assert "±" in out
    one = json.loads(answer(*asked, "--json"))["heads"][0]
    assert (one["counts"]["induction"], one["counts"]["content"]) == (1, 3)
    assert one["spread"]["induction"] is None


def test_files(
    answer: Callable[..., str],
    refused: Callable[..., str],
    saved: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    asked = ["heads", saved("bert"), "--sort", "previous"]
    for kind, option in (("txt", []), ("json", ["--json"]), ("tsv", ["--format", "tsv"])):
        path = tmp_path / f"out.{kind}"
        assert answer(*asked, "-o", path) == ""
        assert path.read_text() == answer(*asked, *option)
    answer(*asked, "-o", tmp_path / "matrix.png")
    with Image.open(tmp_path / "matrix.png") as image:
        assert image.size[0] > 300
    assert "weights are written by attnviz export" in refused(2, *asked, "-o", tmp_path / "x.npz")
    assert "no score 'beauty'" in refused(1, "heads", saved("bert"), "--sort", "beauty")
    assert "no head is of the kind" in refused(1, "heads", saved("bert"), "--kind", "beauty")


def test_the_alignment_head_comes_first(call: Callable[..., Result]) -> None:
    source = "the young woman does not see the small grey house ."
    target = "la jeune femme ne voit pas la petite maison grise ."
    asked = ["heads", source, "--target", target, "-m", "sample:translate", "--json"]
    result = call(*asked, "--query", "grise", "--key", ".", "--stack", "cross")
    assert result.code == 0
    first = json.loads(call(*asked).out)["heads"][0]
    assert first["stack"] == "cross"
    assert first["layer"] == 1


PROBE = ["heads", "--probe", "repeated-tokens"]


def test_probe(answer: Callable[..., str]) -> None:
    asked = [*PROBE, "-m", "sample:english"]
    lines = answer(*asked, "--width", 140, "--top", 2).splitlines()
    assert lines[0].endswith("100 tokens · whole maps 625.0 KiB · checked ✓")
    assert lines[2].startswith("Heads by prefix matching   16 heads, means over 5 draws of")
    assert lines[3].split()[2:5] == ["prefix_matching", "duplicate", "previous"]
    assert [line.split()[0] for line in lines[4:6]] == ["L3H3", "L3H2"]
    first = json.loads(answer(*asked, "--json"))["heads"][0]
    assert first["scores"]["prefix_matching"] >= 0.8
    assert first["spread"]["prefix_matching"] > 0
    by_previous = json.loads(answer(*asked, "--sort", "previous", "--json"))["heads"]
    assert by_previous[0]["scores"]["previous"] >= 0.6


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([TEXT], "TEXT and --probe exclude each other"),
        (["run.safetensors"], "--probe runs a model: a saved capture has none"),
        (["--file", "a.txt"], "--file and --probe"),
        (["--texts", "a.txt"], "--texts and --probe"),
        (["--pair", "a"], "--pair and --probe"),
        (["--target", "a"], "--target and --probe"),
        (["--query", "1", "--key", "2"], "--query and --probe"),
    ],
)
def test_a_probe_is_the_input(refused: Callable[..., str], options: list[str], said: str) -> None:
    assert said in refused(2, *PROBE, *options)


def test_probes_of_other_models(refused: Callable[..., str], call: Callable[..., Result]) -> None:
    for name in ("sentiment", "translate"):
        err = refused(1, *PROBE, "-m", f"sample:{name}")
        assert "no decoder language model" in err
    assert call("heads", "--probe", "nothing").code == 2
