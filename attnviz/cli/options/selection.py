"""Which layers, heads and tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from attnviz.cli.options.panels import SELECT

if TYPE_CHECKING:
    from attnviz.attention.selection import Selection

Layer = Annotated[
    str | None,
    typer.Option(help="Layers: 3, 0-5, 0-5,11,-1.", rich_help_panel=SELECT, metavar="LAYERS"),
]
Stack = Annotated[
    str | None,
    typer.Option(help="self, encoder, decoder, cross, …", rich_help_panel=SELECT, metavar="NAME"),
]


@dataclass(frozen=True)
class SelectingHeads:
    """The heads that are wanted."""

    layer: Layer = None
    head: Annotated[
        str | None,
        typer.Option(
            help="Heads: 5, 0-3, L3H7, L3H7,L5H1.", rich_help_panel=SELECT, metavar="HEADS"
        ),
    ] = None
    stack: Stack = None

    def selection(self) -> Selection:
        """The selection of these options. Raises SelectionError for what is none."""
        from attnviz.attention.selection import Selection

        return Selection.parse(
            layer=self.layer,
            head=self.head,
            stack=self.stack,
            **self.tokens(),
        )

    def tokens(self) -> dict[str, str | None]:
        """The tokens that are named, by side."""
        return {}


@dataclass(frozen=True)
class Selecting(SelectingHeads):
    """The heads and tokens that are wanted."""

    query: Annotated[
        str | None,
        typer.Option(
            help="Tokens that attend: a word, it#2, an index, -1 or 12-80.",
            rich_help_panel=SELECT,
            metavar="TOKEN",
        ),
    ] = None
    key: Annotated[
        str | None,
        typer.Option(
            help="Tokens attended to, written like --query.",
            rich_help_panel=SELECT,
            metavar="TOKEN",
        ),
    ] = None

    def tokens(self) -> dict[str, str | None]:
        """The tokens that are named, by side."""
        return {"query": self.query, "key": self.key}
