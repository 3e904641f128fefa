"""The one sink: an answer to the terminal, as JSON, as rows, as a picture, or into a file."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TextIO

from attnviz.cli.writing import STDOUT, write_file
from attnviz.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console
    from rich.text import Text as RichText

    from attnviz.cli.talk import Talk
    from attnviz.cli.template import Template
    from attnviz.render.image.style import ImageStyle
    from attnviz.views.answer import Answer

IMAGES = ("png", "svg", "pdf")
TEXTS = ("txt", "json", "csv", "tsv")


@dataclass(frozen=True)
class Sink:
    """Where answers go, and in which form.

    `form` is that of what is printed: table, json, tsv or csv; the suffix of a file says its own.
    `style` is that of images.
    """

    template: Template
    form: str
    width: int | None
    color: Literal["auto", "always", "never"]
    ascii: bool
    style: ImageStyle | None
    talk: Talk

    @property
    def kind(self) -> str:
        """What is written: table, json, tsv or csv, an image, or what else a suffix says."""
        if self.template.printed:
            return self.form
        return {"txt": "table"}.get(self.template.suffix, self.template.suffix)

    @property
    def draws(self) -> bool:
        """Whether an image is written."""
        return self.kind in IMAGES

    def check(
        self,
        kinds: tuple[str, ...],
        instead: str = "",
        *,
        several: bool = False,
        filled: tuple[str, ...] = ("model",),
    ) -> None:
        """Check that answers can go there: one of these kinds of file, in a place for it.

        `instead` says where other kinds come from. Raises UsageError, OutputError.
        """
        name, suffix = self.template.text, self.template.suffix
        if self.template.printed:
            return
        self.template.require_suffix(kinds, instead)
        if self.form != "table" and suffix not in (self.form, "safetensors"):
            option = "--json" if self.form == "json" else f"--format {self.form}"
            raise UsageError(
                f"-o {name} and {option} contradict each other",
                "the suffix of the file says its format",
            )
        self.template.check(several=several, filled=filled)

    def print(self, answer: Answer, number: int | None = None) -> None:
        """Print the answer, whatever file was named for another one."""
        self.write(answer, Path(STDOUT), self.form, number)

    def put(self, answer: Answer, number: int | None = None) -> None:
        """Print the answer, or write it to its file; `number` counts those of many texts."""
        model = answer.facts.model.name if answer.facts is not None else ""
        self.write(answer, self.template.path(model=model, index=number or 1), self.kind, number)

    def write(self, answer: Answer, path: Path, kind: str, number: int | None = None) -> None:
        """Write the answer as this kind of file; to `-` it is printed."""
        if kind in IMAGES:
            self.write_image(answer, path, kind)
        elif str(path) == STDOUT:
            self.fill(answer, kind, number, sys.stdout)
        else:
            out = io.StringIO()
            self.fill(answer, kind, number, out)
            data = out.getvalue().encode("utf-8", "backslashreplace")
            write_file(path, lambda file: file.write(data))

    def fill(self, answer: Answer, kind: str, number: int | None, stream: TextIO) -> None:
        """Write the answer as text into a stream."""
        if kind == "json":
            from attnviz.render.data.answer import answer_values

            stream.write(json.dumps(answer_values(answer), allow_nan=False) + "\n")
        elif kind in ("tsv", "csv"):
            stream.write(rows_text(answer, kind, number, visibly=stream.isatty()))
        else:
            from attnviz.render.terminal.console import make_console
            from attnviz.render.terminal.picture import print_answer

            console = make_console(self.width, self.color, self.ascii, stream)
            if number is not None and answer.facts is not None:
                console.print(heading(answer.facts.text, number, console))
            print_answer(answer, console)

    def write_image(self, answer: Answer, path: Path, kind: str) -> None:
        """Draw the answer, and say what the picture lacks: fonts for tokens, or colour."""
        from attnviz.render.image.draw import draw
        from attnviz.render.image.style import ImageStyle

        drawing = draw(answer, self.style or ImageStyle())
        data = drawing.to_bytes(kind)
        write_file(path, lambda file: file.write(data))
        if drawing.warning:
            self.talk.hint(drawing.warning)


def rows_text(answer: Answer, kind: str, number: int | None, visibly: bool) -> str:
    """The answer as rows; of many texts each row starts with its number, the first has titles."""
    from attnviz.render.data.answer import answer_rows
    from attnviz.render.data.tidy_rows import to_text
    from attnviz.render.text.safe import visible

    text = to_text(numbered(answer_rows(answer), number), "tsv" if kind == "tsv" else "csv")
    return visible(text) if visibly else text


def numbered(rows: Iterator[list[Any]], number: int | None) -> Iterator[list[Any]]:
    """The rows with the number of their text in front, and titles only above the first text's."""
    if number is None:
        yield from rows
        return
    titles = next(rows)
    if number == 1:
        yield ["text", *titles]
    yield from ([number, *row] for row in rows)


def heading(text: str, number: int, console: Console) -> RichText:
    """`text 2: it was tired`, cut to the console's width, below an empty line but for the first."""
    from rich.text import Text

    from attnviz.render.terminal.console import is_ascii
    from attnviz.render.text.safe import display, fit

    ascii_only = is_ascii(console)
    shown = f"text {number}: {display(text, ascii_only)}"
    line = fit(shown, console.width, "~" if ascii_only else "…")
    return Text(("" if number == 1 else "\n") + line, style="bold")
