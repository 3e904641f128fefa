"""A selection resolved in one stack of a capture: which layers, heads and tokens it means there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from attnviz.attention.tokens import resolve_tokens
from attnviz.attention.words import word_groups
from attnviz.errors import SelectionError
from attnviz.views.heads.observed import heads_of
from attnviz.views.window import require_window

if TYPE_CHECKING:
    from attnviz.attention.axis import Axis
    from attnviz.attention.capture import AttentionStack, Capture
    from attnviz.attention.selection import Selection
    from attnviz.views.appearance import Appearance
    from attnviz.views.heads.head import Head

Wanted = dict[int, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Rows:
    """The query and key positions to show, all when None. Positions are those of tokens."""

    queries: tuple[int, ...] | None = None
    keys: tuple[int, ...] | None = None


ALL = Rows()


@dataclass(frozen=True)
class Request:
    """What is asked of one stack, with everything resolved: its heads, queries and keys."""

    capture: Capture
    stack: AttentionStack
    wanted: Wanted
    tokens: Rows
    selection: Selection
    appearance: Appearance

    @property
    def several(self) -> bool:
        """Whether the stack must be named because there are others."""
        return len(self.capture.stacks) > 1

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Every wanted (layer, head)."""
        return [(layer, head) for layer, heads in self.wanted.items() for head in heads]

    @property
    def heads(self) -> list[Head]:
        """Every wanted head with its scores."""
        return [
            head
            for layer, wanted in self.wanted.items()
            for head in heads_of(self.stack.by_layer[layer])
            if head.head in wanted
        ]

    @property
    def rows(self) -> Rows:
        """The positions of `tokens` on the axes that are shown: those of words with `--words`."""
        layer = self.stack.by_layer[next(iter(self.wanted))]
        if not self.appearance.words or "weights" not in layer.kept:
            return self.tokens
        return Rows(in_words(self.tokens.queries, layer.queries),
                    in_words(self.tokens.keys, layer.keys))  # fmt: skip


def request(capture: Capture, selection: Selection, appearance: Appearance) -> Request:
    """The selection resolved in the capture.

    Raises SelectionError for what does not exist, CaptureError for a window that was not kept.
    """
    stack = capture.stack(selection.stack)
    name = capture.model.name if len(capture.stacks) == 1 else f"stack {stack.name}"
    wanted: Wanted = {}
    for layer in selection.layer_numbers(stack.layers, name):
        one = stack.by_layer[layer]
        chosen = selection.heads_of(layer, one.n_heads, name)
        seen = tuple(head for head in chosen if head in one.heads)
        if seen:
            wanted[layer] = seen
    if not wanted:
        raise SelectionError(f"nothing of this selection was observed in {name}",
                             "run again without --layer and --head")  # fmt: skip
    axes = stack.by_layer[next(iter(wanted))]
    queries = selection.query and resolve_tokens(selection.query, axes.queries, "--query")
    keys = selection.key and resolve_tokens(selection.key, axes.keys, "--key")
    rows = Rows(tuple(queries) if queries else None, tuple(keys) if keys else None)
    if selection.names_window:
        for layer in wanted:
            require_window(stack.by_layer[layer], rows.queries, rows.keys)
    return Request(capture, stack, wanted, rows, selection, appearance)


def in_words(positions: tuple[int, ...] | None, axis: Axis) -> tuple[int, ...] | None:
    """The positions of the words that hold these tokens."""
    if positions is None:
        return None
    wanted = set(positions)
    return tuple(n for n, group in enumerate(word_groups(axis)) if wanted & set(group))
