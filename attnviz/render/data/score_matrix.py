"""A score of every head as plain values, and as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.render.data.json_values import numbers
from attnviz.render.data.registry import JSON, ROWS
from attnviz.render.data.tidy_rows import figure
from attnviz.views.heads.score_matrix import HeadMatrix

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from attnviz.render.data.registry import Row


@JSON.draws(HeadMatrix)
def matrix_values(view: HeadMatrix) -> dict[str, Any]:
    """The score (layers, heads), null where there is none."""
    names = {"stack": view.stack, "score": view.score, "layers": list(view.layers)}
    return {"matrix": names | {"heads": list(view.heads), "values": numbers(view.values)}}


@ROWS.draws(HeadMatrix)
def matrix_rows(views: Sequence[HeadMatrix]) -> Iterator[Row]:
    """One row per head that has the score."""
    yield ["stack", "layer", "head", "score", "value"]
    for view in views:
        for i, k in np.argwhere(~np.isnan(view.values)).tolist():
            value = figure(view.values[i, k])
            yield [view.stack, view.layers[i], view.heads[k], view.score, value]
