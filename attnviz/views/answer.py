"""The first look at a run: the model, its prediction, what each head does, one head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from attnviz.attention.capture import Capture, Check, ModelFacts, Prediction
    from attnviz.views.compare.contrast import Contrast
    from attnviz.views.compare.within import DistanceMatrix, HeadGroups, LikeHead, SideBySide
    from attnviz.views.heads.head_grid import HeadGrid
    from attnviz.views.heads.head_table import HeadTable
    from attnviz.views.heads.query_grid import QueryGrid
    from attnviz.views.heads.score_matrix import HeadMatrix
    from attnviz.views.maps.head_screen import HeadMaps, HeadScreen
    from attnviz.views.steps.hand_trace import HandTrace
    from attnviz.views.steps.head_trace import HeadTrace

    Comparison = HeadGroups | LikeHead | SideBySide | DistanceMatrix | Contrast
    Trace: TypeAlias = HandTrace | HeadTrace
    Grids: TypeAlias = HeadGrid | QueryGrid | HeadTable | HeadMatrix
    Body: TypeAlias = Grids | HeadScreen | HeadMaps | Comparison | Trace


@dataclass(frozen=True, slots=True)
class Facts:
    """What stands above every picture. `tokens` counts the input, `targets` its translation, and
    `plan` says what the run kept, where that is known.

    Where `texts` is more than one, the picture is about as many, and tokens are not counted.
    """

    model: ModelFacts
    tokens: int
    targets: int | None
    checks: tuple[Check, ...]
    texts: int = 1
    plan: str = ""

    @property
    def failed(self) -> tuple[Check, ...]:
        """The self-checks that did not hold."""
        return tuple(check for check in self.checks if check.ok is False)


@dataclass(frozen=True, slots=True)
class Answer:
    """A picture with its heading: facts, prediction, parts from top to bottom, notes."""

    facts: Facts
    prediction: Prediction | None
    parts: tuple[Body, ...]
    notes: tuple[str, ...] = ()


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
    plan = str(capture.plan.get("line", ""))
    return Facts(capture.model, source, targets if both else None, capture.checks, plan=plan)
