"""Ranked heads as plain values, and as rows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from attnviz.render.data.json_values import number
from attnviz.render.data.registry import JSON, ROWS
from attnviz.render.data.tidy_rows import HEADS, figure
from attnviz.views.heads.head import names_of
from attnviz.views.heads.head_table import HeadTable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from attnviz.render.data.registry import Row


@JSON.draws(HeadTable)
def table_values(table: HeadTable) -> dict[str, Any]:
    """The score that heads are sorted by, and the heads in that order."""
    return {"sort": table.sort, "heads": ranking_values(table)}


def ranking_values(table: HeadTable) -> list[dict[str, Any]]:
    """The heads in their order; `names` says what each does and by which score.

    Beside means stand `spread` and `counts`: over how many texts each is.
    """
    return [
        {
            "stack": row.stack,
            "layer": row.head.layer,
            "head": row.head.head,
            "names": [
                {"name": name, "score": score, "value": number(value)}
                for name, score, value in names_of(row.head)
            ],
            "pattern": row.head.pattern.name,
            "strength": number(row.head.pattern.strength),
            "scores": {name: number(value) for name, value in row.head.scores.items()},
        }
        | ({"spread": {name: number(s) for name, s in row.spread.items()}} if row.spread else {})
        | ({"counts": dict(row.counts)} if row.counts else {})
        for row in table.rows
    ]


@ROWS.draws(HeadTable)
def ranking_rows(tables: Sequence[HeadTable]) -> Iterator[Row]:
    """One row per head with its scores and, over several texts, their deviations."""
    [table] = tables
    spread = [f"{name}_std" for name in table.scores] if table.texts > 1 else []
    yield [*HEADS, "names", *table.scores, *spread]
    for row in table.rows:
        head = row.head
        means = [figure(head.score(name)) for name in table.scores]
        stds = [figure(row.spread.get(name, math.nan)) for name in table.scores if spread]
        pattern = [head.pattern.name, figure(head.pattern.strength)]
        names = " ".join(name.name for name in names_of(head))
        yield [row.stack, head.layer, head.head, *pattern, names, *means, *stds]
