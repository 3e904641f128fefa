"""Heads compared: groups, neighbours, chosen heads side by side, matrices."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from attnviz.render.terminal.canvas import Canvas, Line
from attnviz.render.terminal.head_grid import STYLES
from attnviz.render.terminal.head_maps import head_maps
from attnviz.render.terminal.head_screen import fitted_map
from attnviz.render.terminal.head_table import short
from attnviz.render.terminal.registry import TERMINAL
from attnviz.views.compare.comparison import DistanceMatrix, HeadGroups, LikeHead, SideBySide
from attnviz.views.maps.scales import number

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from attnviz.views.compare.comparison import HeadGroup, HeadPair
    from attnviz.views.compare.contrast import Contrast
    from attnviz.views.heads.head import Head

Compared = HeadGroups | LikeHead | SideBySide | DistanceMatrix
NAME = 12  # columns of what a head does
BARS = " ▁▂▃▄▅▆▇█"
MOST_NAMES = 40  # heads that are named of one group
LISTED = 10  # pairs of chosen heads that are listed


@TERMINAL.draws(SideBySide)
def side_by_side(view: SideBySide, canvas: Canvas) -> Iterator[Line]:
    """The maps of chosen heads, and how far every two are apart."""
    yield from head_maps(view.maps, canvas)
    yield Line()
    yield from pair_lines(view.pairs[:LISTED], len(view.pairs), view.queries, canvas)


@TERMINAL.draws(DistanceMatrix)
def distances(view: DistanceMatrix, canvas: Canvas) -> Iterator[Line]:
    """The distances of every two heads, or layers, as a map."""
    between = "heads, in the order of their groups" if view.what == "heads" else "layers"
    yield from canvas.prose(heading(f"Distances between {between}", view, canvas))
    yield from fitted_map(view.shown, None, canvas)
    yield from shared(view, canvas)


def heading(title: str, view: Compared | Contrast, canvas: Canvas) -> list[tuple[str, str]]:
    """The title and how distances are measured."""
    where = f" · {view.stack}" if view.several else ""
    count = f"{view.queries:,} quer{'y' if view.queries == 1 else 'ies'}"
    how = f"   distance 0 to 1: Jensen-Shannon, mean over {count}"
    return [(canvas.text(f"{title}{where}"), "bold"), (how, "dim")]


@TERMINAL.draws(HeadGroups)
def groups(view: HeadGroups, canvas: Canvas) -> Iterator[Line]:
    """A line per group, the heads like no other, and the nearest pairs."""
    yield from canvas.prose(heading("Heads that attend alike", view, canvas))
    alike = [group for group in view.groups if len(group.heads) > 1]
    alone = [one.typical for one in view.groups if len(one.heads) == 1]
    layers = sorted({head.layer for head in view.heads})
    if alike:
        most = max(max(Counter(h.layer for h in one.heads).values()) for one in alike)
        left = max(5, len(str(len(alike[0].heads))) + 2)
        bar = max(len(layers), 6) + 2
        titles = ["heads".ljust(left), "layers".ljust(bar), "typical".ljust(9), "does".ljust(NAME)]
        yield Line("  ".join(titles) + "  within  members", "dim")
        shown = alike[: view.top]
        for one in shown:
            yield from group_lines(one, layers, most, (left, bar), canvas)
        if len(alike) > len(shown):
            rest = f"… {len(alike) - len(shown):,} more groups: --top {len(alike)}"
            yield Line(canvas.text(rest), "dim")
    if alone:
        words = [(f"{len(alone)} like no other  ", "dim"), (named(alone, MOST_NAMES), "")]
        yield from canvas.prose(words, 4)
    yield Line()
    nearest = [
        f"{one.label} {other.label} {short(far)}" + " same keys" * view.same_keys(one, other)
        for one, other, far in view.pairs
    ]
    yield from canvas.prose([("nearest pairs  ", "dim"), ("   ".join(nearest), "")], 4)
    yield from shared(view, canvas)


def shared(view: HeadGroups | DistanceMatrix, canvas: Canvas) -> Iterator[Line]:
    """How far heads of a layer are apart with the same keys, and without."""
    if view.sharing:
        same, others = view.sharing
        how = f"{short(same)} with the same keys (every {view.share} heads), {short(others)} others"
        yield from canvas.prose([("two heads of a layer  ", "dim"), (how, "")], 4)


def group_lines(
    group: HeadGroup, layers: Sequence[int], most: int, widths: tuple[int, int], canvas: Canvas
) -> list[Line]:
    """One group: its size, its layers, the typical head and what that does, the members."""
    left, bar = widths
    counts = Counter(head.layer for head in group.heads)
    line = Line(str(len(group.heads)).rjust(3), "bold").pad(left + 2)
    line.add("".join(spark(counts[layer], most, canvas) for layer in layers), "cyan")
    line.pad(left + 2 + bar + 2).add(group.typical.label, "bold").pad(left + bar + 4 + 9 + 2)
    line.join(does(group.typical, canvas)).pad(left + bar + 4 + 11 + NAME + 2)
    line.add(short(group.within).rjust(6)).add("  ")
    return canvas.prose([(named(group.heads, MOST_NAMES), "dim")], left + 2, line)


def spark(count: int, most: int, canvas: Canvas) -> str:
    """A bar for a layer's share of a group; a digit where bars cannot be drawn."""
    if canvas.ascii:
        return "." if not count else str(min(count, 9))
    return BARS[0 if not count else max(1, round(count / most * (len(BARS) - 1)))]


