"""Which fonts can draw which texts, and what to do about texts that none can."""

from __future__ import annotations

import contextlib
import unicodedata
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib import font_manager
from matplotlib.ft2font import FT2Font

from attnviz.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

BASE, BOXES = "DejaVu Sans", "Last Resort"  # both come with matplotlib
FIRST = ("Noto Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "Source Han Sans SC", "PingFang SC",
         "Microsoft YaHei", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "SimHei",
         "Noto Sans Arabic", "Symbola", "Noto Emoji")  # fmt: skip
PACKAGES = {"CJK": "fonts-noto-cjk", "HIRAGANA": "fonts-noto-cjk", "KATAKANA": "fonts-noto-cjk",
            "HANGUL": "fonts-noto-cjk"}  # fmt: skip


def families(texts: Iterable[str], font: str | None) -> list[str]:
    """The font families that together draw these texts as far as installed ones can."""
    found = [*([named(font)] if font else []), BASE]
    missing = set().union(*map(set, texts)) - glyphs_of(found)
    for family in candidates() if missing else ():
        new = missing & characters(family)
        if new:
            found.append(family)
            missing -= new
        if not missing:
            break
    return found


def named(font: str) -> str:
    """The family of a font given by name or as a file. Raises UsageError when there is none."""
    path = Path(font)
    if path.suffix.lower() in (".ttf", ".otf", ".ttc"):
        try:
            font_manager.fontManager.addfont(path)
        except (OSError, RuntimeError) as error:
            raise UsageError(f"--font {font} is no font that can be read", str(error)) from None
        return font_manager.FontProperties(fname=path).get_name()
    if font not in font_manager.get_font_names():
        raise UsageError(f"--font {font} is not installed", "give a .ttf or .otf file, or fc-list")
    return font


def candidates() -> list[str]:
    """The installed families, those first that are known to draw much; none of mere boxes.

    Fonts that were installed since matplotlib made its list are added to it.
    """
    manager = font_manager.fontManager
    for path in set(font_manager.findSystemFonts()) - {one.fname for one in manager.ttflist}:
        with contextlib.suppress(OSError, RuntimeError):
            manager.addfont(path)
    installed = [name for name in font_manager.get_font_names() if not name.startswith(BOXES)]
    return [*(one for one in FIRST if one in installed), *sorted(set(installed) - set(FIRST))]


def glyphs_of(found: Iterable[str]) -> set[str]:
    """The characters that one of the families has."""
    return set().union(*map(characters, found))


@lru_cache(maxsize=64)
def characters(family: str) -> frozenset[str]:
    """The characters that the family's font has; none when it cannot be read."""
    fonts = sorted(
        (one for one in font_manager.fontManager.ttflist if one.name == family),
        key=lambda one: (one.style != "normal", str(one.weight) not in ("400", "normal")),
    )
    try:
        return frozenset(map(chr, FT2Font(fonts[0].fname).get_charmap())) if fonts else frozenset()
    except (OSError, RuntimeError):
        return frozenset()


def drawable(text: str, found: frozenset[str]) -> bool:
    """Whether every character of the text has a glyph."""
    return all(char in found or char == "\u200d" for char in text)


def advice(missing: Iterable[str]) -> str:
    """What to install for these characters."""
    packages = {package_for(char) for char in missing}
    return f"install {' '.join(sorted(packages))} (Debian's names) or give --font FILE"


def package_for(char: str) -> str:
    """The Debian package whose fonts have this character, as far as its name tells."""
    name = unicodedata.name(char, "")
    if unicodedata.category(char) == "So":
        return "fonts-symbola"
    return next((package for word, package in PACKAGES.items() if word in name), "fonts-noto-core")
