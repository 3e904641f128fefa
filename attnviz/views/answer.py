"""What every command answers with: facts, parts, notes, checks, prediction."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from attnviz.attention.capture import AttentionStack, Capture, Check, ModelFacts, Prediction


@dataclass(frozen=True, slots=True)
class Facts:
    """What was run on what. `tokens` counts the input, `targets` its translation, and `plan` says
    what the run kept, where that is known.

    Where `texts` is more than one, the answer is about as many, and tokens are not counted.
    """

    model: ModelFacts
    text: str = ""
    pair: str | None = None
    target: str | None = None
    tokens: int = 0
    targets: int | None = None
    plan: str = ""
    texts: int = 1


@dataclass(frozen=True)
class Answer:
    """Views from top to bottom, with what must be said of the run behind them.

    `facts` is None where no model was run. `parts` are views: each renderer has a drawing for
    their types. `stacks` holds what was observed, for data that list every head.
    """

    facts: Facts | None
    parts: tuple[Any, ...]
    notes: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    prediction: Prediction | None = None
    stacks: Mapping[str, AttentionStack] = field(default_factory=dict)

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that did not hold."""
        return tuple(check for check in self.checks if check.ok is False)


def answer_about(capture: Capture, *parts: Any) -> Answer:
    """The answer that these views of a capture make, with its notes and checks."""
    return Answer(facts_of(capture), parts, capture.notes, capture.checks)


def in_full(answer: Answer, capture: Capture) -> Answer:
    """The answer with all that is known of the run, for data: its prediction, its stacks."""
    return replace(answer, prediction=capture.prediction, stacks=capture.stacks)


def facts_of(capture: Capture) -> Facts:
    """The facts of a run."""
    lengths: dict[str, int] = {}
    for name, stack in capture.stacks.items():
        layer = stack.by_layer[stack.layers[0]]
        lengths[name] = sum(not padded for padded in layer.queries.padding)
        if layer.cross:
            lengths["source"] = sum(not padded for padded in layer.keys.padding)
    targets = lengths.get("cross", lengths.get("decoder"))
    source = lengths.get("encoder", lengths.get("source", lengths[capture.main_stack.name]))
    both = "cross" in lengths or ("encoder" in lengths and "decoder" in lengths)
    return Facts(
        capture.model,
        capture.text,
        capture.pair,
        capture.target,
        tokens=source,
        targets=targets if both else None,
        plan=str(capture.plan.get("line", "")),
    )
