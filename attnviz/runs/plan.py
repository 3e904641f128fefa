"""What a run will keep and what that costs, decided before it starts."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from attnviz.errors import UsageError
from attnviz.observe.retained import POOLED_SIDE, TOP_KEYS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


UNITS = {"": 1, "B": 1} | {  # KB is decimal, KiB, Ki and K are binary
    prefix + rest: (1000 if rest == "B" else 1024) ** power
    for power, prefix in enumerate("KMGT", start=1)
    for rest in ("", "I", "IB", "B")
}
TOP_BYTES = 8  # an int32 key and a float32 weight
HEAD_BYTES = 256  # all that is one number per head, or a few

Keeps = Literal["whole", "pooled", "bins", "scores"]
# What is kept beside the scores, in the order in which it gives way.
KEEPS: dict[Keeps, str] = {
    "whole": "whole maps",
    "pooled": "pooled maps and top keys",
    "bins": "pooled maps",
    "scores": "scores only",
}


@dataclass(frozen=True)
class Plan:
    """What is kept of every head, so that it takes at most `budget` bytes: `kept` of them.

    `maps` is what whole maps of everything selected need, in bytes. Where `keeps` is not whole,
    pooled maps have at most `side` bins a side, and `top` keys are kept of every query.
    """

    budget: int
    maps: int
    keeps: Keeps = "whole"
    side: int = POOLED_SIDE[1]
    top: int = TOP_KEYS[1]
    kept: int = 0

    @property
    def note(self) -> str:
        """What was pooled or dropped, and why."""
        done = {
            "whole": "maps pooled",
            "pooled": f"maps pooled to {self.side} × {self.side}, "
            f"{self.top} heaviest keys of every query kept",
            "bins": f"maps pooled to {self.side} × {self.side}, heaviest keys dropped",
            "scores": "maps dropped, scores kept",
        }[self.keeps]
        return f"{done}: whole ones take {human(self.maps)}, --memory allows {human(self.budget)}"

    def __str__(self) -> str:
        return f"{KEEPS[self.keeps]}, {human(self.kept)}; {human(self.budget)} are allowed"


class Size(NamedTuple):
    """How large one observed site is, and the window that is kept of it (rows × columns)."""

    heads: int
    queries: int
    keys: int
    rows: int = 0
    columns: int = 0

    @property
    def map(self) -> int:
        """Bytes of its whole maps."""
        return 4 * self.heads * self.queries * self.keys

    @property
    def mask(self) -> int:
        """Bytes of the mask that is kept beside whole maps."""
        return self.queries * self.keys if self.heads else 0

    @property
    def scores(self) -> int:
        """Bytes of its scores, row sums, column means and links."""
        per_head = 4 * (self.queries + self.keys) + HEAD_BYTES
        return self.heads * per_head + 16 * self.queries if self.heads else 0

    @property
    def window(self) -> int:
        """Bytes of the window with its mask."""
        return (4 * self.heads + 1) * self.rows * self.columns if self.heads else 0

    def pooled(self, side: int) -> int:
        """Bytes of its maps in at most `side` bins a side, by mass and by maximum."""
        cells = min(side, self.queries) * min(side, self.keys)
        return 4 * (2 * self.heads + 1) * cells if self.heads else 0

    def top(self, count: int) -> int:
        """Bytes of the `count` heaviest keys of every query."""
        return TOP_BYTES * self.heads * self.queries * min(count, self.keys)


def make_plan(sizes: Sequence[Size], memory: str | None) -> Plan:
    """The plan for sites of these sizes, under `--memory`: the first of `KEEPS` that fits.

    Raises UsageError when not even the scores do, with the windows that were asked for.
    """
    budget = free_memory() // 4 if memory is None else parse_bytes(memory)
    maps, scores = sum(one.map for one in sizes), sum(one.scores for one in sizes)
    whole = scores + maps + sum(one.mask for one in sizes)
    if whole <= budget:
        return Plan(budget, maps, kept=whole)
    windows = sum(one.window for one in sizes)
    least = scores + windows
    if least > budget:
        what = "the scores and what --query and --key name" if windows else "the scores alone"
        raise UsageError(
            f"--memory {human(budget)} is not enough: {what} take {human(least)}",
            "allow more, or select fewer layers, heads or tokens",
        )
    for keeps, side, top in smaller(sizes, budget - least):
        rest = sum(one.pooled(side) + one.top(top) for one in sizes)
        if least + rest <= budget:
            return Plan(budget, maps, keeps, side, top, least + rest)
    return Plan(budget, maps, "scores", 0, 0, least)


def smaller(sizes: Sequence[Size], room: int) -> Iterator[tuple[Keeps, int, int]]:
    """(what, side of pooled maps, top keys) to try in turn, so that both share the room."""
    least, most = TOP_KEYS
    maps = max(1, sum(2 * one.heads + 1 for one in sizes if one.heads))  # see Size.pooled
    each = max(1, sum(one.top(1) for one in sizes))
    for top in (max(least, min(most, room // (2 * each))), least, 0):
        left = max(0, room - top * each)
        side = max(POOLED_SIDE[0], min(POOLED_SIDE[1], math.isqrt(left // (4 * maps))))
        yield "pooled" if top else "bins", side, top


def parse_bytes(text: str) -> int:
    """`4GiB`, `4GB`, `512M`, `1.5g` or a plain number as bytes."""
    digits = text.strip().rstrip("iIbB" + "kKmMgGtT")
    unit = text.strip()[len(digits) :].upper()
    try:
        size = int(float(digits) * UNITS[unit])
    except (ValueError, KeyError, OverflowError):
        size = -1
    if size < 0:
        raise UsageError(f"--memory {text} is no size", "write for example 4GiB, 4GB or 512M")
    return size


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
