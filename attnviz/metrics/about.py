"""What each score means, for help texts and headings."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Score:
    """One score: `low` to `high` is its range (infinite where the length of the text bounds it).

    `chance` says in words what a head that spreads its attention evenly gets, `section` where
    METRICS.md defines the score.
    """

    name: str
    meaning: str
    low: float
    high: float
    chance: str
    section: str


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
            "1.5",
        ),
        Score("entropy", "how widely a query spreads, in nats", 0, math.inf, "ln keys", "1.1"),
        Score("normalized_entropy", "entropy as a share of the most possible", 0, 1, "1", "1.1"),
        Score("confidence", "largest weight of a query, special keys aside", 0, 1, EVEN, "4"),
        Score(
            "distance",
            "tokens between a query and what it looks at",
            0,
            math.inf,
            "keys / 3, or keys / 4 in causal stacks",
            "1.2",
        ),
        Score(
            "offset",
            "tokens to what a query looks at; negative: before it",
            -math.inf,
            math.inf,
            "0, or −keys / 4 in causal stacks",
            "1.2",
        ),
        Score("self", "share on the query itself", 0, 1, EVEN, "1.3"),
        Score("previous", "share on the token before", 0, 1, EVEN, "1.3"),
        Score("next", "share on the token after", 0, 1, EVEN, "1.3"),
        Score("first", "share on the first token", 0, 1, EVEN, "1.3"),
        Score("special", "share on special tokens", 0, 1, "special tokens / keys", "1.3"),
        Score("punctuation", "share on punctuation", 0, 1, "punctuation tokens / keys", "1.3"),
        Score("duplicate", "share on earlier copies of the query", 0, 1, "copies / keys", "2.2"),
        Score(
            "induction",
            "share on what followed earlier copies of the query",
            0,
            1,
            "copies / keys",
            "2.3",
        ),
        Score(
            "prefix_matching",
            "induction on repeated random tokens, by --probe",
            0,
            1,
            "copies / keys",
            "2.4",
        ),
        Score("sink", "mean share of the most looked-at key", 0, 1, EVEN, "2.7"),
        Score("local", "share on keys less than 4 tokens away", 0, 1, "up to 7 / keys", "2.9"),
        Score(
            "streaming",
            "share on the first 4 tokens and those less than 4 away",
            0,
            1,
            "up to 11 / keys",
            "2.9",
        ),
        Score(
            "vertical",
            "share in the best columns with a tenth of the cells",
            0,
            1,
            "0.1, or more in causal stacks",
            "2.10",
        ),
        Score(
            "slash",
            "share in the best diagonals with a tenth of the cells",
            0,
            1,
            "0.1, or more in causal stacks",
            "2.10",
        ),
        Score(
            "monotonicity",
            "correlation of target and source position; 1: in order",
            -1,
            1,
            "0",
            "5",
        ),
        Score("coverage", "how much of the source is looked at in all", 0, 1, "1", "5"),
        Score("sharpness", "how narrowly a target token aims at the source", 0, 1, "0", "5"),
        Score(
            "value_weighted",
            "attention times the length of each value, the longest: 1",
            0,
            1,
            "mean length / longest",
            "3.3",
        ),
        Score(
            "norm",
            "attention times the length of what each key writes",
            0,
            math.inf,
            "mean length",
            "3.3",
        ),
    )
}
