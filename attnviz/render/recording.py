"""What would be drawn, as plain values: how views are tested, without a renderer.

    record(build(capture))["parts"][0]["type"] == "HeadGrid"

Works for every view that is a dataclass; nothing has to be registered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.attention.axis import Axis

if TYPE_CHECKING:
    from attnviz.views.answer import Answer


def record(answer: Answer) -> dict[str, Any]:
    """The facts, notes, failed checks and prediction of an answer, and every view of it."""
    return {
        "facts": recorded(answer.facts),
        "prediction": recorded(answer.prediction),
        "parts": [recorded(view) for view in answer.parts],
        "notes": list(answer.notes),
        "failed": [check.name for check in answer.failed],
    }


def recorded(value: Any) -> Any:
    """A value in plain ones: a dataclass by its type and fields, an axis by its labels, an array
    by its shape and the ends of what it holds.
    """
    if isinstance(value, Axis):
        return list(value.labels)
    if isinstance(value, np.ndarray):
        return summary(value)
    if isinstance(value, Enum):
        return value.name
    if is_dataclass(value) and not isinstance(value, type):
        own = {field.name: recorded(getattr(value, field.name)) for field in fields(value)}
        return {"type": type(value).__name__} | own
    if isinstance(value, Mapping):
        return {str(key): recorded(item) for key, item in value.items()}
    if isinstance(value, (tuple, list, set, frozenset)):
        return [recorded(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def summary(values: np.ndarray) -> dict[str, Any]:
    """Shape and, of numbers, the least and largest that are finite."""
    out: dict[str, Any] = {"shape": list(values.shape)}
    finite = values[np.isfinite(values)] if values.dtype.kind in "fiu" else np.zeros(0)
    return out | ({"low": finite.min().item(), "high": finite.max().item()} if finite.size else {})
