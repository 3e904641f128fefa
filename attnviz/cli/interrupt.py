"""Ctrl-C: it ends the command with code 130, whatever a library makes of it."""

from __future__ import annotations

import os
import signal
from typing import NoReturn

CODE = 130
seen: list[int] = []  # the interrupts so far: one that falls into an import may be swallowed


def heeded() -> bool:
    """Whether Ctrl-C is ours to handle: `nohup` and `&` in scripts have it ignored."""
    return signal.getsignal(signal.SIGINT) is signal.default_int_handler


def leave(number: int, frame: object) -> NoReturn:
    """End at once, as long as there is nothing to undo."""
    os._exit(CODE)


def interrupt(number: int, frame: object) -> NoReturn:
    """Raise KeyboardInterrupt, and remember it."""
    seen.append(number)
    raise KeyboardInterrupt
