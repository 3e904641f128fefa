"""Heads in the order of a score, one line each."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich.cells import cell_len

from attnviz.render.terminal.canvas import Canvas, Line
from attnviz.render.terminal.head_grid import STYLES
from attnviz.render.terminal.registry import TERMINAL
from attnviz.views.heads.head import names_of
from attnviz.views.heads.head_table import HeadTable
from attnviz.views.heads.names import BY_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from attnviz.views.heads.head_table import RankedHead

# The columns after the one that is sorted by, as far as they fit.
USUAL = ("content", "previous", "next", "self", "first", "special", "punctuation", "sink",
         "normalized_entropy")  # fmt: skip
PROBED = ("prefix_matching", "duplicate", "previous")  # these first, on repeated tokens
SHORT = {"normalized_entropy": "entropy (0-1)", "punctuation": "punct"}
GAP, NAME, WORD, FIGURE = 2, 14, 9, 4


@TERMINAL.draws(HeadTable)
def head_table(table: HeadTable, canvas: Canvas) -> Iterator[Line]:
    """The lines of the table: heading, columns, a line per head, what is left out."""
    labels = [label(row, table.several) for row in table.rows]
    left = max((len(one) for one in labels), default=4) + GAP
    also = canvas.width // 5 if any(len(names_of(one.head)) > 1 for one in table.rows) else 0
    also = also if also >= NAME else 0
    names = columns(table, canvas.width - left - NAME - GAP - also)
    yield from canvas.prose(heading(table, names, canvas))
    line = Line("head", "dim").pad(left).add("does", "dim").pad(left + NAME + GAP)
    for name in names:
        title = SHORT.get(name, name)
        line.add(title.rjust(width_of(table, name)), "bold" if name == table.sort else "dim")
        line.add(" " * GAP)
    yield line.add("also" if also else "", "dim")
    for text, one in zip(labels, table.rows, strict=True):
        line = Line(text, "bold").pad(left)
        said = [*does(one, canvas)]
        for shown, figure, style in said[:1]:
            line.add(shown + figure.rjust(NAME - cell_len(shown)), style)
        line.pad(left + NAME + GAP)
        for name in names:
            text = canvas.text(value(one, name)).rjust(width_of(table, name))
            line.add(text, "" if name == table.sort else "dim").add(" " * GAP)
        yield line.add(fitting(said[1:], canvas.width - line.width if also else 0), "dim")
    rest = [f"… {table.left_out:,} more: --top {len(table.rows) + table.left_out}"]
    if table.left_out:
        yield Line(canvas.text(rest[0]), "dim")


def does(ranked: RankedHead, canvas: Canvas) -> Iterator[tuple[str, str, str]]:
    """Each name of a head, the share of attention that earned it (or ""), and its style.

    A sink is called by the text of its key, where that is known, and is not named twice.
    """
    names = names_of(ranked.head)
    resting = any(name.name in ("special-token", "first-token") for name in names)
    for name, _, value in names:
        if name == "sink" and resting:
            continue
        rule, text = BY_NAME[name], canvas.token(ranked.head.called(name), WORD)
        yield text, f"{value:.0%}" if rule.share else "", STYLES[rule.category]


def fitting(said: Sequence[tuple[str, str, str]], room: int) -> str:
    """`word 44%, first 49%`: as many names as there is room for."""
    out = ""
    for shown, figure, _ in said:
        longer = f"{out}, {shown} {figure}".strip(", ")
        if cell_len(longer) > room:
            break
        out = longer
    return out


def heading(table: HeadTable, names: Sequence[str], canvas: Canvas) -> list[tuple[str, str]]:
    """What is sorted by, and over how many texts; `names` are the scores that are shown."""
    parts = [("Heads by ", "bold"), (table.sort.replace("_", " "), "bold")]
    if table.edge:
        parts.append((f"   {canvas.token(table.edge)}", ""))
    count = len(table.rows) + table.left_out
    over = f"   {count:,} head{'s' if count != 1 else ''}"
    if table.texts > 1:
        over += f", means over {table.texts:,} {table.over} ± their standard deviation"
        fewer = {SHORT.get(name, name): table.fewer(name) for name in names}
        over += "".join(f", {name} over {count:,}" for name, count in fewer.items() if count)
    return [*parts, (over, "dim")]


def columns(table: HeadTable, room: int) -> list[str]:
    """The scores that fit: the one sorted by, then the usual ones."""
    chosen: list[str] = []
    usual = (*PROBED, *USUAL) if PROBED[0] in table.scores else USUAL
    for name in dict.fromkeys((table.sort, *usual)):
        if name in table.scores:
            room -= width_of(table, name) + GAP
            if room < -GAP and chosen:
                break
            chosen.append(name)
    return chosen


def width_of(table: HeadTable, name: str) -> int:
    """The cells of a column."""
    figures = FIGURE + 6 if table.texts > 1 else FIGURE
    return max(len(SHORT.get(name, name)), figures)


def label(ranked: RankedHead, several: bool) -> str:
    """`L3H7`, or `cross L3H7`."""
    return f"{ranked.stack} {ranked.head.label}" if several else ranked.head.label


def value(ranked: RankedHead, name: str) -> str:
    """`.37`, or `.37 ±.05` over several texts."""
    mean, spread = ranked.head.score(name), ranked.spread.get(name, math.nan)
    if math.isnan(mean):
        return "-"
    return f"{short(mean)} ±{short(spread)}" if not math.isnan(spread) else short(mean)


def short(number: float) -> str:
    """Two digits behind the point, no zero before it."""
    text = f"{number:.2f}"
    return text.removeprefix("0") if number < 1 else text
