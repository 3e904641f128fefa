"""A picture with its heading: the model, its prediction, the parts, the notes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len

from attnviz.render.terminal.canvas import TIE, Canvas, Line, counted
from attnviz.render.terminal.comparison import comparison, contrast
from attnviz.render.terminal.hand_trace import hand_trace
from attnviz.render.terminal.head_grid import head_grid
from attnviz.render.terminal.head_maps import head_maps
from attnviz.render.terminal.head_screen import head_screen
from attnviz.render.terminal.head_table import head_table
from attnviz.render.terminal.head_table import matrix as head_matrix
from attnviz.render.terminal.head_trace import head_trace
from attnviz.render.terminal.listing import listing
from attnviz.render.terminal.query_grid import query_grid
from attnviz.views.compare.contrast import Contrast
from attnviz.views.heads.head_grid import HeadGrid
from attnviz.views.heads.head_table import HeadTable
from attnviz.views.heads.query_grid import QueryGrid
from attnviz.views.heads.score_matrix import HeadMatrix
from attnviz.views.listing import Listing
from attnviz.views.maps.head_screen import HeadMaps, HeadScreen
from attnviz.views.steps.hand_trace import HandTrace
from attnviz.views.steps.head_trace import HeadTrace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from attnviz.attention.capture import Prediction
    from attnviz.views.answer import Answer, Facts

MOST_PLACES, MOST_ANSWERS = 6, 5
DRAWN: dict[type, Callable[[Any, Canvas], Iterator[Line]]] = {
    HeadGrid: head_grid,
    HeadScreen: head_screen,
    HeadMaps: head_maps,
    HeadTable: head_table,
    HeadMatrix: head_matrix,
    Contrast: contrast,
    QueryGrid: query_grid,
    HeadTrace: head_trace,
    HandTrace: hand_trace,
    Listing: listing,
}


def answer_lines(answer: Answer, canvas: Canvas) -> Iterator[Line]:
    """The lines of the whole picture."""
    if answer.facts is not None:
        yield from facts(answer, answer.facts, canvas)
    if answer.prediction is not None:
        yield from prediction(answer.prediction, canvas)
    for number, part in enumerate(answer.parts):
        if number or answer.facts is not None:
            yield Line()
        yield from body(part, canvas)
    if answer.notes:
        yield Line()
    for note in answer.notes:
        yield from canvas.prose([("note  ", "dim"), (canvas.token(note), "dim")], indent=6)


def body(part: Any, canvas: Canvas) -> Iterator[Line]:
    """The lines of one part."""
    return DRAWN.get(type(part), comparison)(part, canvas)


def facts(answer: Answer, one: Facts, canvas: Canvas) -> list[Line]:
    """The model, its size, how it ran, the input's length, what was kept and whether checked."""
    model = one.model
    size = f"{counted(model.layers, 'layer')} × {counted(model.heads, 'head')}"
    architecture = "" if model.architecture == model.name else model.architecture
    given = (model.dtype, model.device, one.plan if one.texts == 1 else "")
    dtype, device, plan = (canvas.token(word) for word in given)
    ran = [size if model.layers else "", parameters(model.parameters), dtype, device]
    words = [canvas.token(architecture), *ran, tokens(one), plan]
    said = re.sub(r"(?<=\d) (?=\w)", TIE, " · ".join(word for word in words if word))
    revision = f" @{canvas.token(model.revision)[:8]}" if model.revision else ""
    parts = [(canvas.token(model.name), "bold"), (revision, "dim"), ("  ", ""), (said, "dim")]
    if answer.failed:
        names = "; ".join(f"{check.name} {check.detail}".strip() for check in answer.failed)
        parts += [(" · ", "dim"), (f"CHECK FAILED: {canvas.token(names)}", "bold red")]
    elif answer.checks:
        parts += [(" · ", "dim"), ("checked ✓", "green")]
    return canvas.prose(parts)


def tokens(one: Facts) -> str:
    """`36 tokens`, `7 tokens → 6` for a model that translates, or `10 texts`."""
    if one.texts > 1:
        return f"{one.texts:,} texts"
    count = f"{one.tokens:,} token{'s' if one.tokens != 1 else ''}"
    return count if one.targets is None else f"{count} → {one.targets:,}"


def parameters(count: int) -> str:
    """`22.7 M`."""
    for unit, size in (("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return str(count) if count else ""


def prediction(one: Prediction, canvas: Canvas) -> Iterator[Line]:
    """What the model predicts, its best answers first, or why it does not."""
    if not one.items:
        why = canvas.token(one.note).rstrip(".")
        yield from canvas.prose([(f"No prediction: {why}.", "dim")])
        return
    shown = one.items[:MOST_PLACES]
    where = min(max(cell_len(canvas.token(place)) for place, _ in shown), 16, canvas.width // 3)
    name = canvas.token(one.task or "prediction")
    for i, (place, answers) in enumerate(shown):
        parts = [(name if i == 0 else " " * cell_len(name), "dim"), ("  ", "")]
        if where:
            parts.append((canvas.cell(place, where) + "  ", ""))
        for n, (answer, chance) in enumerate(answers[:MOST_ANSWERS]):
            style = "bold" if n == 0 else ""
            figure = f"{chance:.3g}" if one.task == "score" else f"{chance:.0%}"
            parts += [(canvas.token(answer, 24), style), (f" {figure}   ", "dim")]
        yield from canvas.prose(parts, indent=min(4, canvas.width // 4))
    if len(one.items) > len(shown):
        yield from canvas.prose([(f"… {len(one.items) - len(shown):,} more", "dim")])
    if one.note:
        yield from canvas.prose([(canvas.token(one.note), "dim")])
