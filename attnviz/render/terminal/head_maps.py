"""Several heads as small maps on one shared scale."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from attnviz.render.terminal.canvas import Canvas, Line, plural
from attnviz.render.terminal.cells import CellPainter, CellShape, Part, half_block
from attnviz.render.terminal.head_grid import STYLES, name
from attnviz.render.terminal.map_lines import index_width, legend, mark_width, row_label
from attnviz.render.terminal.registry import TERMINAL
from attnviz.views.maps.head_maps import HeadMaps
from attnviz.views.maps.pool import pooled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from attnviz.views.heads.head import Head
    from attnviz.views.maps.heatmap import Heatmap

Panel = tuple["Head", "Heatmap"]
GAP, LEAST, MOST = 2, 8, 40  # columns between panels, and of a panel
MOST_ROWS = 24  # lines of a panel
LABEL = 10


@dataclass(frozen=True, slots=True)
class PanelShape:
    """Panels per line, the columns of each, how a cell is drawn, and the label's columns."""

    across: int
    width: int
    rows: int
    cell: CellShape
    stacked: bool  # two queries in the halves of one line
    label: int


@TERMINAL.draws(HeadMaps)
def head_maps(view: HeadMaps, canvas: Canvas) -> Iterator[Line]:
    """The lines of all panels, and one legend."""
    where = f" · {view.stack}" if view.several else ""
    count = len(view.maps)
    if not view.maps:
        return
    scale = {"row": ", each row on its own scale", "rank": ", each ranked by itself"}
    how = scale.get(view.maps[0][1].scale, " on one scale")
    yield Line(canvas.text(f"{plural(count, 'head')}{how}{where}"), "bold")
    shape = panel_shape(view, canvas)
    panels = on_one_scale([(head, small(one, shape)) for head, one in view.maps])
    for start in range(0, count, shape.across):
        yield from band(panels[start : start + shape.across], canvas, shape)
        yield Line()
    yield from legend([one for _, one in panels], canvas, shape.cell, 0)
    if shape.stacked:
        yield from canvas.prose([("two queries per line", "dim")])


def panel_shape(view: HeadMaps, canvas: Canvas) -> PanelShape:
    """How to lay the panels out in this width."""
    rows = max(one.shape[0] for _, one in view.maps)
    columns = max(one.shape[1] for _, one in view.maps)
    first = view.maps[0][1]
    names = index_width(first) + mark_width(first.queries) + 3
    label = max(LABEL, names) if rows <= MOST_ROWS and canvas.width >= 40 else 0
    room = canvas.width - label + GAP
    across, factor = arrangement(view, room, columns)
    width = max(1, room // across - GAP)
    if factor == 1 and columns * 2 <= width and rows <= MOST_ROWS:
        return PanelShape(across, columns * 2, rows, CellShape("shade", 2), False, label)
    stacked = canvas.halves and rows > MOST_ROWS
    most = MOST_ROWS * (2 if stacked else 1)
    wanted = -(-rows // factor) if stacked else rows
    label = 0 if stacked else label
    return PanelShape(across, width, min(wanted, most), CellShape("shade", 1), stacked, label)


def arrangement(view: HeadMaps, room: int, columns: int) -> tuple[int, int]:
    """(panels per line, keys per cell): a layer on one line where its panels stay wide enough."""
    first = view.maps[0][0].layer
    per_layer = sum(head.layer == first for head, _ in view.maps)
    several = len(view.maps) > per_layer > 1
    wanted = per_layer if several else len(view.maps)
    widest = room // wanted - GAP
    if widest >= min(columns, LEAST) and (several or columns <= widest):
        return wanted, -(-columns // min(columns, widest))
    factor = -(-columns // min(MOST, max(1, room - GAP)))
    across = max(1, min(wanted, room // (-(-columns // factor) + GAP)))
    lines = -(-wanted // across)
    return -(-wanted // lines), factor


def small(heatmap: Heatmap, shape: PanelShape) -> Heatmap:
    """The map pooled to a panel."""
    return pooled(heatmap, shape.rows, max(1, shape.width // shape.cell.width))


def on_one_scale(panels: Sequence[Panel]) -> list[Panel]:
    """The panels with the largest value of all as the end of each one's scale."""
    vmax = max(one.vmax for _, one in panels)
    return [(head, replace(one, vmax=vmax)) for head, one in panels]


def band(panels: Sequence[Panel], canvas: Canvas, shape: PanelShape) -> Iterator[Line]:
    """One line of panels: titles, then rows."""
    line = Line().pad(shape.label)
    for i, (head, _) in enumerate(panels):
        left = shape.label + i * (shape.width + GAP)
        line.pad(left).add(head.label, "bold")
        room = shape.width - len(head.label) - 1
        if room >= 4:
            text = name(head.pattern, canvas, min(room, 8))
            line.add(" ").add(text, STYLES[head.pattern.category])
    yield line
    painters = [CellPainter(one, canvas, shape.cell) for _, one in panels]
    height = max(one.shape[0] for _, one in panels)
    step = 2 if shape.stacked else 1
    for i in range(0, height, step):
        first = panels[0][1]
        line = Line()
        if shape.label and i < first.shape[0]:
            line = row_label(first, i, canvas, shape.label)
        for n, painter in enumerate(painters):
            line.pad(shape.label + n * (shape.width + GAP))
            for text, style in cells(painter, i, shape.stacked):
                line.add(text, style)
        yield line


def cells(painter: CellPainter, i: int, stacked: bool) -> Iterator[Part]:
    """The cells of a row, or of two rows in half blocks."""
    rows, columns = painter.map.shape
    if i >= rows:
        return
    if not stacked:
        yield from painter.row(i)
        return
    for j in range(columns):
        below = painter.background(i + 1, j) if i + 1 < rows else None
        yield half_block(painter.background(i, j), below, "▀", "▄")
