"""The command line as a whole: its commands, and how a run that fails ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

import attnviz.runs.run
from attnviz.cli.app import run
from attnviz.errors import SelectionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Result

TEXT = "the cat"


@pytest.mark.parametrize(
    ("first", "hint"),
    [
        ("the cat sat", 'attnviz inspect "the cat sat"'),
        ("run.safetensors", "attnviz inspect run.safetensors"),
        ("it's $HOME", """attnviz inspect 'it'"'"'s $HOME'"""),
        ("inspct", "attnviz inspect"),
        ("chek", "attnviz check"),
        ("help", "attnviz --help, or attnviz inspect --help"),
    ],
)
def test_text_for_a_command(refused: Callable[..., str], first: str, hint: str) -> None:
    err = refused(2, first)
    assert "is no command" in err
    assert err.splitlines()[1] == f"hint: {hint}"


def test_no_arguments(call: Callable[..., Result]) -> None:
    result = call()
    assert (result.code, result.out) == (2, "")
    assert "Usage: attnviz" in result.err
    assert "inspect" in result.err


def test_unknown_option_of_the_whole(refused: Callable[..., str]) -> None:
    assert refused(2, "--nope").splitlines() == [
        "error: no such option: --nope",
        "hint: attnviz --help",
    ]


def test_debugging_gives_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTNVIZ_DEBUG", "1")
    with pytest.raises(SelectionError, match="layer 9 does not exist"):
        run(["inspect", TEXT, "-m", "sample:sentiment", "--layer", "9"])


def test_out_of_memory(refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object, **options: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(attnviz.runs.run, "observe", full)
    err = refused(1, "inspect", TEXT, "-m", "sample:sentiment")
    assert "out of memory on cpu at 4 tokens (whole maps, 2.9 KiB; " in err
    assert "--truncate" in err


def test_interrupted(call: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(attnviz.runs.run, "observe", stopped)
    result = call("inspect", TEXT, "-m", "sample:sentiment")
    assert (result.code, result.out, result.err) == (130, "", "")


def test_control_characters_in_errors(call: Callable[..., Result], tmp_path: Path) -> None:
    bad = "\x1b[31mred\x07"
    for arguments in (
        ["inspect", TEXT, "-m", bad],
        ["inspect", TEXT, "-m", "sample:sentiment", "--query", bad],
        ["inspect", TEXT, "--view", bad],
        ["inspect", "--file", tmp_path / bad],
        ["inspect", f"{bad}.safetensors"],
        [bad],
    ):
        result = call(*arguments)
        assert result.code in (1, 2)
        assert result.out == ""
        assert not set(result.err) & {"\x1b", "\x07"}


def test_module_is_the_command() -> None:
    command = [sys.executable, "-m", "attnviz", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("attnviz ")
