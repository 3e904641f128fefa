"""Which head to show first, and why."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attnviz.views.heads.head import Head

Why = Literal["content", "entropy", "sink", "asked", "only"]
ENOUGH, SINK = 0.10, 0.5


@dataclass(frozen=True, slots=True)
class Choice:
    """A head to show, what it was chosen for, and those that came next."""

    head: Head
    why: Why
    runners_up: tuple[Head, ...] = ()

    @property
    def reason(self) -> str:
        """Why this head, for people."""
        if self.why == "content":
            after = ", ".join(f"{one.label} {one.score('content'):.2f}" for one in self.runners_up)
            then = f", then {after}" if after else ""
            content = self.head.score("content")
            return f"picked: most attention to particular words ({content:.2f}){then}"
        entropy = self.head.score("normalized_entropy")
        if self.why == "entropy":
            return (
                "picked: no head looks for particular words (none reaches "
                f"{ENOUGH:.2f}); this one is the most focused that is no sink "
                f"(entropy {entropy:.2f} of 1)"
            )
        if self.why == "sink":
            return (
                "picked: every head gives at least half to special, first or popular tokens; "
                "this one the least"
            )
        return ""


def choose(heads: Sequence[Head]) -> Choice | None:
    """The head whose attention position and popular keys explain least (docs/metrics.md, choice).

    When no head's content reaches 0.10, the most focused one that is no sink. None without heads.
    """
    if not heads:
        return None
    if len(heads) == 1:
        return Choice(heads[0], "only")
    ranked = sorted(heads, key=lambda one: -known(one, "content", 0.0))
    if known(ranked[0], "content", 0.0) >= ENOUGH:
        runners = tuple(one for one in ranked[1:3] if known(one, "content", 0.0) >= ENOUGH)
        return Choice(ranked[0], "content", runners)
    awake = [head for head in heads if sink_share(head) < SINK]
    if awake:
        return Choice(min(awake, key=lambda one: known(one, "normalized_entropy", 2.0)), "entropy")
    return Choice(min(heads, key=sink_share), "sink")


def sink_share(head: Head) -> float:
    """The largest share of attention that goes to a popular or special key."""
    return max(known(head, name, 0.0) for name in ("sink", "special", "first"))


def known(head: Head, name: str, default: float) -> float:
    """A score, or `default` where there is none."""
    value = head.score(name)
    return default if math.isnan(value) else value
