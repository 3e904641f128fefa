"""A model whose weights hold NaN: refused, and with --untrusted drawn as what it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from matplotlib.image import imread
from safetensors.torch import load_file, save_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Result

TEXT = "the cat sat on the mat"
COMMANDS = {
    "first screen": ["inspect", TEXT],
    "spoiled head": ["inspect", TEXT, "--head", "L1H0"],
    "grid": ["inspect", TEXT, "--view", "grid"],
    "query": ["inspect", TEXT, "--query", "cat"],
    "words": ["inspect", TEXT, "--words", "--hide-special", "--renormalize", "--scale", "rank"],
    "pooled": ["inspect", TEXT, "--memory", "20KB"],
    "heads": ["heads", TEXT],
    "edge": ["heads", TEXT, "--query", "cat", "--key", "sat"],
    "matrix": ["heads", TEXT, "--view", "matrix", "--sort", "entropy"],
    "groups": ["compare", TEXT],
    "distances": ["compare", TEXT, "--view", "matrix"],
    "like": ["compare", TEXT, "--head", "L1H0"],
    "layers": ["compare", TEXT, "--layers"],
    "texts": ["compare", TEXT, "--with", "the dog sat on the mat"],
}


def flowing(text: str) -> str:
    """The text as if no line were broken."""
    return " ".join(text.split())


@pytest.fixture
def diverged(copy: Callable[[str], Path]) -> Path:
    """A folder whose second layer has NaN among the queries of its first head."""
    path = copy("bert") / "model.safetensors"
    weights = load_file(path)
    [name] = [one for one in weights if one.endswith("layer.1.attention.self.query.weight")]
    weights[name][0, 0] = float("nan")
    save_file(weights, path, metadata={"format": "pt"})
    return path.parent


@pytest.mark.parametrize("what", COMMANDS)
def test_it_is_refused_and_drawn_on_request(
    refused: Callable[..., str], call: Callable[..., Result], diverged: Path, what: str
) -> None:
    command = [*COMMANDS[what], "-m", diverged]
    err = refused(1, *command)
    assert "cannot be trusted: finite: " in err.splitlines()[0]
    assert "--untrusted" in err.splitlines()[1]
    for width in (40, 80, 200):
        found = call(*command, "--untrusted", "--width", width)
        assert found.code == 0, found.err
        assert "not to be trusted: finite: " in found.err
        assert "CHECK FAILED" in flowing(found.out)
        assert "checked ✓" not in found.out


def test_a_cell_that_is_no_number_looks_so(answer: Callable[..., str], diverged: Path) -> None:
    out = answer("inspect", TEXT, "-m", diverged, "--untrusted", "--head", "L1H0")
    assert "! = not a number" in flowing(out)
    out = answer("inspect", TEXT, "-m", diverged, "--untrusted", "--head", "L0H0")
    assert "! = not a number" not in flowing(out)


def test_the_head_is_called_broken(answer: Callable[..., str], diverged: Path) -> None:
    out = answer("heads", TEXT, "-m", diverged, "--untrusted", "--kind", "broken", "--json")
    assert [(one["layer"], one["head"]) for one in json.loads(out)["heads"]] == [(1, 0)]


@pytest.mark.parametrize("command", ["export", "heads", "compare"])
def test_every_picture_says_so(
    call: Callable[..., Result], diverged: Path, tmp_path: Path, command: str
) -> None:
    """The failed check stands in the heading: the picture is higher than of the sound model."""
    path = tmp_path / "x.svg"
    found = call(command, TEXT, "-m", diverged, "--untrusted", "-o", path)
    assert found.code == 0, found.err
    assert "not to be trusted" in path.read_text(encoding="utf-8")
    assert "CHECK FAILED" in path.read_text(encoding="utf-8")


def test_cells_that_are_no_numbers_are_red(answer: Callable[..., str], diverged: Path) -> None:
    path = diverged / "x.png"
    answer("export", TEXT, "-m", diverged, "--untrusted", "--head", "L1H0", "-o", path)
    colours = (imread(path)[..., :3] * 255).round().astype(int).reshape(-1, 3).tolist()
    assert colours.count([0xD6, 0x28, 0x28]) > 1000


def test_it_is_saved_and_opened_with_what_failed(
    answer: Callable[..., str], call: Callable[..., Result], diverged: Path
) -> None:
    path = diverged / "run.safetensors"
    answer("inspect", TEXT, "-m", diverged, "--untrusted", "-o", path)
    out = answer("inspect", path)
    assert "CHECK FAILED" in out
    assert "not to be trusted" in out
    assert "! = not a number" in flowing(answer("inspect", path, "--head", "L1H0"))


@pytest.mark.parametrize("form", ["json", "csv", "npz"])
def test_numbers_that_are_none_are_exported_as_such(
    call: Callable[..., Result], diverged: Path, form: str
) -> None:
    path = diverged / f"x.{form}"
    found = call("export", TEXT, "-m", diverged, "--untrusted", "-o", path)
    assert found.code == 0, found.err
    if form == "json":
        json.loads(path.read_text(encoding="utf-8"), parse_constant=pytest.fail)


def test_check_tells_what_failed(call: Callable[..., Result], diverged: Path) -> None:
    found = call("check", diverged)
    assert found.code == 1
    assert any(line.startswith("  FAIL  finite: ") for line in found.lines)
    assert all(line.startswith("  ok") for line in found.lines if "outputs unchanged" in line)
    assert "Traceback" not in found.err


def test_what_has_no_distance_comes_last(answer: Callable[..., str], diverged: Path) -> None:
    """Heads are ranked by the numbers that there are."""
    asked = ["compare", TEXT, "-m", diverged, "--untrusted", "--json", "--top", "20"]
    moved = json.loads(answer(*asked, "--with", "the dog sat on the mat"))["moved"]
    far = [one["distance"] for one in moved]
    assert (far[-1], moved[-1]["layer"], moved[-1]["head"]) == (None, 1, 0)
    assert far[:-1] == sorted(far[:-1], reverse=True)
    out = flowing(answer("compare", TEXT, "-m", diverged, "--untrusted", "--view", "matrix"))
    assert "! = not a number" in out
