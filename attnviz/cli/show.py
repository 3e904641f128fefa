"""How a capture is shown: as a picture, as JSON or rows, on stdout or in a file."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from attnviz.cli.output import print_rows, writable, write_text
from attnviz.cli.template import FIELDS, STDOUT, Template
from attnviz.cli.write import IMAGES
from attnviz.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text as RichText

    from attnviz.attention.capture import Capture
    from attnviz.attention.selection import Selection
    from attnviz.views.appearance import Appearance

ViewName = Literal["auto", "map", "table", "grid", "heads"]
TEXTS = ("txt", "json", "csv", "tsv")
SUFFIXES = (*(f".{kind}" for kind in TEXTS), ".safetensors", ".npz", ".align",
            *(f".{kind}" for kind in IMAGES))  # fmt: skip


@dataclass(frozen=True)
class Show:
    """How a capture is shown: what of it, in which look and format, how wide."""

    selection: Selection
    appearance: Appearance
    view: ViewName
    form: str
    width: int | None
    color: Literal["auto", "always", "never"]
    ascii: bool

    def __call__(
        self, capture: Capture, output: Path | None = None, number: int | None = None
    ) -> None:
        """Print the capture's view, or write it to the file; `number` counts many texts."""
        suffix = output.suffix.removeprefix(".").lower() if output is not None else ""
        form = {"txt": "table", "": self.form}.get(suffix, suffix)
        stream = sys.stdout if output is None else io.StringIO()
        if form == "table":
            self.draw(capture, stream, number)
        elif form == "json":
            self.write_json(capture, stream)
        else:
            self.write_rows(capture, stream, "tsv" if form == "tsv" else "csv", number)
        if isinstance(stream, io.StringIO) and output is not None:
            write_text(output, stream.getvalue())

    def draw(self, capture: Capture, stream: Any, number: int | None) -> None:
        """The picture, under the text's number and beginning where there are many."""
        from attnviz.render.terminal.console import make_console
        from attnviz.render.terminal.picture import print_answer
        from attnviz.views.build import build

        view = build(capture, self.selection, self.appearance, self.view)
        console: Console = make_console(self.width, self.color, self.ascii, stream)
        if number is not None:
            console.print(heading(capture.text, number, console))
        print_answer(view, console)

    def write_json(self, capture: Capture, stream: Any) -> None:
        """One line of JSON."""
        from attnviz.render.data.answer import answer_values
        from attnviz.views.answer import in_full
        from attnviz.views.build import build

        view = in_full(build(capture, self.selection, self.appearance, self.view), capture)
        stream.write(json.dumps(answer_values(view), allow_nan=False) + "\n")

    def write_rows(
        self, capture: Capture, stream: Any, form: Literal["tsv", "csv"], number: int | None
    ) -> None:
        """The numbers of the view as tidy rows; of many texts each row starts with its number."""
        from attnviz.render.data.tidy_rows import table_rows
        from attnviz.views.build import build

        rows = list(table_rows(build(capture, self.selection, self.appearance, self.view)))
        if number is not None:
            rows = [["text", *rows[0]], *([number, *row] for row in rows[1:])]
            rows = rows if number == 1 else rows[1:]
        print_rows(rows, form, stream)


def heading(text: str, number: int, console: Console) -> RichText:
    """`text 2: it was tired`, cut to the console's width, below an empty line but for the first."""
    from rich.text import Text

    from attnviz.render.terminal.console import is_ascii
    from attnviz.render.text.safe import display, fit

    ascii_only = is_ascii(console)
    shown = f"text {number}: {display(text, ascii_only)}"
    line = fit(shown, console.width, "~" if ascii_only else "…")
    return Text(("" if number == 1 else "\n") + line, style="bold")


def chosen_form(json_: bool, format_: str) -> str:
    """`json`, or what --format says. Raises UsageError when both were given."""
    if json_ and format_ != "table":
        raise UsageError(f"--json and --format {format_} exclude each other", "choose one")
    return "json" if json_ else format_


def check_output(
    template: Template, form: str, *, several: bool, filled: tuple[str, ...] = ("model",)
) -> None:
    """Nothing. Raises UsageError for an unknown format, OutputError for a bad place."""
    if template.text == STDOUT:
        return
    suffix = f".{template.suffix}"
    if suffix not in SUFFIXES:
        raise UsageError(
            f"-o {template.text}: {suffix.rstrip('.') or 'no suffix'} is no format that attnviz "
            "writes",
            f"it writes {' '.join(SUFFIXES)}",
        )
    if form != "table" and suffix not in (f".{form}", ".safetensors"):
        option = "--json" if form == "json" else f"--format {form}"
        raise UsageError(
            f"-o {template.text} and {option} contradict each other",
            "the suffix of the file says its format",
        )
    check_places(template, several=several, filled=filled)


def check_places(template: Template, *, several: bool, filled: tuple[str, ...] = FIELDS) -> None:
    """Nothing. Raises UsageError when one file would hold many texts, or the name has a place that
    is not filled; OutputError where the file cannot be made.
    """
    for name in FIELDS:
        if name in template.fields and name not in filled:
            places = ", ".join(f"{{{one}}}" for one in filled) or "no places"
            raise UsageError(
                f"-o {template.text}: nothing fills {{{name}}} here", f"there are {places}"
            )
    if several and "index" not in template.fields:
        raise UsageError("-o holds one text, --texts gives many", "put {index} into the name")
    if not template.fields:
        writable(template.path())
