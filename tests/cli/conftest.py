"""The command line, called in this process on tiny models."""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from attnviz.cli.app import run
from tests.models.fixtures import copy, folder, loaded, private_cache, translator

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["copy", "folder", "loaded", "private_cache", "translator"]


@dataclass(frozen=True)
class Result:
    """What one command line gave."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """The lines of the answer."""
        return self.out.splitlines()


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Runs `attnviz ARGUMENTS`."""

    def called(*arguments: object) -> Result:
        capsys.readouterr()  # what making the models printed
        code = run([str(argument) for argument in arguments])
        return Result(code, *capsys.readouterr())

    return called


@pytest.fixture
def answer(call: Callable[..., Result]) -> Callable[..., str]:
    """Runs `attnviz ARGUMENTS`, which must succeed; gives its standard output."""

    def called(*arguments: object) -> str:
        result = call(*arguments)
        assert result.code == 0, result.err
        return result.out

    return called


@pytest.fixture
def refused(call: Callable[..., Result]) -> Callable[..., str]:
    """Runs `attnviz ARGUMENTS`, which must fail with this code; gives its standard error."""

    def called(code: int, *arguments: object) -> str:
        result = call(*arguments)
        assert (result.code, result.out) == (code, ""), result
        lines = result.err.splitlines()
        assert lines[0].startswith("error: ")
        assert [line for line in lines[1:] if not line.startswith("hint: ")] == []
        assert "Traceback" not in result.err
        return result.err

    return called


@pytest.fixture
def saved(
    tmp_path_factory: pytest.TempPathFactory, folder: Callable[[str], Path]
) -> Callable[[str], Path]:
    """A saved capture of "the cat sat on the mat" by the name of a tiny model."""

    def get(name: str) -> Path:
        path = tmp_path_factory.mktemp("saved") / f"{name}.safetensors"
        arguments = ["inspect", "the cat sat on the mat", "-m", str(folder(name)), "-o", str(path)]
        assert run(arguments) == 0
        return path

    return get


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """Puts these bytes on standard input."""

    def put(data: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), encoding="utf-8"))

    return put
