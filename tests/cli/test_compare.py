"""`attnviz compare`: groups, neighbours, pairs, layers, two texts, two models."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from rich.cells import cell_len

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TEXT = "the cat sat on the mat"
WAYS = {
    "groups": [],
    "matrix": ["--view", "matrix"],
    "layers": ["--layers"],
    "like": ["--head", "L1H2"],
    "sides": ["--head", "L1H2,L0H1"],
    "words": ["--words"],
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("width", [40, 80, 200])
def test_it_fits_the_width(
    answer: Callable[..., str], saved: Callable[[str], Path], width: int, way: str
) -> None:
    for name in ("bert", "bart"):
        path = saved(name)
        asked = ["compare", path, *WAYS[way], "--width", width]
        out = answer(*asked)
        assert max(map(cell_len, out.splitlines())) <= width
        assert "Jensen-Shannon" in out
        assert answer(*asked, "--ascii").isascii()
        assert "\x1b[" in answer(*asked, "--color", "always")


def test_groups(answer: Callable[..., str], saved: Callable[[str], Path]) -> None:
    path = saved("bert")
    found = json.loads(answer("compare", path, "--json"))
    heads = [(one["layer"], one["head"]) for one in found["heads"]]
    assert heads == [(layer, head) for layer in (0, 1) for head in range(4)]
    grouped = [(one["layer"], one["head"]) for group in found["groups"] for one in group["heads"]]
    assert sorted(grouped) == heads
    assert len(found["distances"]) == len(found["distances"][0]) == 8
    rows = list(csv.DictReader(io.StringIO(answer("compare", path, "--format", "csv"))))
    assert len(rows) == 8
    assert sum(row["typical"] == "1" for row in rows) == len(found["groups"])


def test_both_views_tell_of_heads_that_share_keys(
    answer: Callable[..., str], saved: Callable[[str], Path], tmp_path: Path
) -> None:
    path, picture = saved("llama"), tmp_path / "out.svg"
    told = []
    for view in ("table", "matrix"):
        asked = ["compare", path, "--view", view]
        assert "with the same keys (every 2 heads)" in answer(*asked)
        answer(*asked, "-o", picture)
        assert "where they share keys (every 2" in picture.read_text(encoding="utf-8")
        found = json.loads(answer(*asked, "--json"))
        told.append((found["heads_per_key"], found["sharing"]))
    assert told[0] == told[1]
    assert told[0][0] == 2
    assert "heads_per_key" not in json.loads(answer("compare", path, "--layers", "--json"))


def test_the_heads_most_like_one(answer: Callable[..., str], saved: Callable[[str], Path]) -> None:
    path = saved("bert")
    everything = json.loads(answer("compare", path, "--json"))["distances"][6]
    asked = ["compare", path, "--head", "L1H2", "--top", 3]
    near = json.loads(answer(*asked, "--json"))["nearest"]
    assert [one["distance"] for one in near] == pytest.approx(sorted(everything)[1:4], abs=1e-5)
    lines = answer(*asked).splitlines()
    assert lines[-1] == "… 4 more: --top 7"


def test_a_head_is_compared_with_all_in_one_run(
    answer: Callable[..., str], folder: Callable[[str], Path]
) -> None:
    out = answer("compare", TEXT, "-m", folder("bert"), "--head", "L1H2", "--json")
    assert len(json.loads(out)["nearest"]) == 7


def test_two_texts(
    answer: Callable[..., str], folder: Callable[[str], Path], tmp_path: Path
) -> None:
    other = "the big cat sat on the mat"
    asked = ["compare", TEXT, "-m", folder("gpt2"), "--with", other]
    found = json.loads(answer(*asked, "--json"))
    assert (found["first"], found["second"]) == (TEXT, other)
    assert found["compared"] == "tokens"
    assert found["moved"][0]["distance"] >= found["moved"][-1]["distance"] > 0
    out = answer(*asked, "--top", 2)
    assert "Heads that moved most" in out
    assert f"from  {TEXT}  to  {other}" in out
    for name, text in (("a", TEXT), ("b", other)):
        answer("inspect", text, "-m", folder("gpt2"), "-o", tmp_path / f"{name}.safetensors")
    both = [tmp_path / "a.safetensors", "--with", tmp_path / "b.safetensors"]
    assert json.loads(answer("compare", *both, "--json")) == found
    mixed = ["compare", tmp_path / "a.safetensors", "--with", other, "-m", folder("gpt2")]
    assert json.loads(answer(*mixed, "--json")) == found


def test_two_models(answer: Callable[..., str], folder: Callable[[str], Path]) -> None:
    one = folder("gpt2")
    asked = ["compare", TEXT, "-m", one, "--json"]
    same = json.loads(answer(*asked, "--with-model", one))
    assert all(head["distance"] == 0 for head in same["moved"])
    near = json.loads(answer(*asked, "--with-dtype", "bfloat16"))
    assert near["second"] == "gpt2 bfloat16"
    assert 0 < near["moved"][0]["distance"] < 0.01
    assert max(max(row) for row in near["difference"]["map"]["weights"] if all(
        cell is not None for cell in row)) < 0.1  # fmt: skip


def test_standard_input_is_read_once(
    answer: Callable[..., str], folder: Callable[[str], Path], stdin: Callable[[bytes], None]
) -> None:
    stdin(TEXT.encode())
    asked = ["compare", "-", "-m", folder("gpt2"), "--with-dtype", "bfloat16", "--json"]
    assert len(json.loads(answer(*asked))["moved"]) == 8


@pytest.mark.parametrize("way", [*(way for way in WAYS if way != "like"), "with"])
@pytest.mark.parametrize("kind", ["png", "PNG", "svg", "csv", "tsv", "json", "txt"])
def test_files(
    answer: Callable[..., str], saved: Callable[[str], Path], tmp_path: Path, way: str, kind: str
) -> None:
    path, out = saved("bert"), tmp_path / f"made/out.{kind}"
    options = ["--with", path] if way == "with" else WAYS[way]
    assert answer("compare", path, *options, "-o", out) == ""
    if kind in ("png", "PNG"):
        with Image.open(out) as image:
            assert min(image.size) > 100
    first = out.read_bytes()
    answer("compare", path, *options, "-o", out)
    assert out.read_bytes() == first


@pytest.mark.parametrize(
    ("code", "options", "said"),
    [
        (1, ["--with", ""], "the text of --with is empty"),
        (1, ["--head", "L9H9"], "layer 9 does not exist"),
        (1, ["--layer", 0, "--layers"], "one layer alone"),
        (2, ["--with", "a", "--with-dtype", "bfloat16"], "exclude each other"),
        (2, ["--with-dtype", "bfloat16"], "needs a model, not a saved capture"),
        (2, ["--with", "a", "--view", "matrix"], "leave --layers and --view out"),
        (2, ["-o", "x.npz"], "weights are written by attnviz export"),
        (2, ["-o", "x.png", "--head", "L0H0"], "has no picture"),
        (2, ["--json", "--format", "csv"], "exclude each other"),
    ],
)
def test_refused(
    refused: Callable[..., str], saved: Callable[[str], Path], code: int,
    options: list[object], said: str,
) -> None:  # fmt: skip
    assert said in refused(code, "compare", saved("bert"), *options)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows with every run of a model."""
    import attnviz.runs.run

    seen: list[int] = []
    real = attnviz.runs.run.run

    def counted(loaded, inputs, *given):
        seen.append(len(inputs.source))
        return real(loaded, inputs, *given)

    monkeypatch.setattr(attnviz.runs.run, "run", counted)
    return seen


