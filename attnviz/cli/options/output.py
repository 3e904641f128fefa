"""Where the answer goes, and in which form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from attnviz.cli.options.panels import NONE, OUTPUT
from attnviz.errors import UsageError

if TYPE_CHECKING:
    from attnviz.cli.sink import Sink
    from attnviz.cli.talk import Talk
    from attnviz.render.image.style import ImageStyle

Json = Annotated[
    bool, typer.Option("--json", help="Print JSON instead.", rich_help_panel=OUTPUT, metavar=NONE)
]
Quiet = Annotated[
    bool,
    typer.Option(
        "-q", "--quiet", help="No progress and no hints.", rich_help_panel=OUTPUT, metavar=NONE
    ),
]


@dataclass(frozen=True)
class Saying:
    """What is printed of an answer that is no table."""

    json_: Json = False
    width: Annotated[
        int | None,
        typer.Option(
            min=20,
            help="Columns to draw in. Default: the terminal's.",
            rich_help_panel=OUTPUT,
            metavar="N",
        ),
    ] = None
    color: Annotated[
        Literal["auto", "always", "never"],
        typer.Option(
            help="When to use colour: auto, always or never.",
            rich_help_panel=OUTPUT,
            metavar="WHEN",
        ),
    ] = "auto"
    ascii_: Annotated[
        bool,
        typer.Option(
            "--ascii", help="Draw with ASCII characters only.", rich_help_panel=OUTPUT, metavar=NONE
        ),
    ] = False
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
        typer.Option(
            "--format",
            help="table prints the picture; tsv and csv its numbers as rows, quoted by the same "
            "rule.",
            rich_help_panel=OUTPUT,
            metavar="FORMAT",
        ),
    ] = "table"
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            help="Write to a file instead: .txt .json .csv .tsv, or what export writes. With "
            ".safetensors keep the capture, to be opened again without the model.",
            rich_help_panel=OUTPUT,
            metavar="FILE",
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
