"""Where the answer goes, and in which form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from attnviz.cli.options.panels import OUTPUT
from attnviz.errors import UsageError

if TYPE_CHECKING:
    from attnviz.cli.sink import Sink
    from attnviz.cli.talk import Talk
    from attnviz.render.image.style import ImageStyle

Json = Annotated[bool, OUTPUT.flag("--json", "Print JSON instead.")]
Quiet = Annotated[bool, OUTPUT.flag("-q", "No progress and no hints.", "--quiet")]


@dataclass(frozen=True)
class Saying:
    """What is printed of an answer that is no table."""

    json_: Json = False
    width: Annotated[
        int | None, OUTPUT.value("N", "Columns to draw in. Default: the terminal's.", min=20)
    ] = None
    color: Annotated[
        Literal["auto", "always", "never"],
        OUTPUT.value("WHEN", "When to use colour: auto, always or never."),
    ] = "auto"
    ascii_: Annotated[bool, OUTPUT.flag("--ascii", "Draw with ASCII characters only.")] = False
    quiet: Quiet = False

    def talk(self) -> Talk:
        """What is said beside the answer."""
        from attnviz.cli.talk import Talk

        return Talk(self.quiet)

    def form(self) -> str:
        """The form of what is printed: table, json, tsv or csv."""
        return "json" if self.json_ else "table"

    def sink(self, style: ImageStyle | None = None) -> Sink:
        """Where answers go."""
        from attnviz.cli.sink import Sink
        from attnviz.cli.template import Template

        return Sink(
            Template(self.destination()),
            self.form(),
            self.width,
            self.color,
            self.ascii_,
            style,
            self.talk(),
        )

    def destination(self) -> str:
        """The file that is written, - for standard output."""
        return "-"


@dataclass(frozen=True)
class Showing(Saying):
    """Where the answer goes, and in which form."""

    format_: Annotated[
        Literal["table", "tsv", "csv"],
        OUTPUT.value(
            "FORMAT",
            "table prints the picture; tsv and csv its numbers as rows, quoted by the same rule.",
            "--format",
        ),
    ] = "table"
    output: Annotated[
        str | None,
        OUTPUT.value(
            "FILE",
            "Write to a file instead: .txt .json .csv .tsv, or what export writes. With "
            ".safetensors keep the capture, to be opened again without the model.",
            "-o",
            "--output",
        ),
    ] = None

    def form(self) -> str:
        """The form of what is printed. Raises UsageError when two were asked for."""
        if self.json_ and self.format_ != "table":
            raise UsageError(f"--json and --format {self.format_} exclude each other", "choose one")
        return "json" if self.json_ else self.format_

    def destination(self) -> str:
        """The file that is written, - for standard output."""
        return self.output or "-"
