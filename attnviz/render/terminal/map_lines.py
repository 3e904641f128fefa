"""A map with its labels: header, rows, legend."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
from rich.cells import cell_len

from attnviz.render.terminal.canvas import Canvas, Depth, Line, painted
from attnviz.render.terminal.cells import MARKS, CellShape, centred, ramp_of
from attnviz.render.terminal.ramps import SIGNS, colour
from attnviz.views.maps.head_maps import notes_of
from attnviz.views.maps.heatmap import Heatmap, State
from attnviz.views.maps.legend import SPECIAL, off_scale, pooled_words
from attnviz.views.maps.scales import description, number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attnviz.attention.axis import Axis

LABEL, WIDE_LABEL = 12, 20
BAR = 16  # cells of the colour bar
EVERY = 5  # narrow columns are numbered by fives


def label_width(heatmap: Heatmap, canvas: Canvas) -> int:
    """The columns that the row labels take, with the gap behind them."""
    most = WIDE_LABEL if canvas.width >= 140 else LABEL
    widest = max((cell_len(canvas.token(text)) for text in row_texts(heatmap)), default=0)
    names = index_width(heatmap) + 1 + mark_width(heatmap.queries)
    room = max(names + 1, canvas.width // 3)
    return min(names + min(widest, most), room) + 1


def row_texts(heatmap: Heatmap) -> list[str]:
    """The label of every row: its token, or the first of several."""
    return [heatmap.queries.labels[first] for first, _ in heatmap.rows]


def index_width(heatmap: Heatmap) -> int:
    """The digits of the largest row index."""
    return max((len(row_index(heatmap, i)) for i in range(len(heatmap.rows))), default=1)


def row_index(heatmap: Heatmap, i: int) -> str:
    """`12`, or `12-15` where a row stands for several queries; empty for padding."""
    return span_text(heatmap.queries, heatmap.rows[i])


def span_text(axis: Axis, span: tuple[int, int]) -> str:
    """The positions of a span without padding, as people write them."""
    numbers = [axis.positions[i] for i in range(*span) if axis.positions[i] >= 0]
    if not numbers:
        return ""
    return str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]}-{numbers[-1]}"


def mark_width(axis: Axis) -> int:
    """The columns of the mark that tells the texts of a pair apart."""
    return 2 if len(set(axis.segments)) > 1 else 0


def segment_name(number: int) -> str:
    """`A`, `B`, …"""
    return chr(ord("A") + number % 26)


def row_label(heatmap: Heatmap, i: int, canvas: Canvas, width: int) -> Line:
    """The index, segment and token of a row."""
    axis, (first, last) = heatmap.queries, heatmap.rows[i]
    line = Line(row_index(heatmap, i).rjust(index_width(heatmap)) + " ", "dim")
    if mark_width(axis):
        line.add(segment_name(axis.segments[first]) + " ", "cyan")
    text = canvas.token(axis.labels[first]) + ("…" if last - first > 1 else "")
    style = "dim" if axis.special[first] or axis.padding[first] else ""
    line.add(canvas.cut(text, max(1, width - 1 - line.width)), style)
    return line.pad(width)


def header(heatmap: Heatmap, canvas: Canvas, shape: CellShape, indent: int) -> list[Line]:
    """The lines above the cells: segments, key texts where they fit, key indices."""
    lines = []
    if mark_width(heatmap.keys):
        lines.append(segment_line(heatmap, canvas, shape, indent))
    if shape.kind == "digits" and shape.width > 4 and not heatmap.square:
        line, len_done = Line().pad(indent), 0
        for first, _ in heatmap.columns:
            text = canvas.token(heatmap.keys.labels[first], shape.width - 1)
            line.add(" " * ((shape.width - cell_len(text)) // 2) + text)
            line.pad(indent + (len_done := len_done + shape.width))
        lines.append(line)
    lines.append(index_line(heatmap, shape, indent, canvas.width))
    return lines


def index_line(heatmap: Heatmap, shape: CellShape, indent: int, width: int) -> Line:
    """The key indices: all where they fit, else by fives; none that `width` would cut."""
    names = [span_text(heatmap.keys, (a, a + 1)) for a, _ in heatmap.columns]
    line = Line().pad(indent)
    total = min(indent + shape.columns(len(names)) + 1, width)
    if shape.width >= 3 and all(len(name) < shape.width for name in names):
        return line.add("".join(centred(name.rjust(2), shape.width) for name in names), "dim")
    singles = all(b - a == 1 for a, b in heatmap.columns)
    for j, name in enumerate(names):
        at = indent + (j // 2 if shape.kind == "half" else j * shape.width)
        wanted = not singles or (name and int(name) % EVERY == 0)
        spaced = not line.width > at - (line.width > indent)
        if wanted and spaced and at + len(name) <= total:
            line.pad(at).add(name, "dim")
    return line


def segment_line(heatmap: Heatmap, canvas: Canvas, shape: CellShape, indent: int) -> Line:
    """A rule over the keys of every segment, with its letter."""
    line = Line().pad(indent)
    numbers = [heatmap.keys.segments[first] for first, _ in heatmap.columns]
    done = 0
    for number_, run in groupby(numbers):
        done += len(list(run))
        width = indent + shape.columns(done) - line.width
        rule = f"{segment_name(number_)} {canvas.text('─') * max(0, width - 3)} "
        line.add(rule[: max(width, 0)], "cyan")
    return line


def key_lines(heatmap: Heatmap, canvas: Canvas, indent: int) -> list[Line]:
    """The keys by number, for maps whose columns have no room for their texts."""
    parts: list[tuple[str, str]] = [("keys  ", "dim")]
    for first, last in heatmap.columns:
        name = span_text(heatmap.keys, (first, last))
        parts += [(f"{name} ", "dim"), (canvas.token(heatmap.keys.labels[first], LABEL) + "  ", "")]
    return canvas.prose(parts, indent, Line(" " * indent))


def legend(panels: Sequence[Heatmap], canvas: Canvas, shape: CellShape, indent: int) -> list[Line]:
    """What the cells mean: the scale, what is off it, and every special kind that occurs.

    The maps share one look and one scale; what occurs in any of them is named.
    """
    heatmap = panels[0]
    words = legend_words(panels, canvas, shape)
    start = Line(" " * indent)
    bar = scale_bar(heatmap, canvas)
    if has_scale(canvas, shape) and indent + bar.width + 2 <= canvas.width:
        start.join(bar).add("  ")
    return canvas.prose([(words, "dim")], indent, start)


def has_scale(canvas: Canvas, shape: CellShape) -> bool:
    """Whether cells have a colour or a glyph of the scale, and not only figures."""
    return canvas.coloured or shape.kind != "digits"


def scale_bar(heatmap: Heatmap, canvas: Canvas) -> Line:
    """The scale from its least to its largest value."""
    low, high = ends(heatmap)
    line = Line(low + " ", "dim")
    if canvas.coloured:
        for i in range(BAR):
            line.add(" ", painted(colour(i / (BAR - 1), ramp_of(heatmap))))
    else:
        for mark in SIGNS if heatmap.scale == "signed" else canvas.glyphs:
            line.add(mark)
    return line.add(" " + high, "dim")


def ends(heatmap: Heatmap) -> tuple[str, str]:
    """The words at both ends of the scale bar."""
    if heatmap.scale == "rank":
        return "lowest", "highest"
    if heatmap.scale == "row":
        return "0", "row's largest"
    low, _, rest = description(heatmap).partition(" – ")
    return low, rest.split(" ")[0]


def legend_words(panels: Sequence[Heatmap], canvas: Canvas, shape: CellShape) -> str:
    """The legend's words after the scale bar."""
    heatmap = panels[0]
    scale = {"sqrt": "square root", "signed": heatmap.measure}.get(heatmap.scale, heatmap.scale)
    parts = [scale] if has_scale(canvas, shape) else []
    if shape.kind == "digits":
        end = "" if parts else f", the largest is {number(heatmap.vmax)}"
        parts.append(f"cells in %{end}")
    if shape.kind == "half":
        parts.append(f"two {'cells' if heatmap.pooled else 'keys'} per column")
    if canvas.depth is Depth.FEW:
        parts.append("14 shades")
    if any(one.sinks.any() for one in panels):
        parts.append(sink_words(panels, canvas, shape))
    pooled = pooled_words(panels)
    if pooled:
        parts.append(pooled)
    least = min(float(np.nanmin(one.values, initial=0)) for one in panels)
    if least < 0 and heatmap.scale != "signed":
        parts.append(f"weights below 0 look like 0, the least is -{number(-least)}")
    present = {State(int(state)) for panel in panels for state in np.unique(panel.states)}
    for state in sorted(present - {State.VALUE}):
        parts.append(mark_words(state, canvas))
    return ", ".join([*parts, *notes_of(panels)])


def mark_words(state: State, canvas: Canvas) -> str:
    """`· masked`, in the glyph or colour that this canvas shows."""
    mark = MARKS[state]
    if not canvas.coloured:
        return f"{mark.ascii if canvas.ascii else mark.glyph} = {mark.meaning}"
    names = {State.ZERO: "brown", State.MASKED: "blank", State.PADDED: "slate",
             State.NAN: "red", State.CUT: "dark green"}  # fmt: skip
    return f"{names[state]} = {mark.meaning}"


def sink_words(panels: Sequence[Heatmap], canvas: Canvas, shape: CellShape) -> str:
    """Which columns are off the scale, and how they look."""
    what = off_scale(panels)
    if len(panels) == 1 and what != SPECIAL and not what.startswith("columns"):
        labels = panels[0].sink_labels
        names = [canvas.token(label, LABEL) for label in labels[:3]] + ["…"] * (len(labels) > 3)
        what += f" ({' '.join(names)})"
    if canvas.coloured:
        return f"grey = {what}, off the scale"
    if shape.kind == "digits":
        return f"apart from {what}"
    return f"digits = tenths to {what}, off the scale"
