"""Which layers, heads and tokens."""

from __future__ import annotations

from typing import Annotated

import typer

from attnviz.cli.options.panels import SELECT

Layer = Annotated[
    str | None,
    typer.Option(help="Layers: 3, 0-5, 0-5,11,-1.", rich_help_panel=SELECT, metavar="LAYERS"),
]
Head = Annotated[
    str | None,
    typer.Option(help="Heads: 5, 0-3, L3H7, L3H7,L5H1.", rich_help_panel=SELECT, metavar="HEADS"),
]
Stack = Annotated[
    str | None,
    typer.Option(help="self, encoder, decoder, cross, …", rich_help_panel=SELECT, metavar="NAME"),
]
Query = Annotated[
    str | None,
    typer.Option(
        help="Tokens that attend: a word, it#2, an index, -1 or 12-80.",
        rich_help_panel=SELECT,
        metavar="TOKEN",
    ),
]
Key = Annotated[
    str | None,
    typer.Option(
        help="Tokens attended to, written like --query.", rich_help_panel=SELECT, metavar="TOKEN"
    ),
]
