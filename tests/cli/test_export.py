"""`attnviz export`: files of every kind, templates, and what is refused."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

import attnviz
from attnviz.cli.exporting import KINDS
from attnviz.cli.sink import IMAGES
from tests import captures

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Result

TEXT = "the cat sat on the mat"


@pytest.mark.parametrize(
    ("name", "kind"),
    [*(("bert", kind) for kind in KINDS if kind != "align"), *(("bart", kind) for kind in KINDS)],
)
def test_every_kind_of_file(
    answer: Callable[..., str], folder: Callable[[str], Path], tmp_path: Path, kind: str, name: str
) -> None:
    path = tmp_path / f"made/here/out.{kind}"
    target = ["--target", "it was tired"] if name == "bart" else []
    assert answer("export", TEXT, "-m", folder(name), *target, "-o", path) == ""
    assert path.stat().st_size > 0
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    if kind != "safetensors":  # which holds the memory that was free
        first = path.read_bytes()
        answer("export", TEXT, "-m", folder(name), *target, "-o", path)
        assert path.read_bytes() == first


@pytest.mark.parametrize("view", ["grid", "map", "arcs", "matrix"])
def test_views(
    answer: Callable[..., str], saved: Callable[[str], Path], tmp_path: Path, view: str
) -> None:
    path = tmp_path / "out.png"
    options = ["--theme", "dark", "--cmap", "cividis", "--scale", "sqrt", "--dpi", 50, "--words"]
    answer("export", saved("bert"), "--view", view, "-o", path, *options)
    with Image.open(path) as image:
        assert image.size[0] > 100


@pytest.mark.parametrize("size", ["6x4", "6.5×4", " 6x4 "])
def test_size(
    answer: Callable[..., str], saved: Callable[[str], Path], tmp_path: Path, size: str
) -> None:
    path = tmp_path / "out.png"
    answer("export", saved("bert"), "-o", path, "--size", size, "--dpi", 100)
    with Image.open(path) as image:
        assert image.size == (650 if "6.5" in size else 600, 400)


@pytest.mark.parametrize(
    ("template", "names"),
    [
        ("L{layer}.png", {"L0.png", "L1.png"}),
        ("{model}-{layer}.{head}.svg", {f"bert-{n}.{h}.svg" for n in (0, 1) for h in range(4)}),
        ("H{head}.csv", {f"H{h}.csv" for h in range(4)}),
        ("{stack}/{index}.json", {"1.json"}),
        ("a{{b}}.csv", {"a{b}.csv"}),
    ],
)
def test_templates(
    answer: Callable[..., str],
    folder: Callable[[str], Path],
    tmp_path: Path,
    template: str,
    names: set[str],
) -> None:
    answer("export", TEXT, "-m", folder("bert"), "-o", tmp_path / template)
    assert {one.name for one in tmp_path.rglob("*") if one.is_file()} == names


def test_a_file_of_a_template_holds_its_part(
    answer: Callable[..., str], folder: Callable[[str], Path], tmp_path: Path
) -> None:
    options = ["--head", "1-2", "-o", tmp_path / "{layer}-{head}.csv"]
    answer("export", TEXT, "-m", folder("bert"), *options)
    for path in tmp_path.iterdir():
        rows = list(csv.DictReader(path.read_text().splitlines()))
        assert {(row["layer"], row["head"]) for row in rows} == {tuple(path.stem.split("-"))}
    assert len(list(tmp_path.iterdir())) == 4


def test_every_stack_has_its_file(
    answer: Callable[..., str], folder: Callable[[str], Path], tmp_path: Path
) -> None:
    target = ["--target", "it was tired"]
    answer("export", TEXT, "-m", folder("bart"), *target, "-o", tmp_path / "{stack}.tsv")
    assert {one.stem for one in tmp_path.iterdir()} == {"encoder", "decoder", "cross"}
    rows = (tmp_path / "cross.tsv").read_text().splitlines()
    assert {row.split("\t")[0] for row in rows[1:]} == {"cross"}


def test_many_texts_need_a_place_for_their_number(
    answer: Callable[..., str],
    refused: Callable[..., str],
    folder: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    (tmp_path / "many.txt").write_text("the cat\nit was tired\n")
    asked = ["export", "--texts", tmp_path / "many.txt", "-m", folder("bert"), "-o"]
    assert "{index}" in refused(2, *asked, tmp_path / "one.png")
    answer(*asked, tmp_path / "t{index}.csv")
    files = [(tmp_path / f"t{n}.csv").read_text().splitlines() for n in (1, 2)]
    labels = [{row["query_label"] for row in csv.DictReader(lines)} for lines in files]
    assert "cat" in labels[0] - labels[1]
    assert "tired" in labels[1] - labels[0]
    inspected = ["inspect", "--texts", tmp_path / "many.txt", "-m", folder("bert"), "-o"]
    answer(*inspected, tmp_path / "i{index}.txt")
    assert {one.name for one in tmp_path.glob("i*.txt")} == {"i1.txt", "i2.txt"}


def test_rows_hold_every_weight_that_is_large_enough(
    answer: Callable[..., str], saved: Callable[[str], Path]
) -> None:
    weights = attnviz.open(saved("bert")).stacks["self"]
    asked = ["export", saved("bert"), "-o", "-", "--format"]
    rows = list(csv.DictReader(io.StringIO(answer(*asked, "csv"))))
    assert len(rows) == sum(weights.weights(n).size for n in weights.layers)
    for row in rows[::97]:
        layer, head, query, key = (int(row[name]) for name in ("layer", "head", "query", "key"))
        exact = weights.weights(layer, head)[query, key]
        assert float(row["weight"]) == pytest.approx(exact, rel=1e-6)
    few = answer(*asked, "tsv", "--min-weight", 0.2).splitlines()
    assert len(few) - 1 == sum((weights.weights(n) >= 0.2).sum() for n in weights.layers)


def test_json_holds_all_maps(answer: Callable[..., str], saved: Callable[[str], Path]) -> None:
    found = json.loads(answer("export", saved("bert"), "-o", "-", "--format", "json"))
    stack = attnviz.open(saved("bert")).stacks["self"]
    assert len(found["heads"]) == 8
    for one in found["heads"]:
        exact = stack.weights(one["layer"], one["head"])
        np.testing.assert_allclose(one["map"]["weights"], exact, rtol=1e-6)
    assert found["schema"] == 1


def test_npz(answer: Callable[..., str], saved: Callable[[str], Path], tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    answer("export", saved("bert"), "-o", path)
    stack = attnviz.open(saved("bert")).stacks["self"]
    with np.load(path, allow_pickle=False) as arrays:
        whole = np.stack([stack.weights(n) for n in stack.layers])
        np.testing.assert_array_equal(arrays["self"], whole)


def test_alignment(
    answer: Callable[..., str], refused: Callable[..., str], saved: Callable[[str], Path]
) -> None:
    model = ["-m", "sample:translate", "-o", "-", "--format", "align"]
    pair = ["the black cat sleeps .", "--target", "le chat noir dort ."]
    asked = ["export", *pair, *model, "--head", "L1H2"]
    assert answer(*asked) == "0-0 1-2 2-1 3-3 4-4\n"
    soft = answer(*asked, "--soft", "--min-weight", 0.1).split()
    assert all(float(link.split(":")[1]) >= 0.1 for link in soft)
    assert {link.split(":")[0] for link in soft} >= {"0-0", "2-1", "1-2"}
    assert "cross" in refused(1, "export", saved("bert"), "-o", "-", "--format", "align")


def test_inspect_writes_pictures_and_numbers_too(
    call: Callable[..., Result], saved: Callable[[str], Path], tmp_path: Path
) -> None:
    for kind in (*IMAGES, "npz"):
        result = call("inspect", saved("bert"), "--head", "L0H1", "-o", tmp_path / f"x.{kind}")
        assert (result.code, result.out) == (0, "")
        answered = call("export", saved("bert"), "--head", "L0H1", "-o", tmp_path / f"y.{kind}")
        assert answered.code == 0
        same = [(tmp_path / f"{name}.{kind}").read_bytes() for name in "xy"]
        assert same[0] == same[1]


@pytest.mark.parametrize("dtype", ["float16", "uint8"])
def test_rounded_captures_say_so(
    answer: Callable[..., str], saved: Callable[[str], Path], tmp_path: Path, dtype: str
) -> None:
    path = tmp_path / "small.safetensors"
    answer("export", saved("bert"), "-o", path, "--store-dtype", dtype)
    assert path.stat().st_size < saved("bert").stat().st_size
    assert dtype in answer("inspect", path)
    assert dtype in " ".join(attnviz.open(path).notes)


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["-o", "out.gif"], 2, ".gif is no format that attnviz writes"),
        (["-o", "out"], 2, "no suffix is no format"),
        (["-o", "-"], 2, "-o - needs a --format"),
        ([], 2, "missing option"),
        (["-o", "out.png", "--format", "svg"], 2, "contradict each other"),
        (["-o", "out-{size}.png"], 2, "there are the places {model}, {stack}"),
        (["-o", "out-{layer:3}.png"], 2, "there are the places"),
        (["-o", "out-{.png"], 2, "out-{.png"),
        (["-o", "out.png", "--size", "big"], 2, "--size big is no size in inches"),
        (["-o", "out.png", "--size", "0x3"], 2, "no size in inches"),
        (["-o", "out.png", "--cmap", "virids"], 2, "--cmap virids is no colour map"),
        (["-o", "out.png", "--font", "Nope"], 2, "--font Nope is not installed"),
        (["-o", "out.png", "--view", "pie"], 2, "--view pie is no view"),
        (["-o", "out.png", "--view", "matrix", "--score", "beauty"], 1, "no score 'beauty'"),
        (["-o", "out.png", "--view", "matrix", "--query", "cat"], 2, "scores of whole heads"),
        (["-o", "out.png", "--view", "matrix", "--key", "1"], 2, "scores of whole heads"),
        (["-o", "out.png", "--size", "90x90", "--dpi", "2400"], 2, "pixels are too many"),
        (["-o", "out.png", "--dpi", "5"], 2, "'--dpi': must be greater than or equal to 20"),
        (["-o", "out.png", "--min-weight", "2"], 2, "'--min-weight': must be less than"),
        (["-o", "out.png", "--layer", "9"], 1, "layer 9 does not exist"),
        (["-o", "out.png", "--size", "1x1"], 2, "leaves no room"),
        (["-o", "out.npz", "--words"], 2, ".npz holds the weights as they are"),
        (["-o", "/proc/out.png"], 1, "cannot write /proc/out.png"),
        (["-o", "-", "--format", "safetensors"], 2, "a saved capture needs a file"),
    ],
)
def test_refused(
    refused: Callable[..., str],
    saved: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    code: int,
    said: str,
) -> None:
    path = saved("bert")
    monkeypatch.chdir(tmp_path)
    assert said in refused(code, "export", path, *options)
    assert list(tmp_path.iterdir()) == []


def test_what_a_template_could_not_write_is_named(
    call: Callable[..., Result], saved: Callable[[str], Path], tmp_path: Path
) -> None:
    (tmp_path / "L1.csv").mkdir()
    result = call("export", saved("bert"), "-o", tmp_path / "L{layer}.csv")
    assert result.code == 1
    assert f"wrote 1 files, but not {tmp_path / 'L1.csv'}" in result.err
    assert (tmp_path / "L0.csv").is_file()


def test_interrupted_export_leaves_nothing(
    call: Callable[..., Result],
    saved: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from attnviz.render.data import tidy_rows as rows

    def stopped(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(rows, "map_rows", stopped)
    path = tmp_path / "out.csv"
    path.write_text("before")
    assert call("export", saved("bert"), "-o", path).code == 130
    assert path.read_text() == "before"
    assert [one.name for one in tmp_path.iterdir()] == ["out.csv"]


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    captures.capture(layers=24).save(path)
    line = f"'{sys.executable}' -m attnviz export '{path}' --format csv -o - | head -n 1"
    done = subprocess.run(["bash", "-c", line], cwd=Path(__file__).parents[2], check=False,
                          capture_output=True, text=True)  # fmt: skip
    assert done.stdout.startswith("stack,")
    assert "Traceback" not in done.stderr


def test_a_name_that_the_system_refuses_is_named(
    refused: Callable[..., str], saved: Callable[[str], Path], tmp_path: Path
) -> None:
    for suffix in ("png", "csv", "safetensors"):
        path = f"{tmp_path}/{'n' * 300}.{suffix}"
        assert "cannot write" in refused(1, "export", saved("bert"), "-o", path)


@pytest.mark.parametrize(("head", "memory"), [("L0H0", "9KiB"), ("L1H2", "9KiB"), ("L1H2", "1MiB")])
def test_an_image_names_what_holds_a_pooled_map_together(
    answer: Callable[..., str],
    folder: Callable[[str], Path],
    tmp_path: Path,
    head: str,
    memory: str,
) -> None:
    path, text = tmp_path / "a.svg", "the cat sat on the mat it was tired " * 5
    asked = [text, "-m", folder("gpt2"), "--truncate", "--head", head, "--memory", memory]
    answer("export", *asked, "-o", path)
    said = " ".join(re.findall(r">([^<]+)</text>", path.read_text()))
    found = re.search(r'"heavy_keys": (\[.+?\])', answer("inspect", *asked, "--json"))
    assert ("best tenth" in said) == (found is not None) == (memory == "9KiB")
    for one in json.loads(found[1]) if found else ():
        assert re.search(rf"\b{one['key']} \S+ {one['share']:.0%}", said)


@pytest.mark.parametrize(("scale", "hinted"), [("linear", True), ("sqrt", False)])
def test_a_picture_that_looks_empty_comes_with_a_hint(
    call: Callable[..., Result], tmp_path: Path, scale: str, hinted: bool
) -> None:
    asked = ["--file", "sample:text/long", "--layer", "3", "--scale", scale]
    result = call("export", *asked, "-m", "sample:english", "-o", tmp_path / "a.png")
    assert ("below a tenth of the scale: --scale sqrt shows them" in result.err) is hinted


def test_standard_output_holds_one_text(refused: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "two.txt").write_text("the cat\nthe mat\n")
    asked = ["export", "--texts", tmp_path / "two.txt", "-o", "-", "--format", "csv"]
    assert "-o holds one text, --texts gives many" in refused(2, *asked)
