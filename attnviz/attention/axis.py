"""The positions along one side of an attention map."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

Kind = Literal["token", "patch", "frame", "slot"]
T = TypeVar("T")


@dataclass(frozen=True)
class Axis:
    """What stands at each position of a query or key axis.

    Every field has one entry per position. `labels` are readable token texts and may hold any
    character: a renderer makes them safe. `words` numbers the word a token belongs to (None for
    special tokens), `spans` are character ranges in the input text, `segments` tell the parts of a
    pair apart. `padding` marks positions that only fill a batch; `positions` counts without them.
    `slot` axes stand for keys that are no token (memory, cache), `patch` and `frame` for images
    and audio, whose `grid` is (rows, columns).
    """

    labels: tuple[str, ...]
    kind: Kind = "token"
    ids: tuple[int, ...] = ()
    words: tuple[int | None, ...] = ()
    spans: tuple[tuple[int, int] | None, ...] = ()
    special: tuple[bool, ...] = ()
    segments: tuple[int, ...] = ()
    padding: tuple[bool, ...] = ()
    grid: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        n = len(self.labels)
        defaults: dict[str, Sequence[object]] = {
            "ids": (-1,) * n,
            "words": tuple(range(n)),
            "spans": (None,) * n,
            "special": (False,) * n,
            "segments": (0,) * n,
            "padding": (False,) * n,
        }
        for name, default in defaults.items():
            value = getattr(self, name)
            if not value:
                object.__setattr__(self, name, default)
            elif len(value) != n:
                raise ValueError(f"Axis.{name} has {len(value)} entries for {n} labels")

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def positions(self) -> tuple[int, ...]:
        """The index of each position among those that are not padding (-1 for padding)."""
        count, out = 0, []
        for padded in self.padding:
            out.append(-1 if padded else count)
            count += not padded
        return tuple(out)

    @cached_property
    def punctuation(self) -> tuple[bool, ...]:
        """Which labels are nothing but punctuation or symbols (special tokens are not)."""
        return tuple(
            not special and is_punctuation(label)
            for label, special in zip(self.labels, self.special, strict=True)
        )

    @cached_property
    def repeats(self) -> int:
        """How many tokens, special ones and padding aside, have an earlier copy."""
        ids = zip(self.ids, self.special, self.padding, strict=True)
        plain = [i for i, special, padding in ids if i >= 0 and not special and not padding]
        return len(plain) - len(set(plain))

    @cached_property
    def first(self) -> int:
        """The first position that is not padding (0 when all are)."""
        return next((i for i, padded in enumerate(self.padding) if not padded), 0)

    @cached_property
    def real(self) -> int:
        """How many positions are not padding (all when all are)."""
        return len(self) - sum(self.padding) or len(self)

    def counted(self, causal: bool) -> tuple[bool, ...]:
        """Which of these queries means run over: not padding, not special (unless all are), and in
        causal stacks not the first one, whose row is always 1, 0, 0, …
        (docs/metrics.md, counted queries).
        """
        real = [not padded for padded in self.padding]
        late = [not (causal and i == self.first and sum(real) > 1) for i in range(len(self))]
        plain = (real[i] and late[i] and not self.special[i] for i in range(len(self)))
        found = tuple(plain)
        return found if any(found) else tuple(real)

    def take(self, indices: Sequence[int]) -> Axis:
        """The axis with only these positions, in this order."""

        def pick(values: tuple[T, ...]) -> tuple[T, ...]:
            return tuple(values[i] for i in indices)

        return replace(
            self,
            labels=pick(self.labels),
            ids=pick(self.ids),
            words=pick(self.words),
            spans=pick(self.spans),
            special=pick(self.special),
            segments=pick(self.segments),
            padding=pick(self.padding),
            grid=None,
        )


def is_punctuation(label: str) -> bool:
    """True for a non-empty label of punctuation and symbols only."""
    text = label.strip()
    return bool(text) and all(unicodedata.category(c)[0] in "PS" for c in text)


def slots(count: int) -> Axis:
    """An axis of `count` positions of which nothing is known but their number."""
    return Axis(labels=tuple(str(i) for i in range(count)), kind="slot")


def fitted(axis: Axis, length: int) -> Axis:
    """The axis when it has this length, else slots."""
    return axis if len(axis) == length else slots(length)


def joined(first: Axis, second: Axis) -> Axis:
    """One axis after the other, told apart as segments."""
    return Axis(
        labels=first.labels + second.labels,
        ids=first.ids + second.ids,
        special=first.special + second.special,
        segments=(0,) * len(first) + (1,) * len(second),
        padding=first.padding + second.padding,
    )
