"""The steps of attention as plain values for JSON, and as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnviz.render.data.as_json import SCHEMA, number, numbers
from attnviz.render.data.rows import figure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attnviz.render.data.rows import Row
    from attnviz.views.trace import HandTrace, Products


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
        "schema": SCHEMA,
        "name": view.name,
        "mechanism": view.mechanism,
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


def hand_rows(view: HandTrace) -> Iterator[Row]:
    """One row per number of every step that is shown."""
    yield ["step", "head", "query", "column", "value"]
    for step in view.steps:
        columns = view.keys if step.name != "output" else range(step.values.shape[2])
        for head in range(len(step.values)):
            for i in view.queries:
                for j in columns:
                    yield [step.name, head, i, j, figure(step.values[head, i, j])]
