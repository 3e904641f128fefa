"""How a trace is shown: as text, rows, JSON or a picture."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from attnviz.cli.output import write_file, write_text
from attnviz.cli.template import STDOUT
from attnviz.cli.write import IMAGES
from attnviz.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from attnviz.cli.output import Talk
    from attnviz.cli.template import Template
    from attnviz.trace import Recipe
    from attnviz.views.trace import HandTrace

KINDS = (*IMAGES, "txt", "json", "csv", "tsv")


@dataclass(frozen=True)
class Tracing:
    """What is traced, and how it is shown."""

    query: str | None
    key: str | None
    top: int | None
    form: str
    width: int | None
    color: Literal["auto", "always", "never"]
    ascii: bool
    talk: Talk
    template: Template

    def by_hand(self, path: Path, recipe: Recipe) -> None:
        """Trace the numbers of a file."""
        from attnviz.inputs.qkv import read_qkv
        from attnviz.mechanisms import FAMILIES
        from attnviz.trace import by_hand
        from attnviz.views.trace import NAMES, hand_trace

        given = read_qkv(path)
        found = by_hand(given, recipe)
        arrays = {name: getattr(found, name).numpy() for name in NAMES}
        family = FAMILIES[recipe.mechanism]
        self.show(hand_trace(given, arrays, recipe, family, self.query, self.key))

    def show(self, view: HandTrace) -> None:
        """Print the trace, or write it to the file."""
        from attnviz.render.data.rows import to_text
        from attnviz.render.data.trace import hand_rows, hand_values

        path = self.template.path(model="")
        kind = self.template.suffix if self.template.text != STDOUT else ""
        if kind in IMAGES:
            self.write_image(view, path)
            return
        form = {"txt": "table", "": self.form}.get(kind, kind)
        stream = io.StringIO() if kind else sys.stdout
        if form == "table":
            from attnviz.render.terminal.console import make_console
            from attnviz.render.terminal.picture import print_view

            print_view(view, make_console(self.width, self.color, self.ascii, stream))
        elif form == "json":
            stream.write(json.dumps(hand_values(view), allow_nan=False) + "\n")
        else:
            stream.write(to_text(hand_rows(view), "tsv" if form == "tsv" else "csv"))
        if isinstance(stream, io.StringIO) and kind:
            write_text(path, stream.getvalue())

    def write_image(self, view: HandTrace, path: Path) -> None:
        """The trace as an image."""
        from attnviz.render.image.style import ImageStyle
        from attnviz.render.image.trace import draw_trace

        drawing = draw_trace(view, ImageStyle())
        data = drawing.to_bytes(path.suffix.removeprefix(".").lower())
        write_file(path, lambda file: file.write(data))
        if drawing.warning:
            self.talk.hint(drawing.warning)


def check_kind(template: Template, form: str) -> None:
    """Nothing. Raises UsageError for a kind of file that a trace is not written as."""
    if template.text == STDOUT:
        return
    if template.suffix not in KINDS:
        raise UsageError(
            f"-o {template.text}: a trace is written as {' '.join(f'.{kind}' for kind in KINDS)}",
            "its numbers are in .json",
        )
    if form not in ("table", template.suffix):
        option = "--json" if form == "json" else f"--format {form}"
        raise UsageError(
            f"-o {template.text} and {option} contradict each other",
            "the suffix of the file says its format",
        )


def excluded(option: str, others: dict[str, object], hint: str) -> None:
    """Nothing. Raises UsageError when one of the others is given beside the option."""
    for name, value in others.items():
        if value is not None:
            raise UsageError(f"{option} and {name} exclude each other", hint)
