"""Files that are written whole or not at all, and places that are no regular files."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from attnviz.cli.writing import writable, write_file
from attnviz.errors import OutputError
from attnviz.files import written
from tests.captures import capture

if TYPE_CHECKING:
    from collections.abc import Callable


def put(path: Path) -> None:
    write_file(path, lambda file: file.write(b"new\n"))


def keep(path: Path) -> None:
    capture().save(path)


WRITERS = pytest.mark.parametrize("write", [put, keep])


def filled(path: Path, write: Callable[[Path], None]) -> bool:
    """Whether the file holds what the writer puts into a new one."""
    fresh = path.parent / "fresh"
    write(fresh)
    return path.read_bytes() == fresh.read_bytes() != b""


def inside(folder: Path) -> set[str]:
    return {one.name for one in folder.iterdir()}


@WRITERS
def test_a_pipe_stays_a_pipe_and_is_sent_the_contents(
    tmp_path: Path, write: Callable[[Path], None]
) -> None:
    pipe, got = tmp_path / "pipe", tmp_path / "got"
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as pool:
        reading = pool.submit(pipe.read_bytes)
        write(pipe)
        got.write_bytes(reading.result(timeout=10))
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert filled(got, write)
    assert inside(tmp_path) == {"pipe", "got", "fresh"}


@WRITERS
def test_a_link_to_a_pipe_is_followed(tmp_path: Path, write: Callable[[Path], None]) -> None:
    pipe, link, got = tmp_path / "pipe", tmp_path / "link.txt", tmp_path / "got"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    with ThreadPoolExecutor() as pool:
        reading = pool.submit(pipe.read_bytes)
        write(link)
        got.write_bytes(reading.result(timeout=10))
    assert link.is_symlink()
    assert filled(got, write)


@WRITERS
@pytest.mark.parametrize("there", [True, False])
def test_links_lead_to_the_file(tmp_path: Path, write: Callable[[Path], None], there: bool) -> None:
    (tmp_path / "far").mkdir()
    file = tmp_path / "far" / "file"
    if there:
        file.write_text("old")
    (tmp_path / "second").symlink_to("far/file")
    (tmp_path / "first").symlink_to("second")
    write(tmp_path / "first")
    assert (tmp_path / "first").is_symlink()
    assert (tmp_path / "second").is_symlink()
    assert not file.is_symlink()
    assert inside(tmp_path / "far") == {"file"}
    assert filled(file, write)


@WRITERS
def test_a_loop_of_links_is_refused(tmp_path: Path, write: Callable[[Path], None]) -> None:
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    with pytest.raises(OutputError, match=r"cannot write .*one: Too many levels of symbolic links"):
        write(tmp_path / "one")
    with pytest.raises(OutputError, match="symbolic links"):
        writable(tmp_path / "one")
    assert inside(tmp_path) == {"one", "two"}


@WRITERS
@pytest.mark.parametrize(("before", "after"), [(None, 0o640), (0o604, 0o604), (0o755, 0o755)])
def test_permissions(
    tmp_path: Path, write: Callable[[Path], None], before: int | None, after: int
) -> None:
    """Those of the file that was there, else those that the umask gives."""
    file = tmp_path / "file"
    if before is not None:
        file.touch()
        file.chmod(before)
    umask = os.umask(0o027)
    try:
        write(file)
    finally:
        os.umask(umask)
    assert stat.S_IMODE(file.stat().st_mode) == after


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_whole_or_not_at_all(tmp_path: Path, error: BaseException) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_text("old")
    link.symlink_to(file)
    expected = OutputError if isinstance(error, OSError) else type(error)
    for path in (file, link, tmp_path / "none"):
        with pytest.raises(expected), written(path) as temporary:
            temporary.write_text("half")
            raise error
    assert file.read_text() == "old"
    assert inside(tmp_path) == {"file", "link"}


def test_a_pipe_is_sent_nothing_of_what_fails(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(ZeroDivisionError):
            write_file(pipe, lambda file: file.write(b"half") and 1 / 0)
        assert os.read(reader, 9) == b""
    finally:
        os.close(reader)


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "n" * 300])
def test_names_that_no_file_has(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match="cannot write"):
        writable(tmp_path / name)
    with pytest.raises(OutputError, match="cannot write"):
        keep(tmp_path / name)


def test_the_folder_of_a_link_that_leads_nowhere_is_made(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("new/file")
    put(tmp_path / "link")
    assert (tmp_path / "new" / "file").read_text() == "new\n"


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="this system has no /dev/stdout")
def test_a_log_that_is_standard_output_is_added_to(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("old\n")
    code = (
        "from pathlib import Path; from attnviz.cli.writing import write_file;"
        "write_file(Path('/dev/stdout'), lambda file: file.write(b'new\\n'))"
    )
    with log.open("a") as out:
        subprocess.run([sys.executable, "-c", code], stdout=out, check=True)
    assert log.read_text() == "old\nnew\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@WRITERS
def test_a_full_device(tmp_path: Path, write: Callable[[Path], None]) -> None:
    (tmp_path / "full").symlink_to("/dev/full")
    with pytest.raises(OutputError, match="full: No space left on device"):
        write(tmp_path / "full")
    assert stat.S_ISCHR(Path("/dev/full").stat().st_mode)
