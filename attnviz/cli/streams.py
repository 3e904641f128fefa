"""Standard input, output and error as a command needs them, whatever they are open on."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

from attnviz.errors import OutputError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class Answers(io.FileIO):
    """Standard output; what the system refuses of it is an OutputError, once."""

    def write(self, data: ReadableBuffer, /) -> int:
        """How many bytes were written. A reader that has gone is a BrokenPipeError, as ever."""
        try:
            return super().write(data)
        except OSError as error:
            # What lies in buffers would be refused again, and when the interpreter ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())
            if isinstance(error, BrokenPipeError):
                raise
            reason = "it is closed" if error.errno == errno.EBADF else error.strerror
            raise OutputError(f"cannot write standard output: {reason}") from error

    def seekable(self) -> bool:
        """False: what is written once is written, also into a file, also behind `>>`."""
        return False

    def tell(self) -> int:
        """No place is known."""
        raise io.UnsupportedOperation("standard output has no places")


class Conversation(io.FileIO):
    """Standard error: what it does not take is left unsaid."""

    def write(self, data: ReadableBuffer, /) -> int:
        """How many bytes are done with."""
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def open_streams() -> None:
    """Open the three streams, so that they fail in the ways of the two classes above."""
    occupy()
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = text(Answers(1, "w", closefd=False), sys.stdout)
    sys.stderr = text(Conversation(2, "w", closefd=False), sys.stderr)


def occupy() -> None:
    """Open the descriptors that the caller closed, so that no file is given their number.

    Input and output refuse to be used, error takes everything.
    """
    for number, way in enumerate((os.O_WRONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, way)  # gets the lowest number that is free: this one


def text(raw: io.FileIO, before: TextIO | None) -> TextIO:
    """The stream as text, in the encoding that it had before."""
    if before is not None and os.name == "nt" and raw.isatty():
        return before  # a console of Windows takes no bytes
    lines = isinstance(raw, Conversation) or raw.isatty()
    encoding = before.encoding if before is not None else "utf-8"
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding, line_buffering=lines)
