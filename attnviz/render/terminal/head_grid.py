"""What each head does, in as many words as the width allows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len
from rich.style import Style

from attnviz.render.terminal.canvas import Canvas, Line
from attnviz.render.terminal.cells import half_block
from attnviz.render.terminal.ramps import RGB, mixed
from attnviz.render.terminal.registry import TERMINAL
from attnviz.views.heads.head_grid import HeadGrid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from attnviz.views.heads.head import Head, Pattern
    from attnviz.views.heads.names import Category

STYLES: dict[Category, str] = {
    "position": "blue",
    "sink": "dim",
    "word": "bold yellow",
    "punct": "magenta",
    "broad": "green",
    "mixed": "",
    "none": "dim",
}
PAINTS: dict[Category, RGB] = {
    "position": (97, 156, 255),
    "sink": (110, 110, 116),
    "word": (255, 214, 70),
    "punct": (214, 130, 220),
    "broad": (96, 180, 110),
    "mixed": (150, 150, 150),
    "none": (60, 60, 60),
}
BLACK: RGB = (18, 18, 22)
SHORT = {"first": "1st", "punct": "punc", "special": "spec", "previous": "prev", "local": "near",
         "induction": "ind", "duplicate": "dup", "alignment": "alig"}  # fmt: skip
LETTERS = {"previous": "p", "next": "n", "self": "s", "first": "1", "word": "w", "punct": ",",
           "broad": "b", "mixed": "m", "none": "?", "special": "S", "induction": "i",
           "duplicate": "d", "alignment": "a", "local": "l"}  # fmt: skip
TOO_MANY = 2000  # heads; then one half block each, where there is colour


class Rung(NamedTuple):
    """One way to write a head: the columns it takes with its gap, and the text."""

    width: int
    text: Callable[[Pattern, Canvas], str]


@TERMINAL.draws(HeadGrid)
def head_grid(grid: HeadGrid, canvas: Canvas) -> Iterator[Line]:
    """The lines of the grid: heading, cells, summary."""
    left = max((len(f"L{layer}") for layer, _ in grid.rows), default=2) + 2
    rung = pick(grid, canvas, left)
    yield from heading(grid, canvas, rung.width >= 8)
    if canvas.halves and len(grid.heads) > TOO_MANY:
        yield from half_blocks(grid, canvas, left)
        yield from ranking(grid, canvas, left)
    else:
        yield from cells(grid, canvas, rung, left)
        if rung.width <= 3:
            yield from key(grid, canvas, rung, left)
    yield from summary(grid, canvas, left)


def heading(grid: HeadGrid, canvas: Canvas, numbered: bool) -> list[Line]:
    """What the grid shows, and how much attention is lost to sinks."""
    words = "What each head does"
    if grid.several:
        words += f" · {grid.stack}"
    parts = [(words, "bold")]
    if numbered:
        parts += [("   ", ""), ("in % of its attention", "dim")]
    if grid.sink_labels:
        names = " ".join(canvas.token(text, 16) for text in grid.sink_labels[:4])
        lead = " · " if numbered else "   "
        parts.append((f"{lead}{grid.sink_share:.0%} of all attention goes to {names}", "dim"))
    return canvas.prose(parts)


def rungs(canvas: Canvas) -> list[Rung]:
    """The ways to write a head, the fullest first."""
    return [
        Rung(13, lambda one, c: named(one, c, 9)),
        Rung(9, lambda one, c: named(one, c, 5)),
        Rung(8, lambda one, c: named(one, c, 4)),
        Rung(6, lambda one, c: name(one, c, 5)),
        Rung(3, letters),
        Rung(2, letter),
        Rung(1, letter),
    ]


def pick(grid: HeadGrid, canvas: Canvas, left: int) -> Rung:
    """The fullest way in which a layer fits one line."""
    options = rungs(canvas)
    room = canvas.width - left + 1
    return next((option for option in options if option.width * grid.width <= room), options[-1])


def cells(grid: HeadGrid, canvas: Canvas, rung: Rung, left: int) -> Iterator[Line]:
    """A line per layer, in several bands when a layer does not fit one."""
    band = max(1, (canvas.width - left + (rung.width > 1)) // rung.width)
    for start in range(0, max(grid.width, 1), band):
        yield numbers(grid, rung, left, start, min(start + band, grid.width))
        for layer, row in grid.rows:
            line = Line(f"L{layer}", "dim").pad(left)
            for one in row[start : start + band]:
                add_cell(line, grid, one, rung, canvas)
            yield line


def add_cell(line: Line, grid: HeadGrid, head: Head | None, rung: Rung, canvas: Canvas) -> None:
    """Write one head; the chosen one is reversed."""
    if head is None:
        line.add(" " * rung.width)
        return
    text = rung.text(head.pattern, canvas)
    style = STYLES[head.pattern.category]
    gap = 1 if rung.width > 1 else 0
    if (head.layer, head.head) in grid.chosen:
        style = f"bold {style.replace('bold', '').replace('dim', '')} reverse"
        text = text + " " * (rung.width - gap - cell_len(text))
    line.add(text, style).add(" " * (rung.width - cell_len(text)))


def numbers(grid: HeadGrid, rung: Rung, left: int, start: int, stop: int) -> Line:
    """The head numbers above the cells: all where they fit, else by fives."""
    line = Line().pad(left)
    for head in range(start, stop):
        text = f"H{head}" if rung.width >= 5 else str(head)
        at = left + (head - start) * rung.width
        if (len(text) < rung.width or head % 5 == 0) and line.width <= at:
            line.pad(at).add(text, "dim")
    return line


def named(pattern: Pattern, canvas: Canvas, width: int) -> str:
    """The name and the strength in percent: `word 30`, `prev100`."""
    text = name(pattern, canvas, width)
    if math.isnan(pattern.strength):
        return name(pattern, canvas, width + 3)
    return text + " " * (width - cell_len(text)) + f"{100 * pattern.strength:.0f}".rjust(3)


def name(pattern: Pattern, canvas: Canvas, width: int) -> str:
    """The name in at most `width` cells; brackets of special tokens are left out."""
    text = pattern.name
    if pattern.category == "sink" and text not in SHORT:
        text = text.strip().strip("[]<>|") or text
    if cell_len(canvas.token(text)) > width:
        text = SHORT.get(text, text)
    return canvas.token(text, width)


def letters(pattern: Pattern, canvas: Canvas) -> str:
    """Two letters: `wo`, `pr`, `CL`."""
    return canvas.token(SHORT.get(pattern.name, name(pattern, canvas, 8))).ljust(2)[:2]


def letter(pattern: Pattern, canvas: Canvas) -> str:
    """One letter; sinks have the capital of their key."""
    if pattern.name in LETTERS:
        return LETTERS[pattern.name]
    first = name(pattern, canvas, 8)[:1].upper()
    return first if cell_len(first) == 1 else "S"


def key(grid: HeadGrid, canvas: Canvas, rung: Rung, left: int) -> list[Line]:
    """What the letters stand for."""
    short = letters if rung.width == 3 else letter
    found = {head.pattern.name: head.pattern for head in grid.heads}
    parts = [(" " * left, "")]
    for text, one in found.items():
        style = STYLES[one.category]
        parts += [(short(one, canvas), style), (f" {canvas.token(text, 16)}  ", "dim")]
    return canvas.prose(parts, indent=left)


def half_blocks(grid: HeadGrid, canvas: Canvas, left: int) -> Iterator[Line]:
    """Two layers per line, one column per head: hue is what it does, brightness how strongly."""
    band = max(1, canvas.width - left)
    for start in range(0, max(grid.width, 1), band):
        stop = min(start + band, grid.width)
        yield numbers(grid, Rung(1, letter), left, start, stop)
        for i in range(0, len(grid.rows), 2):
            upper = grid.rows[i][1]
            lower = grid.rows[i + 1][1] if i + 1 < len(grid.rows) else ()
            line = Line(f"L{grid.rows[i][0]}", "dim").pad(left)
            for head in range(start, stop):
                line.add(*half_block(paint(upper, head), paint(lower, head), "▀", "▄"))
            yield line
    line = Line(" " * left)
    for category in dict.fromkeys(one.pattern.category for one in grid.heads):
        line.add("█ ", Style.parse("rgb({},{},{})".format(*PAINTS[category])))
        line.add(f"{category}  ", "dim")
    yield line


def paint(row: tuple[Head | None, ...], head: int) -> RGB | None:
    """The colour of a head's half block."""
    one = row[head] if head < len(row) else None
    if one is None:
        return None
    strength = one.pattern.strength
    bright = 0.35 if math.isnan(strength) else 0.4 + 0.6 * min(1.0, strength)
    if one.pattern.category == "word":
        bright = min(1.0, 0.5 + strength)
    return mixed(BLACK, PAINTS[one.pattern.category], bright)


def ranking(grid: HeadGrid, canvas: Canvas, left: int) -> list[Line]:
    """The heads that look at particular words most, by name."""
    best = sorted((head for head in grid.heads if head.score("content") > 0),
                  key=lambda one: -one.score("content"))[:8]  # fmt: skip
    words = "  ".join(f"{one.label} {one.score('content'):.2f}" for one in best)
    return canvas.prose([(" " * left + "most attention to words: ", "dim"), (words, "")], left)


def summary(grid: HeadGrid, canvas: Canvas, left: int) -> list[Line]:
    """`29 [CLS] · 17 mixed · 15 broad`."""
    shown, rest = grid.summary[:8], grid.summary[8:]
    parts = [f"{count} {canvas.token(text, 16)}" for text, count in shown]
    if rest:
        parts.append(f"{sum(count for _, count in rest)} other")
    words = " · ".join(parts)
    return canvas.prose([(" " * left, ""), (words, "dim")], indent=left)
