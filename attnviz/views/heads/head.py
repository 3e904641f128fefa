"""A head and what it is called: the most telling of its names, and how strong it is."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from attnviz.views.heads.names import BY_NAME, SAID, earned

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from attnviz.views.heads.names import Category, Name


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


def names_of(head: Head) -> tuple[Name, ...]:
    """Every name of the head, the most telling first; empty for a head without scores."""
    return earned(head.scores, head.weak)


def answers_to(head: Head, kind: str) -> bool:
    """Whether one of the head's names, or the pattern that it shows, is called so."""
    wanted = kind.strip(" []<>").lower()
    pattern = head.pattern.name.strip(" []<>").lower()
    if wanted in (pattern, head.pattern.category):
        return True
    return SAID.get(wanted) in {name.name for name in names_of(head)}


def kinds_of(heads: Iterable[Head]) -> Iterator[str]:
    """What these heads can be called, every word once: names, then the keys that are sinks."""
    heads = list(heads)
    there = {one.name for head in heads for one in names_of(head)}
    yield from (name for name in BY_NAME if name in there)
    keys = {head.pattern.name.strip() for head in heads}
    yield from sorted(keys - {*SAID, "none"})