def does(head: Head, canvas: Canvas) -> Line:
    """What a head does, in its colour."""
    return Line(canvas.token(head.pattern.name, NAME), STYLES[head.pattern.category])


def named(heads: Sequence[Head], most: int) -> str:
    """The labels of heads: `L0H1-H3 L2H5 … 12 more`."""
    if len(heads) > most:
        return f"{named(heads[:most], most)} … {len(heads) - most:,} more"
    runs: list[list[Head]] = []
    for head in heads:
        last = runs[-1][-1] if runs else None
        if last and (last.layer, last.head + 1) == (head.layer, head.head):
            runs[-1].append(head)
        else:
            runs.append([head])
    return " ".join(
        run[0].label + (f"-H{run[-1].head}" if len(run) > 2 else "".join(f" {one.label}"
        for one in run[1:])) for run in runs
    )  # fmt: skip


@TERMINAL.draws(LikeHead)
def neighbours(view: LikeHead, canvas: Canvas) -> Iterator[Line]:
    """The heads most like one."""
    yield from canvas.prose(heading(f"Heads most like {view.head.label}", view, canvas))
    yield Line(view.head.label.ljust(10), "bold").join(does(view.head, canvas))
    for head, far in view.rows:
        line = Line(f"  {head.label}".ljust(10)).join(does(head, canvas)).pad(10 + NAME + 2)
        if math.isnan(far):  # one of both is broken
            yield line.add("-".rjust(4), "dim")
            continue
        line.add(short(far).rjust(4)).add("  ")
        yield line.add(canvas.text("█") * round((1 - far) * 20), "cyan")
    if view.left_out:
        total = len(view.rows) + view.left_out
        yield Line(canvas.text(f"… {view.left_out:,} more: --top {total}"), "dim")


def pair_lines(
    pairs: Sequence[HeadPair], total: int, queries: int, canvas: Canvas
) -> Iterator[Line]:
    """How far chosen heads are apart, and where most."""
    how = f"distance 0 to 1: Jensen-Shannon, mean over {queries:,} queries"
    yield from canvas.prose([("How far apart", "bold"), (f"   {how}", "dim")])
    for pair in pairs:
        start = Line(f"{pair.one.label} {pair.other.label}".ljust(14), "bold")
        start.add(f"{small(pair.distance).rjust(6)}  ")
        yield from canvas.prose([(where(pair.most, canvas), "dim")], 6, start)
    if total > len(pairs):
        yield Line(canvas.text(f"… {total - len(pairs):,} more"), "dim")


def where(most: Sequence[tuple[int, str, float]], canvas: Canvas) -> str:
    """The queries that differ most: `most at 8 it .91, 3 cat .40`."""
    if not most:
        return "nowhere"
    named = ", ".join(f"{i} {canvas.token(label, NAME)} {small(far)}" for i, label, far in most)
    return f"most at {named}"


def small(distance: float) -> str:
    """A distance with two digits that count: `.16`, `.0012`, `3e-07`."""
    return number(distance).removeprefix("0") or "0"
