"""Amounts of memory: as people write them, in bytes, and what is free."""

from __future__ import annotations

import os
from pathlib import Path

from attnviz.errors import UsageError

UNITS = {"": 1, "B": 1} | {  # KB is decimal, KiB, Ki and K are binary
    prefix + rest: (1000 if rest == "B" else 1024) ** power
    for power, prefix in enumerate("KMGT", start=1)
    for rest in ("", "I", "IB", "B")
}


def bytes_of(memory: int | str | None, name: str) -> int | None:
    """The memory in bytes, given as a number or like "4GiB"; None stays None.

    Raises UsageError about the option or parameter `name`.
    """
    if memory is None:
        return None
    if isinstance(memory, str):
        return parse_bytes(memory, name)
    try:
        size = -1 if isinstance(memory, bool) else int(memory)
    except (TypeError, ValueError, OverflowError):
        size = -1
    if size < 0:
        raise no_size(memory, name)
    return size


def parse_bytes(text: str, name: str = "--memory") -> int:
    """`4GiB`, `4GB`, `512M`, `1.5g` or a plain number as bytes."""
    digits = text.strip().rstrip("iIbB" + "kKmMgGtT")
    unit = text.strip()[len(digits) :].upper()
    try:
        size = int(float(digits) * UNITS[unit])
    except (ValueError, KeyError, OverflowError):
        size = -1
    if size < 0:
        raise no_size(text, name)
    return size


def no_size(given: object, name: str) -> UsageError:
    """The error for what is no amount of memory."""
    return UsageError(f"{name} {given} is no size", "write for example 4GiB, 4GB or 512M")


def human(size: float) -> str:
    """A number of bytes as people write it."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def free_memory() -> int:
    """Bytes of main memory that can be used without swapping."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        available = next(line for line in lines if line.startswith("MemAvailable"))
        return int(available.split()[1]) * 1024
    except (OSError, StopIteration, ValueError):
        pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return pages // 2
