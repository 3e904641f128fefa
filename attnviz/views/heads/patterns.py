"""What a head does, in one word: the most telling of its names, and how strong it is."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from attnviz.views.heads.names import BY_NAME, LOCAL, POPULAR, names_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from attnviz.attention.axis import Axis
    from attnviz.attention.capture import LayerAttention
    from attnviz.views.heads.names import Category

FEW = 2 / POPULAR  # of so few keys one is easily popular
REPEATS = 3  # with fewer repeated tokens, one hit makes a head of copies
NEAR = 7  # keys less than 4 tokens away
CROWDED = NEAR / LOCAL  # of so few keys most are near


@dataclass(frozen=True, slots=True)
class Pattern:
    """What a head is called, and its strength: the share of attention that earned the name.

    For a sink `name` is the text of the key, else the short form of one of the names; `none` for a
    head without scores. `strength` is NaN where the name is earned by no share (broad, mixed).
    """

    name: str
    category: Category
    strength: float = math.nan


@dataclass(frozen=True, slots=True)
class Head:
    """One head: where it stands and its scores, which name it.

    `weak` are the scores that rest on too little text to name a head by; `texts` holds the text of
    the key behind the names `special-token` and `sink`.
    """

    layer: int
    head: int
    scores: Mapping[str, float] = field(default_factory=dict)
    weak: frozenset[str] = frozenset()
    texts: Mapping[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """`L3H7`."""
        return f"L{self.layer}H{self.head}"

    @property
    def pattern(self) -> Pattern:
        """The first of its names, for people."""
        names = names_of(self)
        if not names:
            return Pattern("none", "none")
        name, _, value = names[0]
        rule = BY_NAME[name]
        return Pattern(self.called(name), rule.category, value if rule.share else math.nan)

    def called(self, name: str) -> str:
        """One of its names for people: a sink by the text of its key, others in short."""
        return self.texts.get(name) or BY_NAME[name].short or name

    def score(self, name: str) -> float:
        """A score of this head, NaN when it has none of this name."""
        return self.scores.get(name, math.nan)


def heads_of(layer: LayerAttention) -> list[Head]:
    """Every observed head of a layer, with its scores."""
    names = [key for key in layer.kept if key.startswith("score.")]
    means = layer.kept.get("column_means")
    found, weak = [], weak_scores(layer.keys)
    for index, head in enumerate(layer.heads):
        scores = {name.removeprefix("score."): float(layer.kept[name][index]) for name in names}
        popular = None if means is None else most_popular(means[index])
        found.append(Head(layer.layer, head, scores, weak, key_texts(layer.keys, popular)))
    return found


def weak_scores(keys: Axis) -> frozenset[str]:
    """The scores that so few keys, or so few repeated tokens, give no ground for."""
    count = len(keys)
    return frozenset(
        ({"sink"} if count <= FEW else set())
        | ({"local"} if count <= CROWDED else set())
        | ({"duplicate", "induction"} if keys.repeats < REPEATS else set())
    )


def most_popular(column_means: np.ndarray) -> int | None:
    """The key that most attention goes to; None when no mean is known."""
    if column_means.size == 0 or np.isnan(column_means).all():
        return None
    return int(np.nanargmax(column_means))


def key_texts(keys: Axis, popular: int | None) -> dict[str, str]:
    """What a head is called that rests on its most popular key, or on special tokens."""
    special = {label for label, is_special in zip(keys.labels, keys.special, strict=True)
               if is_special}  # fmt: skip
    if popular is None:
        return {"special-token": special.pop()} if len(special) == 1 else {}
    label = keys.labels[popular]
    if keys.special[popular]:
        return {"special-token": label, "sink": label}
    texts = {"sink": "first" if popular == keys.first else label}
    return texts | ({"special-token": special.pop()} if len(special) == 1 else {})


def popular_keys(column_means: np.ndarray, keys: Axis) -> np.ndarray:
    """Bool (keys,): the tokens of the text that average more than 0.3 of the attention."""
    if len(keys) <= FEW:
        return np.zeros(len(keys), bool)
    return np.asarray(~np.array(keys.special, bool) & (column_means > POPULAR))