LONG = "the cat sat on the mat it was tired " * 3


@pytest.mark.parametrize(
    "asked",
    [
        [LONG],
        [LONG, "--head", "L0H0"],
        [LONG, "--layers", "--layer", "-1"],
        [LONG, "--with", "the cat"],
        ["the cat", "--with", LONG],
        [LONG, "--with-dtype", "bfloat16"],
        [LONG, "--plan"],
        ["the cat", "--with", LONG, "--plan"],
    ],
)
def test_what_would_be_pooled_is_refused_before_a_run(
    refused: Callable[..., str], folder: Callable[[str], Path], runs: list[int], asked: list[str]
) -> None:
    err = refused(2, "compare", *asked, "-m", folder("bert"), "--memory", "16KiB")
    assert "bert on " in err
    assert "--memory allows 16.0 KiB" in err
    assert not runs


@pytest.mark.parametrize("plan", [[], ["--plan"]])
@pytest.mark.parametrize(
    ("memory", "layers"), [("32KiB", []), ("16KiB", ["--layer", "-1"])]
)  # enough for gpt2, not for bert
def test_the_second_model_is_refused_before_the_first_runs(
    refused: Callable[..., str],
    folder: Callable[[str], Path],
    runs: list[int],
    memory: str,
    layers: list[str],
    plan: list[str],
) -> None:
    asked = ["compare", LONG, "-m", folder("gpt2"), "--memory", memory, *layers, *plan]
    assert "those of bert on" in refused(2, *asked, "--with-model", folder("bert"))
    assert "gone" in refused(1, *asked, "--with-model", "./gone")
    assert not runs


def test_the_memory_that_the_refusal_names_is_enough(
    refused: Callable[..., str], answer: Callable[..., str], folder: Callable[[str], Path]
) -> None:
    asked = ["compare", LONG, "-m", folder("gpt2"), "--memory"]
    need = refused(2, *asked, "16KiB").split(" take ")[1].split(" with ")[0]
    size, unit = need.split()
    assert "Heads that attend alike" in answer(*asked, f"{float(size) + 0.1}{unit}")
    assert f"take {need} with all scores" in refused(2, *asked, f"{float(size) - 0.1}{unit}")


def test_a_pooled_capture_is_refused_before_a_run(
    refused: Callable[..., str],
    answer: Callable[..., str],
    folder: Callable[[str], Path],
    tmp_path: Path,
    runs: list[int],
) -> None:
    path = tmp_path / "pooled.safetensors"
    answer("inspect", LONG, "-m", folder("bert"), "--memory", "16KiB", "-o", path)
    runs.clear()
    assert "were not kept whole" in refused(1, "compare", path)
    for asked in ([path, "--with", TEXT], [TEXT, "--with", path]):
        assert "were not kept whole" in refused(1, "compare", *asked, "-m", folder("bert"))
    assert not runs


@pytest.mark.parametrize("text", ["cat", "[SEP]", "cat cat"])
def test_short_texts(answer: Callable[..., str], folder: Callable[[str], Path], text: str) -> None:
    for name in ("bert", "gpt2"):
        assert "Heads that attend alike" in answer("compare", text, "-m", folder(name))
