"""The conversation beside the answer, on stderr: hints, progress, errors."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

    from attnviz.errors import AttnvizError


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
