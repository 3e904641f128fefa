"""Attention over hand-made numbers, as small tables."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from attnviz.render.terminal.canvas import Canvas, Line
from attnviz.render.terminal.registry import TERMINAL
from attnviz.render.text.figures import alike, plain
from attnviz.views.steps.hand_trace import HandTrace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from attnviz.views.steps.hand_trace import Products, Step

ROWS, HEADS, TERMS = 8, 4, 8  # tables are cut behind so many rows, heads and products
BAR, INDENT, GAP = 8, 2, 2
EIGHTHS = " ▏▎▍▌▋▊▉█"


@TERMINAL.draws(HandTrace)
def hand_trace(view: HandTrace, canvas: Canvas) -> Iterator[Line]:
    """The formula, the given numbers, every step as a table, and the notes."""
    title = [(canvas.token(view.title), "bold"), (f"   {canvas.text(view.formula)}", "dim")]
    yield from canvas.prose(title)
    yield from given_lines(view, canvas)
    for step in view.steps:
        if not step.unchanged:
            yield Line()
        yield from step_lines(step, view, canvas)
    for head, products in enumerate(view.products):
        yield Line()
        where = f", head {head}" if len(view.products) > 1 else ""
        yield from product_lines(products, f"q{view.queries[0]} and k{view.keys[0]}{where}", canvas)
    if view.notes:
        yield Line()
    for words in view.notes:
        yield from canvas.prose([("note  ", "dim"), (canvas.token(canvas.text(words)), "dim")], 6)


def given_lines(view: HandTrace, canvas: Canvas) -> Iterator[Line]:
    """A line per given matrix: its name, its shape, its numbers as far as they fit."""
    name = max(len(one.name) for one in view.given)
    size = max(len(canvas.text(shape(one))) for one in view.given)
    for one in view.given:
        line = Line(f"  {one.name}".ljust(name + 4)).add(canvas.text(shape(one)).ljust(size), "dim")
        rows = np.atleast_2d(one.values[0])
        body = "  ".join("[" + " ".join(map(plain, row)) + "]" for row in rows[:ROWS])
        body += " …" if len(rows) > ROWS else ""
        yield line.add("  ").add(canvas.cut(body, max(1, canvas.width - line.width - 2)))


def step_lines(step: Step, view: HandTrace, canvas: Canvas) -> Iterator[Line]:
    """The name, formula and shape of a step, and a table per head."""
    if step.unchanged:
        said = f"   as before: {step.unchanged}"
        yield from canvas.prose([(step.name, "bold"), (said, "dim")], 2)
        return
    said = f"   {step.formula}   {shape(step)}"
    yield from canvas.prose([(step.name, "bold"), (said, "dim")], 2)
    heads = range(min(HEADS, len(step.values)))
    over_keys = step.name != "output"
    columns = view.keys if over_keys else range(step.values.shape[2])
    for head in heads:
        if len(step.values) > 1:
            yield Line(f"  head {head}", "dim")
        yield from table(step, head, view, columns, canvas)
    if len(step.values) > HEADS:
        more = f"  … {len(step.values) - HEADS} more heads: --json has them"
        yield Line(canvas.text(more), "dim")


def table(
    step: Step, head: int, view: HandTrace, columns: Sequence[int], canvas: Canvas
) -> Iterator[Line]:
    """One matrix with its indices; weights have a bar beside each number."""
    queries, bars = view.queries, step.name == "weights"
    values = step.values[head]
    form = alike(values)
    cells = {(i, j): figure(float(values[i, j]), canvas, form) for i in queries[:ROWS]
             for j in columns}  # fmt: skip
    left = len(f"q{max(queries)}") + INDENT
    wide = max(6, *map(len, cells.values()))
    each = wide + GAP + (BAR + 1 if bars else 0)
    fit = max(1, (canvas.width - left) // each)
    shown = columns[:fit]
    letter = "" if step.name == "output" else "k"
    titles = (f"{letter}{j}".rjust(wide + GAP).ljust(each) for j in shown)
    yield Line(" " * left + "".join(titles), "dim")
    for i in queries[:ROWS]:
        line = Line(" " * INDENT + f"q{i}".ljust(left - INDENT), "dim")
        best = max(float(values[i, j]) for j in columns)
        for place, j in enumerate(shown, start=1):
            value = float(values[i, j])
            closed = bars and view.masked[head, i, j] == -math.inf
            style = "dim" if closed else "bold" if bars and value == best > 0 else ""
            line.add(("0" if closed else cells[i, j]).rjust(wide + GAP), style)
            if bars:
                line.add(" ").add(bar(value, BAR, canvas), "cyan").pad(left + each * place)
        yield line
    cut = [f"{len(queries) - ROWS} more queries"] if len(queries) > ROWS else []
    what = "numbers" if step.name == "output" else "keys"
    cut += [f"{len(columns) - len(shown)} more {what}"] if len(shown) < len(columns) else []
    if cut:
        yield Line(canvas.text(f"  … {', '.join(cut)}: --query N, or all with --json"), "dim")


def product_lines(
    products: Products, where: str, canvas: Canvas, most: int = TERMS
) -> Iterator[Line]:
    """The products of which a score is the sum, the largest first, as signed bars."""
    terms, order = products.terms, products.order
    total = float(terms.sum())
    count = len(terms)
    query, key = products.names
    what = f"   {query}·{key} = {plain(total)}, the sum of {count} product{'s' * (count != 1)}"
    yield from canvas.prose([(f"score of {where}", "bold"), (what, "dim")], 2)
    titles = "".join(name.rjust(10) for name in (query, key, f"{query} × {key}"))
    yield Line("  dim".ljust(7) + canvas.text(titles), "dim")
    form = alike(np.concatenate([products.query, products.key, terms]))
    largest = float(abs(terms[order[0]])) or 1.0
    room = max(4, min(30, canvas.width - 40))
    for i in order[:most].tolist():
        numbers = (float(products.query[i]), float(products.key[i]), float(terms[i]))
        line = Line(f"  {i}".ljust(7)).add("".join(format(n, form).rjust(10) for n in numbers))
        style = "cyan" if terms[i] >= 0 else "red"
        yield line.add("  ").add(bar(abs(numbers[2]) / largest, room, canvas), style)
    if count > most:
        rest = format(float(terms[order[most:]].sum()), form)
        words = f"  … {count - most} more, together".ljust(27) + rest.rjust(10)
        yield Line(canvas.text(words), "dim")


def bar(share: float, width: int, canvas: Canvas) -> str:
    """A bar of this share of the width, in eighths of a character, or of `#` in ASCII."""
    if not math.isfinite(share) or share <= 0:
        return ""
    if canvas.ascii:
        return "#" * round(min(share, 1.0) * width)
    eighths = max(1, round(min(share, 1.0) * width * 8))
    return "█" * (eighths // 8) + EIGHTHS[eighths % 8].strip()


def figure(value: float, canvas: Canvas, form: str = "") -> str:
    """A number as `plain` or in the given form, -∞ for a masked score."""
    if value == -math.inf:
        return "-inf" if canvas.ascii else "-∞"
    return format(value + 0.0, form) if form else plain(value)


def shape(step: Step) -> str:
    """`3 × 2`."""
    return " × ".join(map(str, step.shape))
