"""The console that pictures are printed on."""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING, Any, Literal

from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Mapping

ColorWhen = Literal["auto", "always", "never"]
SAMPLE = "░▒▓█·×–…✓│─▌▀"


class PictureConsole(Console):
    """A rich console that knows whether it may print more than ASCII."""

    def __init__(self, *, ascii_only: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.ascii_only = ascii_only


def make_console(
    width: int | None = None,
    color: ColorWhen = "auto",
    ascii: bool = False,
    file: IO[str] | None = None,
    environ: Mapping[str, str] | None = None,
    stderr: bool = False,
) -> PictureConsole:
    """A console that prints tokens as they are: no markup, no emoji names, no highlighting.

    `auto` follows the terminal and NO_COLOR, TERM, COLORTERM, FORCE_COLOR and COLUMNS; `always`
    colours pipes too; `never` prints no style at all. ASCII is chosen when asked for and where
    the file's encoding cannot take the glyphs; `is_ascii` tells.
    """
    env = dict(os.environ if environ is None else environ)
    return PictureConsole(
        ascii_only=ascii,
        width=width,
        file=file,
        stderr=stderr,
        markup=False,
        emoji=False,
        highlight=False,
        soft_wrap=False,
        force_terminal=True if color == "always" else None,
        no_color={"always": False, "never": True}.get(color),
        color_system=_system(color, env),
        legacy_windows=False,
        _environ=env,
    )


def is_ascii(console: Console) -> bool:
    """Whether only ASCII may be printed: asked for, or the encoding takes nothing else."""
    if isinstance(console, PictureConsole) and console.ascii_only:
        return True
    try:
        SAMPLE.encode(console.encoding)
    except (UnicodeEncodeError, LookupError):
        return True
    return False


def _system(color: ColorWhen, env: Mapping[str, str]) -> Literal["auto", "256", "truecolor"] | None:
    """The colour system to ask rich for."""
    if color == "never":
        return None
    if color == "auto":
        return "auto"
    return "truecolor" if env.get("COLORTERM", "").lower() in ("truecolor", "24bit") else "256"
