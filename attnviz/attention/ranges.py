"""Numbers as people write them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def ranges(numbers: Iterable[int]) -> str:
    """`0-5, 7` for 0, 1, 2, 3, 4, 5, 7."""
    values = sorted(set(numbers))
    parts: list[str] = []
    start: int | None = None
    previous: int | None = None
    for value in [*values, None]:
        if previous is not None and value != previous + 1:
            parts.append(str(start) if start == previous else f"{start}-{previous}")
            start = None
        if start is None:
            start = value
        previous = value
    return ", ".join(parts) or "none"
