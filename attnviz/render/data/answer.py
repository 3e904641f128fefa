"""An answer as plain values for JSON, and as rows."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from attnviz.render.data.compare import comparison_rows, comparison_values
from attnviz.render.data.json_values import (
    SCHEMA,
    prediction_values,
    ranking_values,
    stack_values,
    view_values,
)
from attnviz.render.data.tidy_rows import ranking_rows, table_rows
from attnviz.render.data.trace import trace_rows, trace_values
from attnviz.views.compare.contrast import Contrast
from attnviz.views.compare.within import DistanceMatrix, HeadGroups, LikeHead, SideBySide
from attnviz.views.heads.head_table import HeadTable
from attnviz.views.listing import Listing
from attnviz.views.steps.hand_trace import HandTrace
from attnviz.views.steps.head_trace import HeadTrace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attnviz.render.data.tidy_rows import Row
    from attnviz.views.answer import Answer

COMPARISONS = (Contrast, DistanceMatrix, HeadGroups, LikeHead, SideBySide)


def answer_values(answer: Answer) -> dict[str, Any]:
    """The answer as one object; `json.dumps` takes it as it is."""
    facts = answer.facts
    out: dict[str, Any] = {"schema": SCHEMA}
    if facts is not None:
        out["model"] = asdict(facts.model)
        out["input"] = {"text": facts.text, "pair": facts.pair, "target": facts.target}
        if facts.texts > 1:
            out["input"] = {"texts": facts.texts}
    if answer.prediction is not None:
        out["prediction"] = prediction_values(answer.prediction)
    out["checks"] = [asdict(check) for check in answer.checks]
    out["notes"] = list(answer.notes)
    if answer.stacks:
        out["stacks"] = {name: stack_values(stack) for name, stack in answer.stacks.items()}
    view = answer.parts[0] if answer.parts else None
    if isinstance(view, COMPARISONS):
        return out | comparison_values(view)
    if isinstance(view, HeadTable):
        return out | {"sort": view.sort, "heads": ranking_values(view)}
    if isinstance(view, (HandTrace, HeadTrace)):
        own = trace_values(view)
        return out | own | {"notes": [*answer.notes, *own["notes"]]}
    if isinstance(view, Listing):
        return out | dict(view.values)
    return out | view_values(answer)


def answer_rows(answer: Answer) -> Iterator[Row]:
    """The answer as rows of a table, the first one naming the columns."""
    view = answer.parts[0] if answer.parts else None
    if isinstance(view, COMPARISONS):
        return comparison_rows(view)
    if isinstance(view, HeadTable):
        return ranking_rows(view)
    if isinstance(view, (HandTrace, HeadTrace)):
        return trace_rows(view)
    return table_rows(answer)
