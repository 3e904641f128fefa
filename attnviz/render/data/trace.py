"""The steps of attention as plain values for JSON, and as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.render.data.json_values import number, numbers
from attnviz.render.data.tidy_rows import figure
from attnviz.views.steps.hand_trace import HandTrace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attnviz.attention.axis import Axis
    from attnviz.render.data.tidy_rows import Row
    from attnviz.views.steps.hand_trace import Products
    from attnviz.views.steps.head_trace import HeadTrace


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


def hand_rows(view: HandTrace) -> Iterator[Row]:
    """One row per number of every step that is shown."""
    yield ["step", "head", "query", "column", "value"]
    for step in view.steps:
        columns = view.keys if step.name != "output" else range(step.values.shape[2])
        for head in range(len(step.values)):
            for i in view.queries:
                for j in columns:
                    yield [step.name, head, i, j, figure(step.values[head, i, j])]


def trace_values(view: HandTrace | HeadTrace) -> dict[str, Any]:
    """A trace for `json.dumps`."""
    return hand_values(view) if isinstance(view, HandTrace) else head_values(view)


def trace_rows(view: HandTrace | HeadTrace) -> Iterator[Row]:
    """One row per number by hand, one per key of a model."""
    return hand_rows(view) if isinstance(view, HandTrace) else head_rows(view)


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


def head_rows(view: HeadTrace) -> Iterator[Row]:
    """One row per key, in its order in the text."""
    norms, _ = view.norms
    yield ["key", "key_label", *view.columns, "masked", "weight", "added"]
    for k, label in enumerate(view.keys.labels):
        steps = (figure(one[k]) for one in view.columns.values())
        masked = int(not np.isfinite(view.steps.masked[k]))
        yield [k, label, *steps, masked, figure(view.steps.weights[k]), figure(norms[k])]
