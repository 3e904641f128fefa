"""An answer as plain values for JSON, and as rows."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from attnviz.render.data.json_values import SCHEMA, prediction_values, stack_values
from attnviz.render.data.registry import JSON, ROWS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attnviz.render.data.registry import Row
    from attnviz.views.answer import Answer, Facts


def answer_values(answer: Answer) -> dict[str, Any]:
    """The answer as one object; `json.dumps` takes it as it is.

    What is said of the run comes first, then what the views give. Lists under one key are joined;
    of other values the first stands.
    """
    out: dict[str, Any] = {"schema": SCHEMA} | facts_values(answer.facts)
    if answer.prediction is not None:
        out["prediction"] = prediction_values(answer.prediction)
    out["checks"] = [asdict(check) for check in answer.checks]
    out["notes"] = list(answer.notes)
    if answer.stacks:
        out["stacks"] = {name: stack_values(stack) for name, stack in answer.stacks.items()}
    for view in answer.parts:
        for key, value in JSON.of(view)(view).items():
            if isinstance(value, list) and key in out:
                out[key] = [*out[key], *value]
            elif out.get(key) is None:
                out[key] = value
    return out


def facts_values(facts: Facts | None) -> dict[str, Any]:
    """The model and its input, where one was run."""
    if facts is None:
        return {}
    read = {"text": facts.text, "pair": facts.pair, "target": facts.target}
    return {
        "model": asdict(facts.model),
        "input": read if facts.texts == 1 else {"texts": facts.texts},
    }


def answer_rows(answer: Answer) -> Iterator[Row]:
    """The answer as rows of a table, the first one naming the columns.

    They are those of the last view, and of others of its type. Raises UsageError where it has none.
    """
    views = [view for view in answer.parts if type(view) is type(answer.parts[-1])]
    return ROWS.of(views[-1])(views) if views else iter(())
