"""What each head does, as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnviz.render.data.registry import JSON, ROWS
from attnviz.render.data.tidy_rows import HEADS, figure
from attnviz.views.heads.head_grid import HeadGrid

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from attnviz.render.data.registry import Row


@JSON.draws(HeadGrid)
def grid_values(_: HeadGrid) -> dict[str, Any]:
    """No head is shown: what each does stands with the stacks."""
    return {"chosen": None, "heads": []}


@ROWS.draws(HeadGrid)
def grid_rows(grids: Sequence[HeadGrid]) -> Iterator[Row]:
    """One row per head with all scores that any of the grids has."""
    names = list(
        dict.fromkeys(name for grid in grids for head in grid.heads for name in head.scores)
    )
    yield [*HEADS, *names]
    for grid in grids:
        for head in grid.heads:
            scores = [figure(head.score(name)) for name in names]
            pattern = [head.pattern.name, figure(head.pattern.strength)]
            yield [grid.stack, head.layer, head.head, *pattern, *scores]
