"""Streams that are full, closed or left by their reader, terminals, and Ctrl-C."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.captures import capture

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parents[2]
HOSTILE = ["a\x1b[31m", "b\r", "c\x9b2J", "d\x7f", "e\n", "f\u202e", 'g"', "h\x00"]
ANSWERS = [
    ["--help"],
    ["--version"],
    ["models", "--json"],
    ["inspect", "RUN"],
    ["heads", "RUN", "--format", "csv"],
    ["export", "RUN", "--format", "csv", "-o", "-"],
    ["export", "RUN", "--format", "npz", "-o", "-"],
]
FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A saved capture whose tokens are hostile to terminals."""
    path = tmp_path_factory.mktemp("saved") / "run.safetensors"
    capture(HOSTILE).save(path)
    yield path


def environment() -> dict[str, str]:
    known = {name: os.environ[name] for name in ("PATH", "HF_HOME") if name in os.environ}
    return known | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}


def shell(run: Path, arguments: Sequence[str], streams: str) -> subprocess.CompletedProcess[bytes]:
    """`attnviz ARGUMENTS` in a shell that does this to its streams; its code, what it printed."""
    given = [str(run) if one == "RUN" else one for one in arguments]
    script = f'"$@" {streams}; exit ${{PIPESTATUS[0]}}'
    command = ["bash", "-c", script, "bash", sys.executable, "-m", "attnviz", *given]
    return subprocess.run(command, env=environment(), capture_output=True, timeout=60, check=False)


def terminal(run: Path, arguments: Sequence[str]) -> tuple[int, bytes]:
    """The exit code of `attnviz ARGUMENTS` on a terminal, and what reaches that."""
    given = [str(run) if one == "RUN" else one for one in arguments]
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "attnviz", *given]
    child = subprocess.Popen(
        command, env=environment() | {"TERM": "dumb"}, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    said = b""
    try:
        while block := os.read(ours, 4096):
            said += block
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    return child.wait(timeout=60), said.replace(b"\r\n", b"\n")


@FULL
@pytest.mark.parametrize("arguments", ANSWERS, ids=" ".join)
def test_standard_output_is_full(run: Path, arguments: list[str]) -> None:
    done = shell(run, arguments, ">/dev/full")
    said = b"error: cannot write standard output: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, said)


@pytest.mark.parametrize("arguments", ANSWERS, ids=" ".join)
def test_standard_output_is_closed(run: Path, arguments: list[str]) -> None:
    done = shell(run, arguments, ">&-")
    said = b"error: cannot write standard output: it is closed\n"
    assert (done.returncode, done.stderr) == (1, said)


def test_a_file_needs_no_standard_output(run: Path, tmp_path: Path) -> None:
    file = tmp_path / "out.csv"
    done = shell(run, ["inspect", "RUN", "-o", str(file)], ">&- <&-")
    assert (done.returncode, done.stderr) == (0, b"")
    assert file.read_bytes() == shell(run, ["inspect", "RUN", "--format", "csv"], "").stdout


@pytest.mark.parametrize("streams", ["2>&-", pytest.param("2>/dev/full", marks=FULL)])
@pytest.mark.parametrize(("arguments", "code"), [(["--version"], 0), (["no command"], 2)])
def test_nobody_hears_the_errors(run: Path, streams: str, arguments: list[str], code: int) -> None:
    done = shell(run, arguments, streams)
    assert (done.returncode, done.stderr) == (code, b"")
    assert done.stdout.startswith(b"" if code else b"attnviz ")


def test_standard_input_is_closed(run: Path) -> None:
    done = shell(run, ["inspect", "-"], "<&-")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"error: standard input cannot be read: it is closed\n")
    assert shell(run, ["inspect", "RUN"], "<&-").returncode == 0


@pytest.mark.parametrize("form", ["csv", "npz", "json", "png"])
def test_the_reader_leaves_in_the_middle(run: Path, form: str) -> None:
    arguments = ["export", "RUN", "--format", form, "-o", "-"]
    whole = shell(run, arguments, "").stdout
    done = shell(run, arguments, "| head -c 1")
    assert done.stderr == b""
    assert done.stdout == whole[:1]
    assert done.returncode in (0, 1)  # 0 when all of it fitted into the pipe


def test_added_to_a_file_the_archive_is_whole(run: Path, tmp_path: Path) -> None:
    """What is behind `>>` cannot be sought: nothing there is written twice."""
    log = tmp_path / "log"
    log.write_bytes(b"old")
    arguments = ["export", "RUN", "--format", "npz", "-o", "-"]
    shell(run, arguments, f">> {log}")
    assert log.read_bytes() == b"old" + shell(run, arguments, "").stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["inspect", "RUN", "--head", "L0H0", "--format", "csv"],
        ["inspect", "RUN", "--head", "L0H0", "--format", "tsv"],
        ["inspect", "RUN", "--head", "L0H0", "--json"],
        ["inspect", "RUN", "--head", "L0H0"],
        ["export", "RUN", "--head", "L0H0", "--format", "csv", "-o", "-"],
    ],
    ids=" ".join,
)
def test_a_terminal_gets_no_control_codes(run: Path, arguments: list[str]) -> None:
    code, said = terminal(run, arguments)
    text = said.decode()
    assert code == 0
    assert [char for char in text if not char.isprintable() and char not in "\n\t"] == []
    assert "\\x9b" in text or "\\u009b" in text


def test_a_pipe_gets_tokens_as_they_are(run: Path) -> None:
    said = shell(run, ["inspect", "RUN", "--head", "L0H0", "--format", "csv"], "").stdout.decode()
    assert all(token.replace('"', '""') in said for token in HOSTILE)


def test_a_terminal_gets_text_alone(run: Path) -> None:
    code, said = terminal(run, ["export", "RUN", "--format", "png", "-o", "-"])
    assert (code, said.splitlines()[0]) == (2, b"error: -o - is the terminal, and this is no text")


def test_ctrl_c_in_the_first_second() -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "attnviz", "inspect", "-", "-m", "sample:english"],
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    time.sleep(0.6)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert (child.returncode, out, err) == (130, b"", b"")


@pytest.mark.parametrize(
    "module", ["typer", "attnviz.cli.app", "numpy", "rich.console", "attnviz.render.text.safe"]
)
def test_ctrl_c_while_importing(run: Path, module: str) -> None:
    """At the very import of a module, also where a library swallows what is raised there."""
    script = f"""
import os, signal, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)
from attnviz.__main__ import main
sys.meta_path.insert(0, Finder())
sys.argv = ["attnviz", "inspect", {str(run)!r}]
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment(), capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


def test_ctrl_c_that_a_library_swallows() -> None:
    """It is no failure of the library: nothing is said of what that raises instead."""
    script = """
import os, signal, sys
from attnviz.__main__ import main
import attnviz.cli.app as app
from attnviz.errors import ModelError
def swallow(arguments):
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except KeyboardInterrupt:
        raise ModelError("it needs a package") from None
app.called = swallow
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment(), capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")
