"""What is read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attnviz.cli.options.panels import INPUT, NONE

if TYPE_CHECKING:
    from attnviz.cli.source import Source

ModelName = Annotated[
    str | None,
    typer.Option(
        "-m",
        "--model",
        help="Hub id, local folder or sample:NAME. Default: $ATTNVIZ_MODEL, else the sample.",
        rich_help_panel=INPUT,
        metavar="MODEL",
    ),
]
Target = Annotated[
    str | None,
    typer.Option(
        help="What the decoder of an encoder-decoder reads.", rich_help_panel=INPUT, metavar="TEXT"
    ),
]
SourceLang = Annotated[
    str | None,
    typer.Option(
        help="The language of the text, by its code, for models that mark it: NLLB, mBART, M2M100.",
        rich_help_panel=INPUT,
        metavar="CODE",
    ),
]
TargetLang = Annotated[
    str | None,
    typer.Option(
        help="The language of --target, by its code.", rich_help_panel=INPUT, metavar="CODE"
    ),
]

SINGLE = {"--batch-size": "it is for --texts"}  # options without effect on a single input


@dataclass(frozen=True)
class Reading:
    """One text, and how it is read."""

    text: Annotated[
        str | None,
        typer.Argument(
            help="The text; - reads standard input; FILE.safetensors opens a saved capture.",
            show_default=False,
        ),
    ] = None
    model: ModelName = None
    pair: Annotated[
        str | None,
        typer.Option(help="The second text of a pair.", rich_help_panel=INPUT, metavar="TEXT"),
    ] = None
    target: Target = None
    source_lang: SourceLang = None
    target_lang: TargetLang = None
    file: Annotated[
        Path | None,
        typer.Option(
            help="Read one text from a file, or from sample:text/NAME.",
            rich_help_panel=INPUT,
            metavar="FILE",
        ),
    ] = None
    bos: Annotated[
        bool | None,
        typer.Option(
            "--bos/--no-bos",
            help="Put a beginning-of-sequence token in front, or leave it out.",
            rich_help_panel=INPUT,
            metavar=NONE,
        ),
    ] = None
    truncate: Annotated[
        bool,
        typer.Option(
            "--truncate",
            help="Cut a text that is longer than the model takes.",
            rich_help_panel=INPUT,
            metavar=NONE,
        ),
    ] = False

    @property
    def at_once(self) -> int:
        """How many texts are run at once."""
        return 1

    def source(self) -> Source:
        """Where the text comes from."""
        from attnviz.cli.source import Source

        return Source(
            self.text,
            self.file,
            None,
            self.pair,
            self.target,
            self.source_lang,
            self.target_lang,
        )


@dataclass(frozen=True)
class ReadingMany(Reading):
    """One text or many, and how they are read."""

    texts: Annotated[
        Path | None,
        typer.Option(
            help="Read many texts: .txt (one a line), .jsonl or .csv, or sample:text/NAME.",
            rich_help_panel=INPUT,
            metavar="FILE",
        ),
    ] = None
    batch_size: Annotated[
        int,
        typer.Option(
            min=1,
            help="Texts of --texts that are run at once; they share --memory.",
            rich_help_panel=INPUT,
            metavar="N",
        ),
    ] = 1

    @property
    def at_once(self) -> int:
        """How many texts are run at once."""
        return self.batch_size

    def source(self) -> Source:
        """Where the texts come from."""
        return replace(super().source(), texts=self.texts)
