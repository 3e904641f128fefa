"""Options that do nothing to a view or a kind of file are refused before anything is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CASES = [
    ("export", "csv", "--view grid", "--view"),
    ("export", "npz", "--view map", "--view"),
    ("export", "csv", "--reduce max", "--reduce"),
    ("export", "png", "--view arcs --reduce max", "--reduce"),
    ("export", "png", "--soft", "--soft"),
    ("export", "csv", "--soft", "--soft"),
    ("export", "json", "--min-weight 0.1", "--min-weight"),
    ("export", "png", "--view grid --min-weight 0.1", "--min-weight"),
    ("export", "csv", "--store-dtype uint8", "--store-dtype"),
    ("export", "png", "--score sink", "--score"),
    ("export", "json", "--theme dark", "--theme"),
    ("export", "tsv", "--dpi 200", "--dpi"),  # the default is refused too, where it is given
    ("inspect", "png", "--view table", "--view"),
    ("inspect", "npz", "--view map", "--view"),
    ("inspect", "", "--json --reduce max", "--reduce"),
    ("inspect", "", "--view heads --reduce max", "--reduce"),
    ("heads", "png", "--view table", "--view"),
    ("inspect", "", "--batch-size 4", "--batch-size"),
    ("heads", "", "--batch-size 2", "--batch-size"),
    ("export", "png", "--batch-size 4", "--batch-size"),
    ("compare", "", "--dpi 80", "--dpi"),
    ("compare", "txt", "--theme dark", "--theme"),
    ("compare", "", "--layers --view matrix", "--view"),
    ("compare", "", "--head L0H0 --view matrix", "--view"),
]


@pytest.mark.parametrize(("command", "suffix", "options", "idle"), CASES)
def test_an_idle_option_is_refused(
    refused: Callable[..., str],
    saved: Callable[[str], Path],
    tmp_path: Path,
    command: str,
    suffix: str,
    options: str,
    idle: str,
) -> None:
    place = ["-o", tmp_path / f"a.{suffix}"] if suffix else []
    err = refused(2, command, saved("bert"), *options.split(), *place)
    assert f"error: {idle} has no effect on " in err
    assert "hint: " in err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("given", [["the cat"], ["--probe", "repeated-tokens"]])
@pytest.mark.parametrize("plan", [[], ["--plan"]])
def test_a_batch_takes_many_texts(
    refused: Callable[..., str], folder: Callable[[str], Path], given: list[str], plan: list[str]
) -> None:
    err = refused(2, "heads", *given, "-m", folder("gpt2"), "--batch-size", 2, *plan)
    assert "error: --batch-size has no effect on a single input" in err
    assert "hint: it is for --texts" in err


@pytest.mark.parametrize(
    ("command", "suffix", "options"),
    [
        ("export", "png", "--view arcs --min-weight 0.2"),
        ("export", "csv", "--min-weight 0.2"),
        ("export", "png", "--view matrix --score sink"),
        ("export", "png", "--reduce max"),
        ("inspect", "png", "--view grid --head L0H0"),
        ("inspect", "txt", "--view heads"),
        ("heads", "png", "--view matrix"),
    ],
)
def test_an_option_that_acts_is_taken(
    answer: Callable[..., str],
    saved: Callable[[str], Path],
    tmp_path: Path,
    command: str,
    suffix: str,
    options: str,
) -> None:
    path = tmp_path / f"a.{suffix}"
    answer(command, saved("bert"), *options.split(), "-o", path)
    assert path.stat().st_size > 0


def test_a_comparison_is_drawn_as_asked(
    answer: Callable[..., str], saved: Callable[[str], Path], tmp_path: Path
) -> None:
    plain, small, dark = (tmp_path / f"{name}.png" for name in ("plain", "small", "dark"))
    asked = ["compare", saved("bert"), "--view", "matrix", "-o"]
    answer(*asked, plain)
    answer(*asked, small, "--dpi", 100)
    answer(*asked, dark, "--theme", "dark")
    with Image.open(plain) as one, Image.open(small) as other, Image.open(dark) as night:
        assert one.width == pytest.approx(2 * other.width, abs=4)
        assert max(night.convert("RGB").getpixel((0, 0))) < 60
        assert min(one.convert("RGB").getpixel((0, 0))) > 200


@pytest.mark.parametrize("reduce", ["mass", "mean", "max"])
@pytest.mark.parametrize("selection", [[], ["--head", "L0H0"], ["--layer", "1"], ["--query", "5"]])
def test_maps_pooled_in_the_run_are_drawn_by_the_reduction_asked_for(
    answer: Callable[..., str],
    folder: Callable[[str], Path],
    tmp_path: Path,
    selection: list[str],
    reduce: str,
) -> None:
    path = tmp_path / "pooled.safetensors"
    text = "the cat sat on the mat it was tired " * 4
    ran = answer("inspect", text, "-m", folder("bert"), "--memory", "36KiB", "-o", path)
    assert "maps pooled" in " ".join(ran.split())
    out = " ".join(answer("inspect", path, *selection, "--reduce", reduce, "--width", 200).split())
    assert "not by" not in out
    if "--query" in selection:
        assert ("no map was pooled" in out) == (reduce != "mass")
    else:
        words = {"mass": "sum over keys", "mean": "mean weight", "max": "largest weight"}
        assert words[reduce] in out
