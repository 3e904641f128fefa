"""A view of an outsider, in one module: what it is, its name, and how each renderer draws it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from attnviz.render.data.registry import JSON, ROWS
from attnviz.render.image.plate import Plate
from attnviz.render.image.registry import IMAGE
from attnviz.render.terminal.canvas import Canvas, Line
from attnviz.render.terminal.registry import TERMINAL
from attnviz.views.vocabulary import shows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from attnviz.render.image.page import Page
    from attnviz.render.image.pen import Pen
    from attnviz.views.request import Request


@dataclass(frozen=True)
class Loudest:
    """The head with the largest score, and that score."""

    stack: str
    head: str
    score: str
    value: float


@shows("loudest")
def loudest(asked: Request) -> tuple[Loudest]:
    """The selected head with most of `--score`."""
    name = asked.appearance.score
    best = max(asked.heads, key=lambda head: head.score(name))
    return (Loudest(asked.stack.name, best.label, name, best.score(name)),)


@TERMINAL.draws(Loudest)
def line(view: Loudest, canvas: Canvas) -> Iterator[Line]:
    yield Line(f"loudest by {view.score}: {view.head} {view.value:.3f}", "bold")


@JSON.draws(Loudest)
def values(view: Loudest) -> dict[str, Any]:
    return {"loudest": {"head": view.head, "value": view.value}}


@ROWS.draws(Loudest)
def rows(views: Sequence[Loudest]) -> Iterator[list[Any]]:
    yield ["stack", "head", "value"]
    yield from ([view.stack, view.head, view.value] for view in views)


@IMAGE.draws(Loudest)
class LoudestPlate(Plate):
    @property
    def subject(self) -> str:
        return f"loudest: {self.view.head}"

    def body(self, pen: Pen, room: tuple[float, float] | None) -> Words:
        return Words(self.view.head)


class Words:
    width, height = 2.0, 0.5

    def __init__(self, text: str) -> None:
        self.text, self.maps = text, []

    def draw(self, page: Page, left: float, top: float) -> None:
        page.text(left, top, self.text, 12)
