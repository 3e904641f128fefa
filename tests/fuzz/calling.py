"""One command line that is given something broken."""

from __future__ import annotations

import resource
import unicodedata

import pytest

from attnviz.cli.app import run


def survives(capsys: pytest.CaptureFixture[str], *arguments: object) -> int:
    """The exit code of `attnviz ARGUMENTS`, which must be 0, 1 or 2, and say no control code."""
    code = run([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    assert code in (0, 1, 2)
    assert (code == 0) == (not err.startswith("error: ")), err
    assert code == 0 or out == ""
    raw = {c for c in out + err if unicodedata.category(c) == "Cc"} - {"\n"}
    assert not raw, raw
    return code


def peak() -> int:
    """The most memory this process has held so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
