"""One sink for every command: one object of JSON, and any stream that takes text."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from typing import TYPE_CHECKING

import pytest

from attnviz.cli.app import COMMANDS, run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TEXT = "the cat sat on the mat"
# A command line for each command and form of its answer; MODEL stands for one that runs.
ASKED = {
    "inspect": ["inspect", TEXT, "MODEL"],
    "one head": ["inspect", TEXT, "MODEL", "--head", "L1H1"],
    "one query": ["inspect", TEXT, "MODEL", "--query", "cat"],
    "matrix": ["inspect", TEXT, "MODEL", "--view", "matrix"],
    "heads": ["heads", TEXT, "MODEL"],
    "compare": ["compare", TEXT, "MODEL"],
    "layers": ["compare", TEXT, "MODEL", "--layers"],
    "with": ["compare", TEXT, "MODEL", "--with", "the cat sat on a mat"],
    "trace": ["trace", TEXT, "MODEL"],
    "check": ["check", "--text", TEXT],
    "plan": ["inspect", TEXT, "MODEL", "--plan"],
    "plan of heads": ["heads", TEXT, "MODEL", "--plan"],
    "export": ["export", TEXT, "MODEL", "-o", "-", "--format", "json"],
    "by hand": ["trace", "--qkv", "sample:qkv/self"],
    "models": ["models"],
}
NO_MODEL = ("by hand", "models")


def line(name: str, model: Path, *more: str) -> list[str]:
    """The command line with its model."""
    words = [one for word in ASKED[name] for one in (("-m", str(model)) if word == "MODEL"
                                                     else (word,))]  # fmt: skip
    return [*words, *([str(model)] if name == "check" else ()), *more]


def test_every_command_is_asked() -> None:
    assert {words[0] for words in ASKED.values()} == set(COMMANDS)


@pytest.mark.parametrize("name", ASKED)
def test_json_is_one_object_with_what_is_said_of_the_run(
    answer: Callable[..., str], folder: Callable[[str], Path], name: str
) -> None:
    json_ = [] if name == "export" else ["--json"]
    found = json.loads(answer(*line(name, folder("bert")), *json_, "-q"))
    assert found["schema"] == 1
    assert isinstance(found["checks"], list)
    assert isinstance(found["notes"], list)
    if name in NO_MODEL:
        assert "model" not in found
        return
    assert found["model"]["name"] == "bert"
    assert set(found["input"]) == {"text", "pair", "target"}
    if "plan" not in name:
        assert found["input"]["text"] == TEXT
        assert all(check["ok"] is not False for check in found["checks"])
        assert found["checks"]


FORMS = ([], ["--json"], ["--format", "csv"], ["-o", "-"])
# Commands that print, or plans, have no rows and no file; what export prints has its form.
FEWER = {"check": FORMS[:2], "models": FORMS[:2], "plan": FORMS[:2], "plan of heads": FORMS[:2],
         "export": FORMS[:1]}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "form"), [(name, form) for name in ASKED for form in FEWER.get(name, FORMS)]
)
def test_a_stream_of_text_takes_every_answer(
    folder: Callable[[str], Path], name: str, form: list[str]
) -> None:
    """As in a notebook, where standard output is no file."""
    out = io.StringIO()
    with redirect_stdout(out):
        code = run([*line(name, folder("bert")), *form, "-q"])
    assert code == 0
    assert out.getvalue().strip()


@pytest.mark.parametrize("kind", ["csv", "tsv", "npz", "png"])
def test_a_stream_of_text_takes_files_that_are_text(
    folder: Callable[[str], Path], capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    out = io.StringIO()
    asked = ["export", TEXT, "-m", str(folder("bert")), "-q", "-o", "-", "--format", kind]
    with redirect_stdout(out):
        code = run(asked)
    if kind in ("npz", "png"):
        assert code == 2
        assert "this is no text" in capsys.readouterr().err
        return
    assert code == 0
    assert out.getvalue()


def test_help_shows_selection_and_view_before_loading(answer: Callable[..., str]) -> None:
    for command in ("inspect", "export", "heads", "compare", "trace"):
        lines = answer(command, "--help").splitlines()
        panels = [text.split()[1] for text in lines if text.startswith("╭")]
        order = [panels.index(name) for name in ("Selection", "View", "Model")]
        assert order == sorted(order), command
        assert panels[-1] == "Model"
