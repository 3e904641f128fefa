"""What an outsider adds in one module each works everywhere: a view, a score, a command.

Every test runs in a process of its own, as registrations last.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = "the food was not good ."
MODEL = ["-m", "sample:sentiment"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the three modules are installed, with their entry points."""
    folder = tmp_path_factory.mktemp("site")
    modules = ("toy_view", "toy_score", "toy_command")
    for name in modules:
        source = Path(__file__).with_name(f"{name}.py").read_text(encoding="utf-8")
        (folder / f"{name}.py").write_text(source, encoding="utf-8")
    info = folder / "toys-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toys\nVersion: 1.0\n")
    points = "\n".join(f"{name} = {name}" for name in modules)
    (info / "entry_points.txt").write_text(f"[attnviz.plugins]\n{points}\n")
    return folder


@pytest.fixture
def attnviz(installed: Path, tmp_path: Path):
    """Runs a command line with the plug-ins installed; gives what it prints."""

    def called(*arguments: object, code: int = 0) -> str:
        path = os.pathsep.join(map(str, (ROOT, installed)))
        done = subprocess.run(
            [sys.executable, "-m", "attnviz", *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": path, "COLUMNS": "100"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
        return done.stdout if not code else done.stderr

    return called


def test_a_view_is_drawn_by_every_renderer(attnviz, tmp_path: Path) -> None:
    asked = ["inspect", TEXT, *MODEL, "--view", "loudest", "-q"]
    assert "loudest by content: L0H2 0." in attnviz(*asked)
    found = json.loads(attnviz(*asked, "--json"))
    assert found["loudest"]["head"] == "L0H2"
    assert found["schema"] == 1 and found["stacks"]
    rows = list(csv.DictReader(attnviz(*asked, "--format", "csv").splitlines()))
    assert [row["head"] for row in rows] == ["L0H2"]
    attnviz("export", TEXT, *MODEL, "--view", "loudest", "-o", "a.svg", "-q")
    assert "loudest: L0H2" in (tmp_path / "a.svg").read_text(encoding="utf-8")


def test_a_score_is_computed_kept_and_shown(attnviz, tmp_path: Path) -> None:
    asked = ["heads", TEXT, *MODEL, "--sort", "last_key", "-q"]
    assert "Heads by last key" in attnviz(*asked)
    first = json.loads(attnviz(*asked, "--json"))["heads"][0]
    assert 0 < first["scores"]["last_key"] <= 1
    assert "last_key" in attnviz(*asked, "--format", "tsv").splitlines()[0]
    attnviz(*asked, "--view", "matrix")
    matrix = ["--view", "matrix", "--score", "last_key"]
    assert "last key of every head" in attnviz("inspect", TEXT, *MODEL, *matrix, "-q")
    attnviz("export", TEXT, *MODEL, *matrix, "-o", "a.png", "-q")
    attnviz("export", TEXT, *MODEL, *matrix, "-o", "b.svg", "-q", "--words")
    saved = ["inspect", TEXT, *MODEL, *matrix, "-o", "run.safetensors", "-q", "--memory", "4KiB"]
    attnviz(*saved)
    again = json.loads(attnviz("heads", "run.safetensors", "--sort", "last_key", "--json"))
    assert [row["scores"]["last_key"] for row in again["heads"]] == [
        pytest.approx(row["scores"]["last_key"], rel=1e-6)
        for row in json.loads(attnviz(*asked, "--json", "--top", 99))["heads"]
    ]


def test_padding_changes_no_score_of_an_outsider(attnviz, tmp_path: Path) -> None:
    (tmp_path / "two.txt").write_text(f"{TEXT}\nthe film was good and the food was bad .\n")
    texts = ["heads", "--texts", "two.txt", *MODEL, "--sort", "last_key", "--json", "-q"]
    one, two = (json.loads(attnviz(*texts, "--batch-size", size))["heads"] for size in (1, 2))
    assert [row["scores"]["last_key"] for row in one] == pytest.approx(
        [row["scores"]["last_key"] for row in two], rel=1e-4
    )


def test_a_command_has_the_options_of_the_house(attnviz, tmp_path: Path) -> None:
    assert "FOOD" in attnviz("tokens", TEXT, *MODEL, "--upper", "-q")
    found = json.loads(attnviz("tokens", TEXT, *MODEL, "--json", "-q"))
    assert found["tokens"][1] == "the"
    assert found["model"]["name"] == "sentiment"
    attnviz("tokens", TEXT, *MODEL, "-o", "out.txt", "-q")
    assert "food" in (tmp_path / "out.txt").read_text(encoding="utf-8")
    assert "a list of lines has no rows" in attnviz(
        "tokens", TEXT, *MODEL, "--format", "csv", "-q", code=2
    )
    assert "--upper" in attnviz("tokens", "--help")
    assert "is no command" in attnviz("letters", code=2)


def test_plugins_are_not_loaded_for_what_is_built_in(installed: Path, tmp_path: Path) -> None:
    (installed / "toy_view.py").rename(tmp_path / "kept.py")
    (installed / "toy_view.py").write_text("raise SystemExit('loaded')\n")
    try:
        code = (
            "import sys; from attnviz.cli.app import run;"
            f"sys.exit(run(['inspect', '{TEXT}', '-m', 'sample:sentiment', '-q']))"
        )
        path = os.pathsep.join(map(str, (ROOT, installed)))
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0
    finally:
        (tmp_path / "kept.py").rename(installed / "toy_view.py")
