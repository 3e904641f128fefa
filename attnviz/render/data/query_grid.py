"""Where one query looks in every head, as plain values, and as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnviz.render.data.json_values import number
from attnviz.render.data.registry import JSON, ROWS
from attnviz.render.data.tidy_rows import WEIGHTS, figure, span
from attnviz.views.heads.query_grid import QueryGrid

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from attnviz.render.data.registry import Row


@JSON.draws(QueryGrid)
def grid_values(grid: QueryGrid) -> dict[str, Any]:
    """The query with what every head does with it."""
    return {"chosen": None, "heads": [], "query": query_values(grid)}


def query_values(grid: QueryGrid) -> dict[str, Any]:
    """What every head does with one query."""
    return {
        "stack": grid.stack,
        "query": list(grid.positions),
        "label": [grid.queries.labels[i] for i in grid.positions],
        "key": list(grid.key_positions) or None,
        "notes": list(grid.notes),
        "heads": [
            {
                "layer": layer,
                "head": head,
                "key": cell.key if cell.key >= 0 else None,
                "label": grid.keys.labels[cell.key] if cell.key >= 0 else None,
                "weight": number(cell.weight),
                "special": cell.special,
            }
            for layer, head, cell in grid.cells
        ],
    }


@ROWS.draws(QueryGrid)
def grid_rows(grids: Sequence[QueryGrid]) -> Iterator[Row]:
    """One row per head."""
    yield [*WEIGHTS, "special"]
    for grid in grids:
        yield from query_rows(grid)


def query_rows(grid: QueryGrid) -> Iterator[Row]:
    """One row per head."""
    first, last = grid.positions[0], grid.positions[-1]
    label = "".join(grid.queries.labels[i] for i in grid.positions)
    asked = grid.key_positions
    for layer, head, cell in grid.cells:
        key: int | str = cell.key if cell.key >= 0 else ""
        text = grid.keys.labels[cell.key] if cell.key >= 0 else ""
        if asked:
            key, text = span((asked[0], asked[-1] + 1)), "".join(grid.keys.labels[i] for i in asked)
        yield [grid.stack, layer, head, span((first, last + 1)), label, key, text,
               figure(cell.weight), int(cell.special)]  # fmt: skip
