"""Bytes and texts into files or standard output, whole or not at all."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, BinaryIO

from attnviz.errors import OutputError, UsageError
from attnviz.files import found, passes_on, refusals, written

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STDOUT = "-"


def write_file(path: Path, fill: Callable[[BinaryIO], object]) -> None:
    """Let `fill` write the file, whole or not at all; `-` is stdout. Folders are made.

    A terminal gets text with its control characters spelled out. Raises OutputError, UsageError
    for anything but text on a terminal or on a stream of text.
    """
    if str(path) != STDOUT:
        make_folder(path)
        with written(path) as temporary, temporary.open("wb") as file:
            fill(file)
        return
    sys.stdout.flush()
    buffer = getattr(sys.stdout, "buffer", None)
    if buffer is not None and not sys.stdout.isatty():
        fill(buffer)
        return
    shown = io.BytesIO()
    fill(shown)
    sys.stdout.write(as_text(shown.getvalue(), visibly=sys.stdout.isatty()))


def as_text(data: bytes, visibly: bool) -> str:
    """The contents of a file as a stream of text may show them. Raises UsageError unless text."""
    from attnviz.render.text.safe import visible

    try:
        return visible(data.decode()) if visibly else data.decode()
    except UnicodeDecodeError:
        where = "the terminal" if visibly else "a stream of text"
        raise UsageError(
            f"-o - is {where}, and this is no text", "write to a file, or pipe it on"
        ) from None


def make_folder(path: Path) -> None:
    """Make the folder that the file is to lie in. Raises OutputError."""
    writable(path)
    with refusals(path):
        found(path)[0].parent.mkdir(parents=True, exist_ok=True)


def writable(path: Path) -> None:
    """Raise OutputError when the file cannot be made; asked before any model runs."""
    with refusals(path):
        if path.is_dir():
            raise OutputError(f"cannot write {path}: it is a folder", "name a file in it")
        folder = next(parent for parent in path.parents if parent.exists())
        if not folder.is_dir():
            raise OutputError(f"cannot write {path}: {folder} is no folder", "choose another place")
        place, there = found(path)
        folder = next(one for one in place.parents if one.exists())
        needed = [path] if there is not None else []
        needed += [] if there is not None and passes_on(there) else [folder]
    if not all(os.access(one, os.W_OK) for one in needed):
        raise OutputError(f"cannot write {path}: permission denied", "choose another place")
