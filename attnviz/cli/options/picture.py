"""How an image looks."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from attnviz.cli.options.panels import NONE, PICTURE

Dpi = Annotated[
    int,
    typer.Option(min=20, max=2400, help="Pixels per inch.", rich_help_panel=PICTURE, metavar="N"),
]
Size = Annotated[
    str | None,
    typer.Option(
        help="Width and height in inches: 7x5. Default: what the content needs.",
        rich_help_panel=PICTURE,
        metavar="WxH",
    ),
]
Cmap = Annotated[
    str,
    typer.Option(
        help="A colour map of matplotlib: viridis, cividis, Greys, …",
        rich_help_panel=PICTURE,
        metavar="NAME",
    ),
]
ThemeName = Annotated[
    Literal["light", "dark"],
    typer.Option("--theme", help="light or dark.", rich_help_panel=PICTURE, metavar="NAME"),
]
Font = Annotated[
    str | None,
    typer.Option(
        help="A font for the labels, by name or file.", rich_help_panel=PICTURE, metavar="FONT"
    ),
]
Title = Annotated[
    str | None,
    typer.Option(
        help="The title, in place of the model's name; '' for none.",
        rich_help_panel=PICTURE,
        metavar="TEXT",
    ),
]
NoLabels = Annotated[
    bool,
    typer.Option("--no-labels", help="No token labels.", rich_help_panel=PICTURE, metavar=NONE),
]
