"""The rows of an alignment table, to stand beside a map or below it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len

from attnviz.render.terminal.canvas import Canvas, Line

if TYPE_CHECKING:
    from attnviz.views.maps.alignment import AlignmentTable

STRONG = 0.3
WEIGHT, SINK = 4, 6  # columns of " .37" and of "  100%"
GAP = 2


@dataclass(frozen=True, slots=True)
class TableShape:
    """How many keys a row lists, how wide their texts are, and whether the link is shown."""

    keys: int
    label: int
    link: int = 0
    head: int = 0
    share: int = SINK

    @property
    def width(self) -> int:
        """The columns of a row."""
        listed = self.keys * (self.label + WEIGHT + 1)
        return listed + self.share + (GAP + self.link + WEIGHT + 1 + self.head if self.link else 0)


def shapes(table: AlignmentTable, canvas: Canvas, top: int) -> list[TableShape]:
    """The shapes a table can take, the fullest first."""
    label = widest(table, canvas)
    head = max((len(head_name(table, i)) for i in range(len(table.rows))), default=0)
    link = label if head else 0
    names = sorted({min(label, n) for n in (16, 12, 9, 7, 6)}, reverse=True)
    keys = sorted({min(top, n) for n in (top, 3, 2)}, reverse=True)
    full = [TableShape(k, n, min(n + 2, link), head) for k in keys for n in names]
    short = [TableShape(1, n, min(n + 2, link), head) for n in names]
    return [*full, *short]


def widest(table: AlignmentTable, canvas: Canvas) -> int:
    """The cells of the widest key text in the table."""
    used = {key for i in range(len(table.rows)) for key, _ in table.top(i)}
    used |= {link[2] for i in range(len(table.rows)) if (link := table.link(i))}
    return max((cell_len(canvas.token(table.keys.labels[key])) for key in used), default=4)


def heading(shape: TableShape, canvas: Canvas) -> Line:
    """The names of the columns."""
    listed = shape.keys * (shape.label + WEIGHT + 1)
    line = Line("attends to"[:listed], "dim")
    if shape.share:
        line.add("sink".rjust(listed + SINK - line.width), "dim")
    if shape.link:
        line.pad(shape.width - shape.link - WEIGHT - 1 - shape.head)
        room = shape.link + WEIGHT + 1 + shape.head
        names = ("strongest link", "strongest", "link")
        line.add(next((name for name in names if len(name) <= room), ""), "dim")
    return line


def table_row(table: AlignmentTable, i: int, shape: TableShape, canvas: Canvas) -> Line:
    """One row: its keys and weights, its sink share, its strongest link in any head."""
    line = Line()
    for place, (key, weight) in enumerate(table.top(i)[: shape.keys]):
        strong = place == 0 and weight >= STRONG
        style = "bold yellow" if strong else ""
        line.add(canvas.cell(table.keys.labels[key], shape.label), style)
        line.add(weight_text(weight).rjust(WEIGHT) + " ", style)
    line.pad(shape.keys * (shape.label + WEIGHT + 1))
    share = f"{table.sink[i]:.0%}" if table.sink[i] >= 0.005 else ""
    line.add(share.rjust(SINK) if shape.share else "", "dim")
    link = table.link(i)
    if link is not None and shape.link:
        layer, head, key, weight = link
        line.add(" " * GAP).add(canvas.cell(table.keys.labels[key], shape.link))
        line.add(weight_text(weight).rjust(WEIGHT) + " ")
        line.add(f"L{layer}H{head}", "green")
    return line


def head_name(table: AlignmentTable, i: int) -> str:
    """`L3H1`, the head of a row's strongest link."""
    link = table.link(i)
    return f"L{link[0]}H{link[1]}" if link else ""


def weight_text(weight: float) -> str:
    """A weight with two digits: `.37`, `1.0`."""
    text = f"{weight:.2f}"
    return "1.0" if text.startswith("1") else text[1:]
