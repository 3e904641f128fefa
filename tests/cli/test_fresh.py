"""Fresh interpreters: what is imported, pipes, encodings and colours."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.models.find.fake_hub import hub

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "transformers", "matplotlib")
SCRIPT = f"""
import sys
from attnviz.cli.app import run
code = run(sys.argv[1:])
found = [name for name in {HEAVY!r} if name in sys.modules]
sys.stderr.write(f"heavy={{found}}")
sys.exit(code)
"""
MAIN = "from attnviz.__main__ import main; main()"


def python(
    script: str, *arguments: object, shell: str = "", **variables: str
) -> subprocess.CompletedProcess[bytes]:
    """What a fresh interpreter prints; `shell` is what its output is piped into."""
    known = {name: os.environ[name] for name in ("PATH", "HF_HOME") if name in os.environ}
    env = known | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-c", script, *map(str, arguments)]
    if shell:
        command = ["bash", "-c", f'"$@" | {shell}; exit ${{PIPESTATUS[0]}}', "bash", *command]
    return subprocess.run(
        command, env=env | variables, capture_output=True, timeout=120, check=False
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["inspect", "--help"],
        ["export", "-h"],
        ["check", "-h"],
        ["--version"],
        ["models"],
        ["a text"],
        [],
    ],
)
def test_nothing_heavy_is_imported(arguments: list[str]) -> None:
    done = python(SCRIPT, *arguments)
    assert done.stderr.endswith(b"heavy=[]")
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("suffix", ["png", "svg", "npz", "csv"])
def test_saved_capture_is_exported_without_torch(
    saved: Callable[[str], Path], tmp_path: Path, suffix: str
) -> None:
    done = python(SCRIPT, "export", saved("bert"), "-o", tmp_path / f"out.{suffix}")
    assert done.returncode == 0
    assert b"torch" not in done.stderr
    assert b"transformers" not in done.stderr
    assert (tmp_path / f"out.{suffix}").stat().st_size > 500


@pytest.mark.parametrize("option", [[], ["--json"], ["--format", "csv"], ["--query", "cat"]])
def test_saved_capture_opens_without_torch(saved: Callable[[str], Path], option: list[str]) -> None:
    done = python(SCRIPT, "inspect", saved("bert"), *option)
    assert (done.returncode, done.stderr) == (0, b"heavy=[]")
    assert b"cat" in done.stdout


def test_help_has_every_option() -> None:
    done = python(MAIN, "inspect", "--help", COLUMNS="100")
    assert done.returncode == 0
    for word in (b"--pair", b"--layer", b"--renormalize", b"--output", b"--trust-remote-code"):
        assert word in done.stdout
    assert b"--token" not in done.stdout


def test_version() -> None:
    import attnviz

    assert python(MAIN, "--version").stdout.decode() == f"attnviz {attnviz.__version__}\n"


@pytest.mark.parametrize("reader", ["head -c 1", "true"])
def test_broken_pipe_is_silent(saved: Callable[[str], Path], reader: str) -> None:
    done = python(MAIN, "inspect", saved("bert"), "--json", shell=reader)
    assert done.stderr == b""
    assert done.returncode in (0, 1)


def test_narrow_encoding_gets_ascii(saved: Callable[[str], Path]) -> None:
    done = python(MAIN, "inspect", saved("bert"), PYTHONIOENCODING="cp1252")
    assert done.returncode == 0
    assert done.stdout.isascii()


@pytest.mark.parametrize(
    ("variables", "coloured"),
    [
        ({"TERM": "xterm-256color"}, False),
        ({"TERM": "xterm-256color", "FORCE_COLOR": "1"}, True),
        ({"TERM": "xterm-256color", "FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
    ],
)
def test_colour_follows_the_environment(
    saved: Callable[[str], Path], variables: dict[str, str], coloured: bool
) -> None:
    done = python(MAIN, "inspect", saved("bert"), **variables)
    assert done.returncode == 0
    assert (b"\x1b[38;5;" in done.stdout or b";48;5;" in done.stdout) == coloured


def test_truecolor(saved: Callable[[str], Path]) -> None:
    done = python(MAIN, "inspect", saved("bert"), "--color", "always", COLORTERM="truecolor")
    assert b"48;2;" in done.stdout


def test_whole_run(folder: Callable[[str], Path]) -> None:
    done = python(MAIN, "inspect", "the cat sat", "-m", folder("bert"))
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"bert  BertForMaskedLM")


def test_refusals_of_the_hub(folder: Callable[[str], Path], tmp_path: Path) -> None:
    script = """
import sys
from attnviz.cli.app import run
for name in ("org/gated", "org/missing", "org/tiny"):
    sys.stderr.write(f"exit {run(['inspect', 'the cat', '-m', name])}\\n")
"""
    with hub({"org/tiny": folder("bert")}) as url:
        own = {"HF_ENDPOINT": url, "HF_HOME": str(tmp_path), "NO_PROXY": "127.0.0.1"}
        done = python(script, HF_HUB_OFFLINE="0", **own)
    said = done.stderr.decode().splitlines()
    assert said[0].startswith("error: org/gated is gated")
    assert "hf auth login" in said[1]
    assert said[2] == "exit 1"
    assert said[3].startswith("error: org/missing is not on the Hub, or is private")
    assert "hf auth login" in said[4]
    assert said[5:] == ["exit 1", "exit 0"]
    assert done.stdout.startswith(b"tiny @0123456  BertForMaskedLM")
