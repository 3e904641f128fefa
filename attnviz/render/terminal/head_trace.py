"""One query of one head: its steps, then a line per key from score to weight."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from rich.cells import cell_len

from attnviz.render.terminal.canvas import Canvas, Line
from attnviz.render.terminal.hand_trace import bar, product_lines
from attnviz.render.terminal.registry import TERMINAL
from attnviz.render.text.figures import TITLES, plain_short, share
from attnviz.views.steps.head_trace import HeadTrace

if TYPE_CHECKING:
    from collections.abc import Iterator


COLUMN, WEIGHT, ADDS = 9, 7, 8  # cells of a number, of a weight, of what a key adds
LABEL, BAR = 14, (4, 40)  # the widest label; the bar that exp makes room for, the widest


@TERMINAL.draws(HeadTrace)
def head_trace(view: HeadTrace, canvas: Canvas) -> Iterator[Line]:
    """The head and its query, every step with formula and shape, the keys, and the agreement."""
    yield from title(view, canvas)
    yield from step_lines(view, canvas)
    yield Line()
    yield from key_lines(view, canvas)
    if view.products is not None and view.traced.key is not None:
        yield Line()
        key = canvas.token(view.keys.labels[view.traced.key], LABEL)
        where = f"{query_name(view, canvas)} ({view.traced.query}) and {key} ({view.traced.key})"
        yield from product_lines(view.products, where, canvas, view.terms)
    yield Line()
    for note in view.notes:
        yield from canvas.prose([("note  ", "dim"), (canvas.token(canvas.text(note)), "dim")], 6)
    yield from canvas.prose([(view.agreement, "green")])


def title(view: HeadTrace, canvas: Canvas) -> list[Line]:
    """`L3H5   from it (query 8)`, the stack, and whose key-value head it shares."""
    traced = view.traced
    where = f" · {traced.stack}" if view.several else ""
    parts = [(traced.label, "bold"), (where, "dim"), ("   from ", "dim")]
    parts += [(query_name(view, canvas), "bold yellow"), (f" (query {traced.query})", "dim")]
    parts += [(f"   {view.sharing}" if view.sharing else "", "dim")]
    return canvas.prose(parts, 2)


def query_name(view: HeadTrace, canvas: Canvas) -> str:
    """The token that attends."""
    return canvas.token(view.queries.labels[view.traced.query], LABEL)


def step_lines(view: HeadTrace, canvas: Canvas) -> Iterator[Line]:
    """A line per step: name, shape, formula."""
    wide = max(len(shape) for _, shape in view.formulas.values()) + 2
    for name, (formula, shape) in view.formulas.items():
        start = Line(f"  {name}".ljust(11)).add(canvas.text(shape).ljust(wide), "dim")
        yield from canvas.prose([(formula, "")], start.width, start)


def key_lines(view: HeadTrace, canvas: Canvas) -> Iterator[Line]:
    """A line per listed key: what led to its weight, the weight as a bar, what it adds."""
    labels = {k: canvas.token(view.keys.labels[k], LABEL) for k in view.listed}
    left = max(9, 6 + max(map(cell_len, labels.values()), default=0))
    norms, name = view.norms
    columns = dict(view.columns)
    spare = canvas.width - left - COLUMN * len(columns) - WEIGHT - ADDS - 3
    if spare < BAR[0]:
        columns.pop("exp")
        spare += COLUMN
    adds = ADDS if spare >= 0 else 0
    room = min(BAR[1], max(0, spare + ADDS - adds))
    line = Line("  key".ljust(left), "dim")
    line.add(
        "".join(canvas.text(TITLES.get(one, view.score)).rjust(COLUMN) for one in columns), "dim"
    )
    line.add("weight".rjust(WEIGHT + 1), "dim").pad(line.width + room + 2)
    yield line.add(canvas.text(name).rjust(ADDS) if adds else "", "dim")
    largest = max(view.steps.weights.max(), 1e-30)
    for k in view.listed:
        asked = k == view.traced.key
        masked = not np.isfinite(view.steps.masked[k])
        line = Line(">" if asked else " ", "bold yellow").add(str(k).rjust(4) + " ", "dim")
        line.add(labels[k], "bold yellow" if asked else "").pad(left)
        for column in columns.values():
            line.add(plain_short(float(column[k])).rjust(COLUMN), "dim" if masked else "")
        weight = float(view.steps.weights[k])
        line.add(("masked" if masked else share(weight)).rjust(WEIGHT + 1), "bold").add(" ")
        end = line.width + room + 1
        line.add(bar(weight / largest, room, canvas), "cyan").pad(end)
        yield line.add(plain_short(float(norms[k])).rjust(ADDS) if adds else "")
    yield from rest_lines(view, left + COLUMN * len(columns), canvas)


def rest_lines(view: HeadTrace, left: int, canvas: Canvas) -> Iterator[Line]:
    """The learned sink, and what the keys that are not listed get together."""
    if view.steps.sink is not None:
        weight = share(view.steps.sink[1]).rjust(WEIGHT + 1)
        yield Line("      sink".ljust(left), "dim").add(weight)
    rest = sorted(set(view.open.tolist()) - set(view.listed))
    if rest:
        words = f"      … {len(rest):,} more together"
        total = float(view.steps.weights[rest].sum())
        line = Line(canvas.cut(words, left).ljust(left), "dim")
        line.add(share(total).rjust(WEIGHT + 1), "dim")
        yield line.add(f"   --top {len(view.open)}", "dim")
