"""Heads in the order of a score, over one text or many."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from attnviz.attention.tokens import require_one
from attnviz.attention.words import joined_label
from attnviz.errors import SelectionError
from attnviz.views.appearance import Appearance
from attnviz.views.heads.head import answers_to, kinds_of
from attnviz.views.heads.query_grid import row_weights
from attnviz.views.heads.score_matrix import EDGE, SCORE, HeadMatrix, check_score
from attnviz.views.request import request
from attnviz.views.vocabulary import shows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from attnviz.attention.capture import Capture
    from attnviz.attention.selection import Selection
    from attnviz.views.heads.head import Head
    from attnviz.views.request import Request


@dataclass(frozen=True, slots=True)
class RankedHead:
    """A head of a stack with its mean scores over the texts, their standard deviations where at
    least two texts have the score, and in how many it is known.
    """

    stack: str
    head: Head
    spread: Mapping[str, float] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class HeadTable:
    """The heads sorted by `sort`, largest first. `scores` names all that some head has.

    `left_out` counts the heads below the last row, `texts` the texts that means are over, or what
    `over` calls them. `edge` says which query and key the score `edge` is about, empty when none
    was asked for. `several` tells that the rows are from more than one stack.
    """

    sort: str
    rows: tuple[RankedHead, ...]
    scores: tuple[str, ...]
    left_out: int = 0
    texts: int = 1
    edge: str = ""
    several: bool = False
    over: str = "texts"

    def fewer(self, score: str) -> int:
        """How many texts the means of a score are over at least; 0 when all, or none has it."""
        counts = {row.counts.get(score, 0) for row in self.rows} - {0}
        least = min(counts, default=0)
        return least if least < self.texts else 0


def head_table(
    captures: Iterable[Capture],
    selection: Selection,
    sort: str | None = None,
    kind: str | None = None,
    top: int | None = None,
    over: str = "texts",
) -> HeadTable:
    """The wanted heads of every stack (or of the one named), sorted; scores are means over texts.

    `--query` and `--key` together add the score `edge`, by which it is sorted unless `sort` says
    otherwise. `kind` keeps the heads of one name (see `names`). Captures are read one by one.
    Raises SelectionError.
    """
    edge = selection.query is not None and selection.key is not None
    if (selection.query is None) != (selection.key is None):
        raise SelectionError("an edge has two ends", "give --query and --key")
    seen: dict[tuple[str, int, int], list[Head]] = {}
    words, texts = "", 0
    for capture in captures:
        texts += 1
        names = [selection.stack] if selection.stack or edge else list(capture.stacks)
        for name in names:
            asked = request(capture, replace(selection, stack=name), Appearance())
            if edge:
                require_ends(asked)
            words = words or (edge_words(asked) if edge else "")
            for head in with_edges(asked, edge):
                seen.setdefault((asked.stack.name, head.layer, head.head), []).append(head)
    found = [averaged(stack, heads) for (stack, _, _), heads in seen.items()]
    scores = tuple(dict.fromkeys(name for one in found for name in one.head.scores))
    sort = sort or (EDGE if edge else SCORE)
    check_score(sort, scores)
    if kind is not None:
        found = of_kind(found, kind)
    found.sort(key=lambda one: -known(one.head.score(sort)))
    shown = found if top is None else found[:top]
    return HeadTable(
        sort=sort,
        rows=tuple(shown),
        scores=scores,
        left_out=len(found) - len(shown),
        texts=texts,
        edge=words,
        several=len({one.stack for one in found}) > 1,
        over=over,
    )


@shows("table", of="ranking")
def listed(table: HeadTable) -> HeadTable:
    """The table itself."""
    return table


@shows("matrix", of="ranking")
def table_matrix(table: HeadTable) -> HeadMatrix:
    """The score that the table is sorted by as layers × heads, of the stack of its first row."""
    stack = table.rows[0].stack
    heads = [row.head for row in table.rows if row.stack == stack]
    layers, numbers = ({getattr(one, name) for one in heads} for name in ("layer", "head"))
    rows, columns = sorted(layers), sorted(numbers)
    values = np.full((len(rows), len(columns)), np.nan)
    for head in heads:
        values[rows.index(head.layer), columns.index(head.head)] = head.score(table.sort)
    return HeadMatrix(stack, table.sort, tuple(rows), tuple(columns), values, table.several)


def averaged(stack: str, heads: Sequence[Head]) -> RankedHead:
    """One head with the means and deviations of its scores over the texts."""
    if len(heads) == 1:
        return RankedHead(stack, heads[0])
    names = dict.fromkeys(name for head in heads for name in head.scores)
    values = {name: np.array([one.score(name) for one in heads]) for name in names}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of a score that no text has
        means = {name: float(np.nanmean(some)) for name, some in values.items()}
        counts = {name: int(np.isfinite(some).sum()) for name, some in values.items()}
        spread = {name: float(np.nanstd(some)) if counts[name] > 1 else math.nan
                  for name, some in values.items()}  # fmt: skip
    weak = frozenset.intersection(*(one.weak for one in heads))
    texts = most_common(one.texts for one in heads)
    return RankedHead(
        stack, replace(heads[0], scores=means, weak=weak, texts=texts), spread, counts
    )


def require_ends(asked: Request) -> None:
    """Raise SelectionError where a word could be several queries or keys."""
    layer = asked.stack.by_layer[next(iter(asked.wanted))]
    require_one(asked.selection.query or "", layer.queries, "--query")
    require_one(asked.selection.key or "", layer.keys, "--key")


def with_edges(asked: Request, edge: bool) -> list[Head]:
    """The wanted heads of one text, with the score `edge` where it is asked for."""
    if not edge:
        return asked.heads
    queries, keys = list(asked.tokens.queries or ()), list(asked.tokens.keys or ())
    out = []
    for head in asked.heads:
        row = row_weights(asked.stack.by_layer[head.layer], head.head, queries, keys)
        weight = math.nan if row is None else float(row[keys].sum())
        out.append(replace(head, scores={EDGE: weight, **head.scores}))
    return out


def most_common(texts: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """For each name the text that most of these have for it."""
    counts: dict[str, Counter[str]] = {}
    for one in texts:
        for name, text in one.items():
            counts.setdefault(name, Counter())[text] += 1
    return {name: count.most_common(1)[0][0] for name, count in counts.items()}


def of_kind(found: Sequence[RankedHead], kind: str) -> list[RankedHead]:
    """The heads that one of their names calls so. Raises SelectionError when there is none."""
    kept = [one for one in found if answers_to(one.head, kind)]
    if not kept:
        there = ", ".join(kinds_of(one.head for one in found))
        raise SelectionError(f"no head is of the kind {kind}", f"there are {there}")
    return kept


def edge_words(asked: Request) -> str:
    """`it → cat`: the query and the key of an edge."""
    layer = asked.stack.by_layer[next(iter(asked.wanted))]
    query = joined_label([layer.queries.labels[i] for i in asked.tokens.queries or ()])
    key = joined_label([layer.keys.labels[i] for i in asked.tokens.keys or ()])
    return f"{query.strip()} → {key.strip()}"


def known(value: float) -> float:
    """The value, below all others where it is NaN."""
    return -math.inf if math.isnan(value) else value
