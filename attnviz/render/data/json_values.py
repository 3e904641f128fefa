"""A capture and the picture asked for, as plain values for JSON.

The keys are the words of the vocabulary. NaN and infinity become null. Arrays keep the order
(layer, head, query, key).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.views.heads.observed import heads_of
from attnviz.views.maps.heatmap import State

if TYPE_CHECKING:
    from attnviz.attention.axis import Axis
    from attnviz.attention.capture import AttentionStack, LayerAttention, Prediction
    from attnviz.views.heads.head import Head
    from attnviz.views.maps.alignment import AlignmentTable
    from attnviz.views.maps.heatmap import Heatmap

SCHEMA = 1
STATES = {state: state.name.lower() for state in State}


def prediction_values(prediction: Prediction) -> dict[str, Any]:
    """The task head's answers, best first."""
    places = [
        {
            "where": where,
            "answers": [{"answer": answer, "probability": number(p)} for answer, p in answers],
        }
        for where, answers in prediction.items
    ]
    return {"task": prediction.task, "items": places, "note": prediction.note}


def stack_values(stack: AttentionStack) -> dict[str, Any]:
    """Layers, axes and the scores of every head, (layers, heads)."""
    first = stack.by_layer[stack.layers[0]]
    names = stack.score_names
    return {
        "queries": axis_values(first.queries),
        "keys": axis_values(first.keys),
        "layers": [layer_values(stack.by_layer[n], first) for n in stack.layers],
        "scores": {name: numbers(stack.score(name)) for name in names},
    }


def layer_values(layer: LayerAttention, first: LayerAttention) -> dict[str, Any]:
    """One layer and what each of its heads does; its axes where they are not the stack's."""
    out: dict[str, Any] = {
        "layer": layer.layer,
        "path": layer.path,
        "n_heads": layer.n_heads,
        "causal": layer.causal,
        "heads": [
            {
                "head": head.head,
                "pattern": head.pattern.name,
                "strength": number(head.pattern.strength),
            }
            for head in heads_of(layer)
        ],
    }
    if layer.queries is not first.queries and layer.queries != first.queries:
        out["queries"] = axis_values(layer.queries)
    if layer.keys is not first.keys and layer.keys != first.keys:
        out["keys"] = axis_values(layer.keys)
    return out


def axis_values(axis: Axis) -> dict[str, Any]:
    """The positions of an axis; what says nothing (no padding, one segment) is left out."""
    out: dict[str, Any] = {"kind": axis.kind, "labels": list(axis.labels)}
    if any(axis.special):
        out["special"] = list(axis.special)
    if any(axis.padding):
        out["padding"] = list(axis.padding)
    if len(set(axis.segments)) > 1:
        out["segments"] = list(axis.segments)
    if axis.grid:
        out["grid"] = list(axis.grid)
    return out


def shown_head(
    stack: str, head: Head, heatmap: Heatmap | None, table: AlignmentTable | None
) -> dict[str, Any]:
    """One head: its pattern and scores, its map and its table."""
    return {
        "stack": stack,
        "layer": head.layer,
        "head": head.head,
        "pattern": head.pattern.name,
        "strength": number(head.pattern.strength),
        "scores": {name: number(value) for name, value in head.scores.items()},
        "map": None if heatmap is None else map_values(heatmap),
        "table": None if table is None else table_values(table),
        "table_notes": [] if table is None else list(table.notes),
    }


def map_values(heatmap: Heatmap) -> dict[str, Any]:
    """The weights (queries, keys), null for cells that hold none; `states` where those occur."""
    known = heatmap.states <= State.ZERO
    out: dict[str, Any] = {
        "queries": spans(heatmap.queries, heatmap.rows),
        "keys": spans(heatmap.keys, heatmap.columns),
        "sinks": heatmap.sinks.tolist(),
        "weights": numbers(np.where(known, heatmap.values, np.nan)),
        "pooled": heatmap.pooled or None,
        "notes": list(heatmap.notes),
    }
    if not known.all():
        out["states"] = [[STATES[State(cell)] for cell in row] for row in heatmap.states.tolist()]
    return out


def spans(axis: Axis, found: tuple[tuple[int, int], ...]) -> list[dict[str, Any]]:
    """The index and label of every row or column; `last` where it stands for several."""
    return [
        {"index": a, "label": axis.labels[a]} | ({"last": b - 1} if b - a > 1 else {})
        for a, b in found
    ]


def table_values(table: AlignmentTable) -> list[dict[str, Any]]:
    """For every query its heaviest keys, its sink share and its strongest link."""
    rows = []
    for i, query in enumerate(table.rows):
        link = table.link(i)
        rows.append(
            {
                "query": query,
                "label": table.queries.labels[query],
                "keys": [
                    {"key": key, "label": table.keys.labels[key], "weight": number(weight)}
                    for key, weight in table.top(i)
                ],
                "sink": number(table.sink[i]),
                "learned_sink": number(table.learned[i]),
                "strongest_link": link
                and {
                    "layer": link[0],
                    "head": link[1],
                    "key": link[2],
                    "label": table.keys.labels[link[2]],
                    "weight": number(link[3]),
                },
            }
        )
    return rows


def number(value: float | np.floating[Any]) -> float | None:
    """A number with 7 digits that count (float32 has no more), None when it is not finite."""
    return float(f"{float(value):.7g}") if math.isfinite(value) else None


def numbers(values: np.ndarray) -> list[Any]:
    """An array as nested lists of such numbers."""
    if values.ndim > 1:
        return [numbers(row) for row in values]
    return [number(value) for value in values.tolist()]
