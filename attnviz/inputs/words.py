"""Which tokens make one word: text between spaces and punctuation, in any script."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

Span = tuple[int, int]

# Scripts that put no space between words: there every token is a word of its own.
UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]"
)
JOINERS = "\u200c\u200d"


def number_words(
    labels: Sequence[str],
    texts: Sequence[str],
    spans: Sequence[Span | None],
    special: Sequence[bool],
    segments: Sequence[int],
) -> tuple[int | None, ...]:
    """The number of each token's word, counted from 0 over all segments; None for special tokens.

    `texts[segment]` is what the spans of that segment point into. A token without a span is a word
    of its own; a token of nothing but spaces belongs to the word behind it.
    """
    words: list[int | None] = []
    count = -1
    before: tuple[int, Span | None] | None = None
    after_space = False
    for label, span, is_special, segment in zip(labels, spans, special, segments, strict=True):
        if is_special or (before is not None and before[0] != segment):
            before, after_space = None, False
        if is_special:
            words.append(None)
            continue
        joined = after_space or (
            before is not None
            and before[1] is not None
            and span is not None
            and continues(texts[segment], before[1], span)
        )
        count += not joined
        words.append(count)
        before, after_space = (segment, span), not label.strip(" ")
    return tuple(words)


def continues(text: str, before: Span, here: Span) -> bool:
    """Whether the token at `here` goes on with the word of the token at `before`."""
    if here[0] < before[1]:
        return True
    if here[0] > before[1]:
        return False
    last, first = text[before[1] - 1], text[here[0]]
    if is_mark(first) or last in JOINERS:
        return True
    if UNSPACED.match(last) or UNSPACED.match(first):
        return False
    return is_letter(last) and is_letter(first)


def is_letter(char: str) -> bool:
    """Whether a word may hold this character next to a letter."""
    return unicodedata.category(char)[0] in "LN" or is_mark(char)


def is_mark(char: str) -> bool:
    """Whether it belongs to the character before it: an accent, a joiner, an emoji's colour."""
    return (
        unicodedata.category(char)[0] == "M"
        or char in JOINERS
        or "\U0001f3fb" <= char <= "\U0001f3ff"
    )
