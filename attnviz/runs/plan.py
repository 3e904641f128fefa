"""What a run will keep and what that costs, decided before it starts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from attnviz.attention.kept import ALLOWED, grouped, look_up, table
from attnviz.errors import UsageError
from attnviz.observe.retained import POOLED_SIDE, TOP_KEYS
from attnviz.runs.memory import free_memory, human

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from attnviz.attention.kept import KeptArray


HEAD_BYTES = 256  # of arrays that do not grow with the text: a number per head, or a few

PARTS = ("pooled", "top", "window")  # groups of arrays that are kept where maps are not whole

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
        return self.nbytes([look_up("weights")])

    @property
    def mask(self) -> int:
        """Bytes of the mask that is kept beside whole maps."""
        return self.nbytes([ALLOWED])

    @property
    def scores(self) -> int:
        """Bytes of its scores, and of what else is kept beside maps of any kind."""
        arrays = (array for array in table() if array.group not in PARTS)
        beside = [array for array in arrays if array.name != "weights"]
        return self.nbytes(beside) + HEAD_BYTES * self.heads

    @property
    def window(self) -> int:
        """Bytes of the window with its mask."""
        size = {"window query": self.rows, "window key": self.columns}
        return self.nbytes(grouped()["window"], size)

    def pooled(self, side: int) -> int:
        """Bytes of its maps in at most `side` bins a side, by mass and by maximum."""
        bins = {"query bin": min(side, self.queries), "key bin": min(side, self.keys)}
        return self.nbytes(grouped()["pooled"], bins)

    def top(self, count: int) -> int:
        """Bytes of the `count` heaviest keys of every query."""
        return self.nbytes(grouped()["top"], {"top key": min(count, self.keys)})

    def nbytes(self, arrays: Iterable[KeptArray], more: Mapping[str, int] | None = None) -> int:
        """Bytes of those of these arrays that grow with the text."""
        sizes = {"head": self.heads, "query": self.queries, "key": self.keys, **(more or {})}
        grown = (array.nbytes(sizes) for array in arrays if array.grows)
        return sum(grown) if self.heads else 0


def make_plan(sizes: Sequence[Size], memory: int | None) -> Plan:
    """The plan for sites of these sizes, under this memory: the first of `KEEPS` that fits.

    Raises UsageError when not even the scores do, with the windows that were asked for.
    """
    budget = free_memory() // 4 if memory is None else memory
    maps, scores = sum(one.map for one in sizes), sum(one.scores for one in sizes)
    whole = scores + maps + sum(one.mask for one in sizes)
    if whole <= budget:
        return Plan(budget, maps, kept=whole)
    windows = sum(size.window for size in sizes)
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
    cell = max(1, sum(size.pooled(1) for size in sizes))
    each = max(1, sum(one.top(1) for one in sizes))
    for top in (max(least, min(most, room // (2 * each))), least, 0):
        left = max(0, room - top * each)
        side = max(POOLED_SIDE[0], min(POOLED_SIDE[1], math.isqrt(left // cell)))
        yield "pooled" if top else "bins", side, top
