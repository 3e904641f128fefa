"""One input as the user gave it."""

from __future__ import annotations

import re
from dataclasses import dataclass

PAIRED = re.compile("[\ud800-\udbff][\udc00-\udfff]")
LONE = re.compile("[\ud800-\udfff]")
EXAMPLE = "The cat sat on the mat because it was tired."  # where nobody chose a text


@dataclass(frozen=True, slots=True)
class Text:
    """A text, its pair and its target, where they were given; `where` is file and line.

    `source_lang` and `target_lang` are the codes of their languages, for models that mark them.
    """

    text: str
    pair: str | None = None
    target: str | None = None
    where: str = ""
    source_lang: str | None = None
    target_lang: str | None = None


def without_surrogates(text: str) -> tuple[str, int]:
    """The text with every lone surrogate replaced by U+FFFD, and how many there were.

    Two surrogates that make one character together are joined.
    """
    joined = PAIRED.sub(lambda two: two[0].encode("utf-16", "surrogatepass").decode("utf-16"), text)
    return LONE.subn("\ufffd", joined)
