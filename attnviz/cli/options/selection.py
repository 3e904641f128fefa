"""Which layers, heads and tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from attnviz.cli.options.panels import SELECT

if TYPE_CHECKING:
    from attnviz.attention.selection import Selection

Layer = Annotated[str | None, SELECT.value("LAYERS", "Layers: 3, 0-5, 0-5,11,-1.")]
Stack = Annotated[str | None, SELECT.value("NAME", "self, encoder, decoder, cross, …")]


@dataclass(frozen=True)
class SelectingHeads:
    """The heads that are wanted."""

    layer: Layer = None
    head: Annotated[str | None, SELECT.value("HEADS", "Heads: 5, 0-3, L3H7, L3H7,L5H1.")] = None
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
        SELECT.value("TOKEN", "Tokens that attend: a word, it#2, an index, -1 or 12-80."),
    ] = None
    key: Annotated[
        str | None, SELECT.value("TOKEN", "Tokens attended to, written like --query.")
    ] = None

    def tokens(self) -> dict[str, str | None]:
        """The tokens that are named, by side."""
        return {"query": self.query, "key": self.key}
