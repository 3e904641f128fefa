"""Which tokens of a text `--query` and `--key` name."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING

from attnviz.attention.ranges import ranges
from attnviz.attention.words import joined_label, word_groups
from attnviz.errors import SelectionError

if TYPE_CHECKING:
    from attnviz.attention.axis import Axis

PART = re.compile(r"(-?\d{1,18})(?:-(-?\d{1,18}))?")  # what is longer is at best a word
TOKEN_FORMS = "a word, its second occurrence it#2, an index, -1 for the last, or a range 12-80"
OCCURRENCE = re.compile(r"(.+)#(\d{1,18})", re.DOTALL)


def is_range(spec: str | None) -> bool:
    """Whether a `--query` or `--key` names a range of positions: `12-80`."""
    match = PART.fullmatch(spec.strip()) if spec else None
    return match is not None and match[2] is not None


def resolve_tokens(spec: str, axis: Axis, option: str) -> list[int]:
    """The positions that `--query` or `--key` names on this axis, first occurrence first.

    A number is an index among the tokens that are not padding, or failing that a word; `5#1` is
    always the word. A word matches, whatever its case, a whole word or else a token. Raises
    SelectionError when there is no such token.
    """
    text = spec.strip()
    match = PART.fullmatch(text)
    if match is not None:
        named = _positions(match, axis)
        if named:
            return named
    found = occurrences(text, axis)
    if found:
        return list(found[0])
    if match is not None:
        count = sum(position >= 0 for position in axis.positions)
        first, last = match[1], match[2] or match[1]
        if all(-count <= int(end) < count for end in (first, last)):
            raise SelectionError(f"{option} {text}: the range runs backwards",
                                 f"write {last}-{first}")  # fmt: skip
        raise SelectionError(
            f"{option} {text} does not exist: there are tokens {ranges(range(count))}",
            f"write {TOKEN_FORMS}",
        )
    numbered = OCCURRENCE.fullmatch(text)
    if numbered is None:
        raise _unknown(text, axis, option)
    word, number = numbered[1], int(numbered[2])
    found = occurrences(word, axis)
    if not found:
        raise _unknown(word, axis, option)
    if not 1 <= number <= len(found):
        times = "once" if len(found) == 1 else f"{len(found)} times"
        raise SelectionError(f"{option} {text} does not exist: {word} occurs {times}",
                             f"count from 1: {word}#1")  # fmt: skip
    return list(found[number - 1])


def require_one(spec: str, axis: Axis, option: str) -> None:
    """Raise SelectionError for a word that occurs several times, where one is meant."""
    text = spec.strip()
    match = PART.fullmatch(text)
    found = [] if match is not None and _positions(match, axis) else occurrences(text, axis)
    if len(found) > 1:
        where = ", ".join(str(one[0]) for one in found[:8]) + (", …" if len(found) > 8 else "")
        raise SelectionError(
            f"{option} {text} could be any of {len(found)} tokens: {where}",
            f"say which: {text}#1, {text}#2 or an index",
        )


def occurrences(word: str, axis: Axis) -> list[tuple[int, ...]]:
    """The positions of every occurrence of a word: as a whole word, or failing that as a token."""
    wanted = bare(word)
    groups = word_groups(axis)
    whole = [g for g in groups if bare(joined_label([axis.labels[i] for i in g])) == wanted]
    if whole:
        return whole
    return [(i,) for i, label in enumerate(axis.labels) if bare(label) == wanted]


def bare(label: str) -> str:
    """A label without space marks and case, for comparison."""
    text = label.strip().removeprefix("▁").removeprefix("Ġ").strip()
    return (text.removeprefix("##") if len(text) > 2 else text).casefold()


def _positions(match: re.Match[str], axis: Axis) -> list[int]:
    """The positions of `5`, `-1` or `12-80`, empty when one end does not exist."""
    real = [i for i, position in enumerate(axis.positions) if position >= 0]
    ends = [int(match[1]), int(match[1] if match[2] is None else match[2])]
    if not all(-len(real) <= end < len(real) for end in ends):
        return []
    first, last = (end % len(real) for end in ends)
    return real[first : last + 1]


def _unknown(word: str, axis: Axis, option: str) -> SelectionError:
    """The error for a word that is not there, with the nearest ones."""
    texts = {bare(joined_label([axis.labels[i] for i in g])): None for g in word_groups(axis)}
    near = get_close_matches(bare(word), [text for text in texts if text], n=3, cutoff=0.5)
    if near:
        hint = f"near it: {', '.join(near)}"
    else:
        some = [f"{i} {text}" for i, text in enumerate(texts) if text][:12]
        hint = f"there are {', '.join(some)}{', …' if len(texts) > 12 else ''}"
    return SelectionError(f"{option} {word}: no token or word of the text reads so", hint)
