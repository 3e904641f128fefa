"""One query of one head as plain values for JSON, and as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.render.data.hand_trace import product_values
from attnviz.render.data.json_values import number, numbers
from attnviz.render.data.registry import JSON, ROWS
from attnviz.render.data.tidy_rows import figure
from attnviz.views.steps.head_trace import HeadTrace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from attnviz.attention.axis import Axis
    from attnviz.render.data.registry import Row


@JSON.draws(HeadTrace)
def head_values(view: HeadTrace) -> dict[str, Any]:
    """Every step of one query; steps are (heads, queries, keys) with one head and one query.

    A step that the model does not have is null, and so is a masked score.
    """
    steps, traced = view.steps, view.traced
    arrays = {"scores": steps.scores, "scaled": steps.scaled, "capped": steps.capped,
              "biased": steps.biased, "masked": steps.masked, "weights": steps.weights,
              "output": steps.output}  # fmt: skip
    found = {name: None if one is None else one[None, None] for name, one in arrays.items()}
    given = {"query": steps.query, "key": steps.key, "value": steps.value}
    shapes = {name: list(one.shape) for name, one in (given | found).items() if one is not None}
    score, weight = steps.sink or (None, None)
    products = view.products
    return {
        "stack": traced.stack,
        "layer": traced.layer.layer,
        "head": traced.head,
        "query": token(traced.query, view.queries),
        "key": None if traced.key is None else token(traced.key, view.keys),
        "keys": list(view.keys.labels),
        "key_value_head": {"head": steps.group, "of": steps.groups, "query_heads": steps.heads},
        "scale": number(steps.scale),
        "softcap": None if steps.softcap is None else number(steps.softcap),
        **{name: None if one is None else numbers(one) for name, one in found.items()},
        "sink": steps.sink and {"score": number(score or 0.0), "weight": number(weight or 0.0)},
        "added": None if steps.written is None else numbers(steps.written),
        "shapes": shapes,
        "formulas": {name: formula for name, (formula, _) in view.formulas.items()},
        "products": None if products is None else product_values(products),
        "difference": number(steps.difference),
        "notes": list(view.notes),
    }


def token(position: int, axis: Axis) -> dict[str, Any]:
    """The index and label of a token."""
    return {"index": position, "label": axis.labels[position]}


@ROWS.draws(HeadTrace)
def head_rows(views: Sequence[HeadTrace]) -> Iterator[Row]:
    """One row per key, in its order in the text."""
    [view] = views
    norms, _ = view.norms
    yield ["key", "key_label", *view.columns, "masked", "weight", "added"]
    for k, label in enumerate(view.keys.labels):
        steps = (figure(column[k]) for column in view.columns.values())
        masked = int(not np.isfinite(view.steps.masked[k]))
        yield [k, label, *steps, masked, figure(view.steps.weights[k]), figure(norms[k])]
