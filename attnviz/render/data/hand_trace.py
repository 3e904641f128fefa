"""Attention over hand-made numbers as plain values for JSON, and as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnviz.render.data.json_values import number, numbers
from attnviz.render.data.registry import JSON, ROWS
from attnviz.render.data.tidy_rows import figure
from attnviz.views.steps.hand_trace import HandTrace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from attnviz.render.data.registry import Row
    from attnviz.views.steps.hand_trace import Products


@JSON.draws(HandTrace)
def hand_values(view: HandTrace) -> dict[str, Any]:
    """Everything that was computed, whole; a masked score is null.

    `scores`, `scaled`, `masked`, `weights` and `output` have one entry per head.
    """
    steps = {one.name: numbers(one.values) for one in view.steps}
    shapes = {one.name: list(one.values.shape[1:]) for one in view.given}
    shapes |= {one.name: list(one.values.shape) for one in view.steps}
    formulas = {one.name: one.formula for one in view.steps}
    one = {"query": view.queries[0], "key": view.keys[0]} if view.products else {}
    return {
        "name": view.name,
        "mechanism": view.mechanism,
        "paper": view.paper,
        "formula": view.formula,
        "given": {step.name: numbers(step.values[0]) for step in view.given},
        **steps,
        "shapes": shapes,
        "formulas": formulas,
        "products": [one | product_values(each) for each in view.products] or None,
        "notes": list(view.notes),
    }


def product_values(products: Products) -> dict[str, Any]:
    """The products of one score, the largest first."""
    order = products.order.tolist()
    terms = products.terms
    return {
        "score": number(float(terms.sum())),
        "terms": [
            {
                "dimension": i,
                "query": number(products.query[i]),
                "key": number(products.key[i]),
                "product": number(terms[i]),
            }
            for i in order
        ],
    }


@ROWS.draws(HandTrace)
def hand_rows(views: Sequence[HandTrace]) -> Iterator[Row]:
    """One row per number of every step that is shown."""
    [view] = views
    yield ["step", "head", "query", "column", "value"]
    for step in view.steps:
        columns = view.keys if step.name != "output" else range(step.values.shape[2])
        for head in range(len(step.values)):
            for i in view.queries:
                for j in columns:
                    yield [step.name, head, i, j, figure(step.values[head, i, j])]
