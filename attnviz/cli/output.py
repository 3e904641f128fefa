"""The one sink: answers on stdout or in a file, the conversation on stderr."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, TextIO

from attnviz.errors import AttnvizError, OutputError, UsageError
from attnviz.files import found, passes_on, refusals, written

if TYPE_CHECKING:
    from rich.console import Console

    from attnviz.render.data.tidy_rows import Row


@dataclass(frozen=True)
class Talk:
    """What is said beside the answer: hints and progress, on stderr, unless quiet."""

    quiet: bool = False

    def hint(self, text: str) -> None:
        """A line that helps."""
        if not self.quiet:
            print_line(f"hint: {text}", sys.stderr)

    @contextlib.contextmanager
    def progress(self, text: str) -> Iterator[Callable[[str], None] | None]:
        """Shows what is going on, on a terminal only; gives what later stages are told to.

        A stage that starts with "download" draws its own bars: meanwhile nothing else is shown.
        """
        console = stderr_console()
        if self.quiet or not console.is_terminal or console.is_dumb_terminal:
            yield None
            return
        from rich.text import Text

        status = console.status(Text(text, style="dim"))

        def tell(stage: str) -> None:
            status.update(Text(stage, style="dim"))
            (status.stop if stage.startswith("download") else status.start)()

        with status:
            yield tell


def stderr_console() -> Console:
    """A console on stderr that takes texts as they are."""
    from rich.console import Console

    return Console(stderr=True, markup=False, highlight=False, emoji=False, soft_wrap=True)


def print_error(error: AttnvizError) -> None:
    """The one error style: `error: …`, then `hint: …`."""
    print_line(f"error: {error.message}", sys.stderr)
    if error.hint:
        print_line(f"hint: {error.hint}", sys.stderr)


def print_line(text: str, stream: TextIO) -> None:
    """The text with everything in it made harmless for a terminal, and a line end."""
    from attnviz.render.text.safe import display

    for line in text.split("\n"):
        body = line.lstrip(" ")
        shown = display(body) if body else ""
        stream.write(" " * (len(line) - len(body)) + shown + "\n")


def print_rows(rows: Iterable[Row], form: Literal["tsv", "csv"], stream: TextIO) -> None:
    """Write the rows; on a terminal the control characters of tokens are spelled out."""
    from attnviz.render.data.tidy_rows import to_text
    from attnviz.render.text.safe import visible

    text = to_text(rows, form)
    stream.write(visible(text) if stream.isatty() else text)


def write_text(path: Path, text: str) -> None:
    """Put the text into the file, whole or not at all; `-` is stdout. Raises OutputError."""
    write_file(path, lambda file: file.write(text.encode("utf-8", "backslashreplace")))


def write_file(path: Path, fill: Callable[[BinaryIO], object]) -> None:
    """Let `fill` write the file, whole or not at all; `-` is stdout. Folders are made.

    A terminal gets text with its control characters spelled out. Raises OutputError, UsageError
    for anything but text on a terminal.
    """
    if str(path) == "-" and sys.stdout.isatty():
        shown = io.BytesIO()
        fill(shown)
        sys.stdout.write(on_terminal(shown.getvalue()))
        return
    if str(path) == "-":
        sys.stdout.flush()
        fill(sys.stdout.buffer)
        return
    make_folder(path)
    with written(path) as temporary, temporary.open("wb") as file:
        fill(file)


def on_terminal(data: bytes) -> str:
    """The contents of a file as a terminal may show them. Raises UsageError unless it is text."""
    from attnviz.render.text.safe import visible

    try:
        return visible(data.decode())
    except UnicodeDecodeError:
        raise UsageError(
            "-o - is the terminal, and this is no text", "write to a file, or pipe it on"
        ) from None


def make_folder(path: Path) -> None:
    """Make the folder that the file is to lie in. Raises OutputError."""
    writable(path)
    with refusals(path):
        found(path)[0].parent.mkdir(parents=True, exist_ok=True)


def writable(path: Path) -> None:
    """Nothing. Raises OutputError when the file cannot be made; asked before any model runs."""
    with refusals(path):
        if path.is_dir():
            raise OutputError(f"cannot write {path}: it is a folder", "name a file in it")
        folder = next(one for one in path.parents if one.exists())
        if not folder.is_dir():
            raise OutputError(f"cannot write {path}: {folder} is no folder", "choose another place")
        place, there = found(path)
        folder = next(one for one in place.parents if one.exists())
        needed = [path] if there is not None else []
        needed += [] if there is not None and passes_on(there) else [folder]
    if not all(os.access(one, os.W_OK) for one in needed):
        raise OutputError(f"cannot write {path}: permission denied", "choose another place")
