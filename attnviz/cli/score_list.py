"""The scores of heads, as help texts list them."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING

from attnviz.metrics.about import SCORES

if TYPE_CHECKING:
    from attnviz.metrics.about import Score

WIDTH, INDENT = 76, 4
UNBROKEN = "\u00a0"


def listing() -> str:
    """Every score with its meaning, range, and what a head gets that attends evenly."""
    left = INDENT + max(map(len, SCORES)) + 2
    lines = ["Scores (their range; what a head gets that spreads its attention evenly):", ""]
    for score in SCORES.values():
        said = f"{score.meaning} ({whole(span(score))}; {whole(score.chance)})"
        name = f"{' ' * INDENT}{score.name}".ljust(left)
        lines += textwrap.wrap(
            said, WIDTH, initial_indent=name, subsequent_indent=" " * left, break_on_hyphens=False
        )
    return "\n".join(lines).replace(UNBROKEN, " ")


def whole(text: str) -> str:
    """The text as one word, that no line ends within."""
    return text.replace(" ", UNBROKEN)


def span(score: Score) -> str:
    """`0 to 1`, `0 and up`, `any number` where both ends are open."""
    if math.isinf(score.low):
        return "any number"
    return f"{score.low:g} and up" if math.isinf(score.high) else f"{score.low:g} to {score.high:g}"
