"""Files are written whole or not at all; what is no regular file is written through."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from attnviz.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def written(path: Path) -> Iterator[Path]:
    """A new file to fill, which takes the place of the one at `path` when the context ends well.

    Links are followed, and a file that was there gives its permissions. A device or a pipe stays
    what it is and is sent the contents. Raises OutputError for what the system refuses.
    """
    with refusals(path):
        place, there = found(path)
        through = there is not None and passes_on(there)
        folder = Path(tempfile.gettempdir()) if through else place.parent
        temporary = folder / f".{uuid4().hex}{path.suffix}"
        temporary.touch(0o600 if through else 0o666, exist_ok=False)
        try:
            mode = stat.S_IMODE((there if there and not through else temporary.stat()).st_mode)
            yield temporary
            if through:
                send(temporary, path)
            else:
                temporary.chmod(mode)  # what fills the file may have made it anew
                temporary.replace(place)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def refusals(path: Path) -> Iterator[None]:
    """What the system refuses, as OutputError."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"cannot write {path}: {reason}", "choose another place") from error


def found(path: Path) -> tuple[Path, os.stat_result | None]:
    """Where the file lies, behind links, and what is there, None for nothing yet.

    A link that leads nowhere gives the place that it names. Raises OSError, for a loop too.
    """
    try:
        there = path.stat()
    except FileNotFoundError:
        there = None
    except ValueError as error:  # a NUL, or a character that no file name can hold
        raise OSError(errno.EINVAL, str(error)) from error
    return Path(os.path.realpath(path)), there


def passes_on(there: os.stat_result) -> bool:
    """Whether this is a device, a pipe, or the file that a stream of this process is open on."""
    return not stat.S_ISREG(there.st_mode) or any(is_open_on(stream, there) for stream in (1, 2))


def is_open_on(stream: int, there: os.stat_result) -> bool:
    """Whether this descriptor is the file: so `/dev/stdout` of a command with `>> log` is."""
    try:
        return os.path.samestat(os.fstat(stream), there)
    except OSError:
        return False


def send(source: Path, path: Path) -> None:
    """Send what the file holds to the device, pipe or stream."""
    with source.open("rb") as file, path.open("ab") as out:
        shutil.copyfileobj(file, out)
