"""What each score means, for help texts and headings."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Score:
    """One score: `low` to `high` is its range (infinite where the length of the text bounds it).

    `chance` says in words what a head that spreads its attention evenly gets. docs/metrics.md
    defines the score under its name.
    """

    name: str
    meaning: str
    low: float
    high: float
    chance: str


EVEN = "about 1 / keys"

SCORES: dict[str, Score] = {
    one.name: one
    for one in (
        Score(
            "content",
            "attention that neither position nor a popular key explains",
            0,
            1,
            "0",
        ),
        Score("entropy", "how widely a query spreads, in nats", 0, math.inf, "ln keys"),
        Score("normalized_entropy", "entropy as a share of the most possible", 0, 1, "1"),
        Score("confidence", "largest weight of a query, special keys aside", 0, 1, EVEN),
        Score(
            "distance",
            "tokens between a query and what it looks at",
            0,
            math.inf,
            "keys / 3, or keys / 4 in causal stacks",
        ),
        Score(
            "offset",
            "tokens to what a query looks at; negative: before it",
            -math.inf,
            math.inf,
            "0, or −keys / 4 in causal stacks",
        ),
        Score("self", "share on the query itself", 0, 1, EVEN),
        Score("previous", "share on the token before", 0, 1, EVEN),
        Score("next", "share on the token after", 0, 1, EVEN),
        Score("first", "share on the first token", 0, 1, EVEN),
        Score("special", "share on special tokens", 0, 1, "special tokens / keys"),
        Score("punctuation", "share on punctuation", 0, 1, "punctuation tokens / keys"),
        Score("duplicate", "share on earlier copies of the query", 0, 1, "copies / keys"),
        Score(
            "induction",
            "share on what followed earlier copies of the query",
            0,
            1,
            "copies / keys",
        ),
        Score(
            "prefix_matching",
            "induction on repeated random tokens, by --probe",
            0,
            1,
            "copies / keys",
        ),
        Score("sink", "mean share of the most looked-at key", 0, 1, EVEN),
        Score("local", "share on keys less than 4 tokens away", 0, 1, "up to 7 / keys"),
        Score(
            "streaming",
            "share on the first 4 tokens and those less than 4 away",
            0,
            1,
            "up to 11 / keys",
        ),
        Score(
            "vertical",
            "share in the best columns with a tenth of the cells",
            0,
            1,
            "0.1, or more in causal stacks",
        ),
        Score(
            "slash",
            "share in the best diagonals with a tenth of the cells",
            0,
            1,
            "0.1, or more in causal stacks",
        ),
        Score(
            "monotonicity",
            "correlation of target and source position; 1: in order",
            -1,
            1,
            "0",
        ),
        Score("coverage", "how much of the source is looked at in all", 0, 1, "1"),
        Score("sharpness", "how narrowly a target token aims at the source", 0, 1, "0"),
        Score(
            "value_weighted",
            "attention times the length of each value, the longest: 1",
            0,
            1,
            "mean length / longest",
        ),
        Score(
            "norm",
            "attention times the length of what each key writes",
            0,
            math.inf,
            "mean length",
        ),
    )
}
