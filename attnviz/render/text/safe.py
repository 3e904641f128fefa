"""Tokens as text that is safe to print and has a known width.

Tokens are data: they may hold escape sequences, controls, lone surrogates, marks that turn the
line around, or nothing visible at all. Whatever does not print as one plain glyph is spelled out.
Letters of right-to-left scripts print as themselves: a terminal that reorders them may move the
figures of the same line, and marks that prevent it would end up in files and pipes.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from rich.cells import cell_len

SPACE_MARK = "▁"  # SentencePiece; labels are decoded, so that Ġ is a letter here
NAMED = {"\n": "⏎", "\x1b": "␛", "\t": "\\t", "\r": "\\r"}
BLANK_LETTERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
UNSURE = (
    (0xFE00, 0xFE0F),  # variation selectors: terminals disagree on the width they give
    (0xE0000, 0xE0FFF),
    (0x1F1E6, 0x1F1FF),  # regional indicators, one flag or two letters
    (0x180B, 0x180F),
)
MODIFIERS = (0x1F3FB, 0x1F3FF)  # skin tones join the emoji before them, or do not
MOST_MARKS = 3


@lru_cache(maxsize=65536)
def display(label: str, ascii_only: bool = False) -> str:
    """The label as printable text without space marks around it.

    Only spaces: `␣` for each. Controls, invisible and unassigned characters are spelled out
    (`\\x07`, `<U+202E>`, `\\ud83d`), a mark without its letter stands on a dotted circle.
    """
    text = unicodedata.normalize("NFC", label)
    if not text.strip(" " + SPACE_MARK):
        shown = "␣" * len(text)
    else:
        if text[0] == SPACE_MARK:
            text = text[1:]
        shown = _spelled(text.strip(" "))
    return _ascii(shown) if ascii_only else shown


def visible(text: str) -> str:
    """The text with everything that does not print spelled out, but for line feeds and tabs.

    Unlike a label it keeps its spaces and the letters as they are.
    """
    return "".join(
        char if char.isprintable() or char in "\n\t" else _glyph(char, unicodedata.category(char))
        for char in text
    )


def fit(text: str, width: int, ellipsis: str = "…") -> str:
    """The text in at most `width` cells, its end replaced by an ellipsis where it is longer."""
    if width <= 0:
        return ""
    if cell_len(text) <= width:
        return text
    room, kept = width - 1, ""
    for char in text:
        if cell_len(kept + char) > room:
            break
        kept += char
    return kept + ellipsis


def _spelled(text: str) -> str:
    out: list[str] = []
    marks = 0
    for i, char in enumerate(text):
        category = unicodedata.category(char)
        if category[0] == "M" and not _odd(char):
            marks += 1
            if i == 0 or len(out[-1]) > 1:
                out.append("◌")
            out.append(char if marks <= MOST_MARKS else code(char))
            continue
        marks = 0
        after = bool(out) and MODIFIERS[0] <= ord(char) <= MODIFIERS[1]
        out.append(code(char) if after else _glyph(char, category))
    shown = "".join(out)
    return shown if cell_len(shown) == sum(map(cell_len, out)) else "".join(map(_alone, out))


def _glyph(char: str, category: str) -> str:
    """One character as itself or spelled out."""
    if char in NAMED:
        return NAMED[char]
    if category == "Cc":
        return f"\\x{ord(char):02x}"
    if category == "Cs":
        return f"\\u{ord(char):04x}"
    if category == "Zs":
        return " "
    if category in ("Cf", "Cn", "Co", "Zl", "Zp") or _odd(char) or cell_len(char) == 0:
        return code(char)
    return char


def _odd(char: str) -> bool:
    """Whether terminals disagree on this character, or show nothing for it."""
    return char in BLANK_LETTERS or any(a <= ord(char) <= b for a, b in UNSURE)


def _alone(shown: str) -> str:
    """A character of a sequence whose width is in doubt: spelled out unless it is simple."""
    return shown if len(shown) > 1 or ord(shown) < 0x300 else code(shown)


def code(char: str) -> str:
    """`<U+202E>`."""
    return f"<U+{ord(char):04X}>"


def _ascii(text: str) -> str:
    """The text in ASCII: named marks by name, other characters as escapes."""
    named = {"⏎": "\\n", "␣": "_", "␛": "\\x1b", "◌": ""}
    return "".join(named.get(c, c) for c in text).encode("ascii", "backslashreplace").decode()
