"""The views that are given as plain values, and as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnviz.render.registry import Drawings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Row = list[Any]
REFUSED = {"Listing": ("a list of lines has no rows", "--json gives its values")}

JSON: Drawings[Callable[[Any], dict[str, Any]]] = Drawings("attnviz.render.data", {})
# Rows of one or more views of a type, after one that names the columns.
ROWS: Drawings[Callable[[Sequence[Any]], Iterator[Row]]] = Drawings("attnviz.render.data", REFUSED)
