"""What is read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from attnviz.cli.options.panels import INPUT, NONE

Pair = Annotated[
    str | None,
    typer.Option(help="The second text of a pair.", rich_help_panel=INPUT, metavar="TEXT"),
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
File = Annotated[
    Path | None,
    typer.Option(
        help="Read one text from a file, or from sample:text/NAME.",
        rich_help_panel=INPUT,
        metavar="FILE",
    ),
]
Texts = Annotated[
    Path | None,
    typer.Option(
        help="Read many texts: .txt (one a line), .jsonl or .csv, or sample:text/NAME.",
        rich_help_panel=INPUT,
        metavar="FILE",
    ),
]
BatchSize = Annotated[
    int,
    typer.Option(
        min=1,
        help="Texts of --texts that are run at once; they share --memory.",
        rich_help_panel=INPUT,
        metavar="N",
    ),
]
Bos = Annotated[
    bool | None,
    typer.Option(
        "--bos/--no-bos",
        help="Put a beginning-of-sequence token in front, or leave it out.",
        rich_help_panel=INPUT,
        metavar=NONE,
    ),
]
Truncate = Annotated[
    bool,
    typer.Option(
        "--truncate",
        help="Cut a text that is longer than the model takes.",
        rich_help_panel=INPUT,
        metavar=NONE,
    ),
]
Probe = Annotated[
    Literal["repeated-tokens"] | None,
    typer.Option(
        help="In place of a text: random tokens, repeated, in 5 draws. Scores prefix_matching and "
        "sorts by it.",
        rich_help_panel=INPUT,
        metavar="NAME",
    ),
]
