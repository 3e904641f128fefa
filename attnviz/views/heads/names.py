"""The names that a head earns by its scores: one table of thresholds, of which several may hold.

The thresholds for positions follow Clark et al. 2019, that for copies is the custom for induction
heads; the others are ours (docs/metrics.md, names).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

Category = Literal["position", "sink", "word", "punct", "broad", "mixed", "none"]

ALIGNED, COPY, POSITION, SINK, WORD = 0.5, 0.4, 0.5, 0.5, 0.15
PUNCT, POPULAR, BROAD, LOCAL = 0.4, 0.3, 0.8, 0.8


class Name(NamedTuple):
    """A name, the score that earned it, and that score's value."""

    name: str
    score: str
    value: float


@dataclass(frozen=True, slots=True)
class Rule:
    """A head is called `name` when `score` is at least `least`, and so is the score `also`.

    `meaning` says what such a head does, `short` is the name where room is scarce, and `kinds` are
    other words for it. `share` tells that the score is a share of attention.
    """

    name: str
    score: str
    least: float
    category: Category
    meaning: str
    short: str = ""
    kinds: tuple[str, ...] = ()
    also: str = ""
    share: bool = True

    def holds(self, scores: Mapping[str, float], weak: frozenset[str]) -> bool:
        """Whether these scores earn the name; `weak` are those that the text is too short for."""
        wanted = (self.score, self.also) if self.also else (self.score,)
        return not weak.intersection(wanted) and all(
            scores.get(score, math.nan) >= self.least for score in wanted
        )


RULES = (
    Rule("alignment", "sharpness", ALIGNED, "word", "aims at one source token after the other",
         also="coverage", share=False),
    Rule("induction", "induction", COPY, "word", "looks at what followed earlier copies"),
    Rule("duplicate", "duplicate", COPY, "word", "looks at earlier copies of the token"),
    Rule("previous-token", "previous", POSITION, "position", "looks at the token before",
         "previous", ("prev",)),
    Rule("next-token", "next", POSITION, "position", "looks at the token after", "next"),
    Rule("self", "self", POSITION, "position", "looks at the token itself"),
    Rule("special-token", "special", SINK, "sink", "rests on special tokens", "special"),
    Rule("first-token", "first", SINK, "sink", "rests on the first token", "first"),
    Rule("word", "content", WORD, "word", "looks for particular words", kinds=("content",)),
    Rule("punctuation", "punctuation", PUNCT, "punct", "looks at punctuation", "punct"),
    Rule("sink", "sink", POPULAR, "sink", "gives much to one key, whatever the query"),
    Rule("broad", "normalized_entropy", BROAD, "broad", "spreads over all keys", share=False),
    Rule("local", "local", LOCAL, "position", "looks at tokens less than 4 away"),
)  # fmt: skip
MIXED = Rule("mixed", "normalized_entropy", -math.inf, "mixed", "earns no other name", share=False)
BROKEN = Rule("broken", "entropy", math.nan, "mixed", "has weights that are not finite",
              share=False)  # fmt: skip
BY_NAME = {rule.name: rule for rule in (*RULES, MIXED, BROKEN)}
CALLED = tuple(rule.short or rule.name for rule in (*RULES, MIXED))  # for people
SAID = {
    word: rule.name
    for rule in BY_NAME.values()
    for word in (rule.name, rule.short, *rule.kinds)
    if word
}


def earned(scores: Mapping[str, float], weak: frozenset[str]) -> tuple[Name, ...]:
    """Every name that the scores earn, the most telling first; `mixed` when they earn none,
    `broken` when the weights are not finite. Empty without scores.
    """
    if not scores:
        return ()
    if math.isnan(scores.get("entropy", 0.0)):
        return (Name(BROKEN.name, BROKEN.score, math.nan),)
    rules = [rule for rule in RULES if rule.holds(scores, weak)] or [MIXED]
    return tuple(Name(rule.name, rule.score, scores.get(rule.score, math.nan)) for rule in rules)
