"""What a head does, in one word: the pattern its scores show, and how strong it is.

The thresholds for positions follow Clark et al. 2019 (METRICS.md 1.3); the order is that of the
simplest explanation first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from attnviz.attention.axis import Axis
    from attnviz.attention.capture import LayerAttention

Category = Literal["position", "sink", "word", "punct", "broad", "mixed", "none"]

POSITION, SINK, POPULAR, WORD, PUNCT, BROAD = 0.5, 0.5, 0.3, 0.15, 0.4, 0.8
FEW = 2 / POPULAR  # of so few keys one is easily popular
REPEATS = 3  # with fewer repeated tokens, one hit makes a head of copies
POSITIONS = {"previous": "prev", "next": "next", "self": "self"}


@dataclass(frozen=True, slots=True)
class Pattern:
    """The name of what a head does and its strength, the share of attention that does it.

    `name` is one of prev, next, self, first, word, punct, broad, mixed, none or, for a sink, the
    text of the key; `strength` is NaN where the pattern is no share (broad, mixed).
    """

    name: str
    category: Category
    strength: float = math.nan


@dataclass(frozen=True, slots=True)
class Head:
    """One head: where it stands, what it does, and its scores.

    `weak` are the scores that rest on too little text to name a head by.
    """

    layer: int
    head: int
    pattern: Pattern
    scores: Mapping[str, float] = field(default_factory=dict)
    weak: frozenset[str] = frozenset()

    @property
    def label(self) -> str:
        """`L3H7`."""
        return f"L{self.layer}H{self.head}"

    def score(self, name: str) -> float:
        """A score of this head, NaN when it has none of this name."""
        return self.scores.get(name, math.nan)


def heads_of(layer: LayerAttention) -> list[Head]:
    """Every observed head of a layer, with its pattern."""
    names = [key for key in layer.kept if key.startswith("score.")]
    means = layer.kept.get("column_means")
    found, weak = [], weak_scores(layer.keys)
    for index, head in enumerate(layer.heads):
        scores = {name.removeprefix("score."): float(layer.kept[name][index]) for name in names}
        popular = None if means is None else most_popular(means[index])
        shown = pattern(scores, layer.keys, popular)
        found.append(Head(layer.layer, head, shown, scores, weak))
    return found


def weak_scores(keys: Axis) -> frozenset[str]:
    """The scores that so few keys, or so few repeated tokens, give no ground for."""
    return frozenset(
        ({"sink"} if len(keys) <= FEW else set())
        | ({"duplicate", "induction"} if keys.repeats < REPEATS else set())
    )


def most_popular(column_means: np.ndarray) -> tuple[int, float] | None:
    """The key that most attention goes to, and its mean; None when no mean is known."""
    if column_means.size == 0 or np.isnan(column_means).all():
        return None
    key = int(np.nanargmax(column_means))
    return key, float(column_means[key])


def pattern(scores: Mapping[str, float], keys: Axis, popular: tuple[int, float] | None) -> Pattern:
    """The simplest pattern that explains these scores."""

    def score(name: str) -> float:
        value = scores.get(name, math.nan)
        return 0.0 if math.isnan(value) else value

    if not scores:
        return Pattern("none", "none")
    position = max(POSITIONS, key=score)
    if score(position) >= POSITION:
        return Pattern(POSITIONS[position], "position", score(position))
    if score("special") >= SINK:
        return Pattern(special_name(keys, popular), "sink", score("special"))
    if score("first") >= SINK:
        return Pattern("first", "sink", score("first"))
    if score("content") >= WORD:
        return Pattern("word", "word", score("content"))
    if score("punctuation") >= PUNCT:
        return Pattern("punct", "punct", score("punctuation"))
    if popular is not None and popular[1] > POPULAR and is_ordinary(keys, popular[0]):
        return Pattern(key_name(keys, popular[0]), "sink", popular[1])
    if score("normalized_entropy") >= BROAD:
        return Pattern("broad", "broad")
    return Pattern("mixed", "mixed")


def special_name(keys: Axis, popular: tuple[int, float] | None) -> str:
    """The special token that takes most, or `special` when that is not known."""
    if popular is not None and keys.special[popular[0]]:
        return keys.labels[popular[0]]
    labels = {label for label, special in zip(keys.labels, keys.special, strict=True) if special}
    return labels.pop() if len(labels) == 1 else "special"


def popular_keys(column_means: np.ndarray, keys: Axis) -> np.ndarray:
    """Bool (keys,): the tokens of the text that average more than 0.3 of the attention."""
    if len(keys) <= FEW:
        return np.zeros(len(keys), bool)
    return np.asarray(~np.array(keys.special, bool) & (column_means > POPULAR))


def is_ordinary(keys: Axis, key: int) -> bool:
    """Whether a key is a token of the text, and one of several that heads could look at."""
    return not keys.special[key] and len(keys) > FEW


def key_name(keys: Axis, key: int) -> str:
    """`first` for the first key, else its text."""
    return "first" if key == keys.first and not keys.special[key] else keys.labels[key]
