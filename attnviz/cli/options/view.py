"""What is shown, and how numbers become a picture."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from attnviz.cli.options.panels import NONE, VIEW

View = Annotated[
    Literal["auto", "map", "table", "grid", "heads"],
    typer.Option(
        help="auto follows the selection; map or table shows one head, grid many maps, "
        "heads what each head does.",
        rich_help_panel=VIEW,
        metavar="VIEW",
    ),
]
Words = Annotated[
    bool,
    typer.Option(
        "--words",
        help="Merge tokens into words: keys sum, queries mean.",
        rich_help_panel=VIEW,
        metavar=NONE,
    ),
]
HideSpecial = Annotated[
    bool,
    typer.Option(
        "--hide-special", help="Leave out special tokens.", rich_help_panel=VIEW, metavar=NONE
    ),
]
Renormalize = Annotated[
    bool,
    typer.Option(
        "--renormalize",
        help="Let what is shown of each row sum to 1.",
        rich_help_panel=VIEW,
        metavar=NONE,
    ),
]
NoSinkSplit = Annotated[
    bool,
    typer.Option(
        "--no-sink-split",
        help="Draw special tokens and other sinks on the colour scale too.",
        rich_help_panel=VIEW,
        metavar=NONE,
    ),
]
Scale = Annotated[
    Literal["linear", "sqrt", "log", "row", "rank"],
    typer.Option(
        help="How weights become colours: linear, sqrt, log, row or rank.",
        rich_help_panel=VIEW,
        metavar="SCALE",
    ),
]
Reduce = Annotated[
    Literal["mass", "mean", "max"],
    typer.Option(
        help="What a cell shows where a map is pooled: mass (summed over keys, averaged over "
        "queries), mean or max.",
        rich_help_panel=VIEW,
        metavar="HOW",
    ),
]
Top = Annotated[
    int,
    typer.Option(min=1, help="Keys listed per query.", rich_help_panel=VIEW, metavar="N"),
]
ExportView = Annotated[
    Literal["auto", "grid", "heatmap", "arcs", "matrix"],
    typer.Option(
        help="grid of all heads, heatmap of one, arcs from queries to keys, or matrix of a score; "
        "auto is the heatmap of one selected head, else the grid.",
        rich_help_panel=VIEW,
        metavar="VIEW",
    ),
]
Score = Annotated[
    str,
    typer.Option(help="The score that --view matrix shows.", rich_help_panel=VIEW, metavar="NAME"),
]
Sort = Annotated[
    str | None,
    typer.Option(
        help="The score to sort by, one of those above. Default: content.",
        rich_help_panel=VIEW,
        metavar="SCORE",
    ),
]
Kind = Annotated[
    str | None,
    typer.Option(
        help="Only heads of this name: alignment, induction, duplicate, previous, next, self, "
        "special, first, word, punct, local, sink, broad or mixed.",
        rich_help_panel=VIEW,
        metavar="NAME",
    ),
]
TopHeads = Annotated[
    int, typer.Option(min=1, help="Heads listed.", rich_help_panel=VIEW, metavar="N")
]
HeadsView = Annotated[
    Literal["table", "matrix"],
    typer.Option(
        help="table lists heads, matrix shows the score of all, layers × heads.",
        rich_help_panel=VIEW,
        metavar="VIEW",
    ),
]
