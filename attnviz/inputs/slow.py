"""Finds the tokens of a slow tokenizer in the text; fast ones say it themselves."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

Span = tuple[int, int]

ESCAPED_BYTES = re.compile(r"(?:\\x[0-9a-f]{2})+")
# How many letters may be passed over for every token that could not be found.
REACH = 12


def locate(labels: Sequence[str], text: str) -> list[Span | None]:
    """Where each label stands in the text, in order; None for one that cannot be found.

    Case and accents may differ. Labels that are bytes of one character share its span. A label
    that stands for other text (an unknown word) gets what is left between its neighbours.
    """
    letters, places = folded(text)
    spans: list[Span | None] = [None] * len(labels)
    cursor, number, lost = 0, 0, 0
    while number < len(labels):
        stop, wanted = gather(labels, number)
        start = cursor if wanted.isspace() else skip_space(letters, cursor)
        found = letters.find(wanted, start, start + len(wanted) + lost * REACH) if wanted else -1
        if found >= 0:
            span = (places[found], places[found + len(wanted) - 1] + 1)
            spans[number:stop] = [span] * (stop - number)
            cursor, lost = found + len(wanted), 0
        else:
            lost += 1
        number = stop
    return between(spans, text)


def between(spans: Sequence[Span | None], text: str) -> list[Span | None]:
    """The spans, where a single unknown one is what its neighbours leave of the text."""
    out = list(spans)
    for i, span in enumerate(spans):
        before = spans[i - 1] if i else (0, 0)
        after = spans[i + 1] if i + 1 < len(spans) else (len(text), len(text))
        if span is not None or before is None or after is None:
            continue
        gap = text[before[1] : after[0]]
        if gap.strip():
            start = before[1] + len(gap) - len(gap.lstrip())
            out[i] = (start, start + len(gap.strip()))
    return out


def gather(labels: Sequence[str], start: int) -> tuple[int, str]:
    """The label at `start` as folded text; bytes of one character are taken together."""
    if not ESCAPED_BYTES.fullmatch(labels[start]):
        wanted = folded(labels[start])[0]
        return start + 1, wanted.strip() or wanted
    data, stop = b"", start
    while stop < len(labels) and len(data) < 4 and ESCAPED_BYTES.fullmatch(labels[stop]):
        data += bytes.fromhex(labels[stop].replace("\\x", ""))
        stop += 1
        try:
            return stop, folded(data.decode("utf-8"))[0]
        except UnicodeDecodeError:
            continue
    return start + 1, ""


def folded(text: str) -> tuple[str, list[int]]:
    """The text without case, accents and compatibility forms, and where each letter came from."""
    letters: list[str] = []
    places: list[int] = []
    for place, char in enumerate(text):
        for letter in unicodedata.normalize("NFKD", char).casefold():
            if not unicodedata.combining(letter):
                letters.append(letter)
                places.append(place)
    return "".join(letters), places


def skip_space(text: str, cursor: int) -> int:
    """The first place from `cursor` on that is no space."""
    while cursor < len(text) and text[cursor].isspace():
        cursor += 1
    return cursor


def find_part(ids: Sequence[int], part: Sequence[int], start: int) -> tuple[int, int]:
    """Where the tokens of `part`, or as many of them as were kept, stand in `ids`.

    `(start, start)` when they are not there.
    """
    for begin in range(start, len(ids)):
        end = begin
        while end < len(ids) and end - begin < len(part) and ids[end] == part[end - begin]:
            end += 1
        if end - begin == len(part) and part:
            return begin, end
    return longest_prefix(ids, part, start)


def longest_prefix(ids: Sequence[int], part: Sequence[int], start: int) -> tuple[int, int]:
    """The longest run of `ids` that begins as `part` does: a part that was cut short."""
    best = (start, start)
    for begin in range(start, len(ids)):
        end = begin
        while end < len(ids) and end - begin < len(part) and ids[end] == part[end - begin]:
            end += 1
        if end - begin > best[1] - best[0]:
            best = (begin, end)
    return best
