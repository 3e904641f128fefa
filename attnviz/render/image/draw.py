"""From a view to the bytes of an image."""

from __future__ import annotations

import contextlib
import io
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import matplotlib as mpl

from attnviz.render.image.arcs import ArcsBody
from attnviz.render.image.grid import GridBody
from attnviz.render.image.heading import heading_of, texts_of
from attnviz.render.image.heatmap import MapBody
from attnviz.render.image.matrix import MatrixBody
from attnviz.render.image.page import compose, room_of
from attnviz.render.image.pen import Pen
from attnviz.render.image.points import PointsBody
from attnviz.views.compare.contrast import Contrast
from attnviz.views.compare.within import DistanceMatrix, HeadGroups
from attnviz.views.maps.arcs import Arcs
from attnviz.views.maps.head_screen import HeadMaps, HeadScreen
from attnviz.views.maps.legend import FAINT_HINT, faint
from attnviz.views.steps.hand_trace import HandTrace
from attnviz.views.steps.head_trace import HeadTrace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure

    from attnviz.render.image.page import Body
    from attnviz.render.image.style import ImageStyle
    from attnviz.views.answer import Answer
    from attnviz.views.maps.heatmap import Heatmap

FAST = 3  # of 9: the default takes twice as long for a tenth less
# Text stays text, and the same picture gives the same bytes.
SETTINGS: Any = {"svg.fonttype": "none", "svg.hashsalt": "attnviz", "pdf.fonttype": 42,
            "text.parse_math": False, "axes.unicode_minus": False}  # fmt: skip
UNDATED = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}


@dataclass(frozen=True, slots=True)
class Drawing:
    """A drawn view, and what must be said beside it (tokens that no font can draw)."""

    figure: Figure
    warning: str

    def to_bytes(self, form: str) -> bytes:
        """The image as png, svg or pdf: the same drawing gives the same bytes."""
        out = io.BytesIO()
        options: Any = {"pil_kwargs": {"compress_level": FAST}} if form == "png" else {}
        with settings():
            self.figure.savefig(out, format=form, metadata=UNDATED[form], **options,
                                facecolor=self.figure.get_facecolor())  # fmt: skip
        return out.getvalue()


@contextlib.contextmanager
def settings() -> Iterator[None]:
    """matplotlib's settings for our pictures, and no word of it about fonts without bold."""
    log = logging.getLogger("matplotlib.font_manager")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with mpl.rc_context(SETTINGS):
            yield
    finally:
        log.setLevel(level)


def draw(answer: Answer, style: ImageStyle) -> Drawing:
    """The one view of the answer drawn. Raises UsageError when its size or style cannot be had."""
    [view] = answer.parts
    if isinstance(view, (HandTrace, HeadTrace)):
        from attnviz.render.image.hand_trace import draw_trace

        return draw_trace(view, style, answer.facts.model if answer.facts else None)
    with settings():
        pen = Pen(style, texts_of(answer))
        sized = style.size is not None
        room = room_of(pen, heading_of(answer, style, maps_in(view))) if sized else None
        body = body_of(view, pen, room)
        page = compose(pen, heading_of(answer, style, body.maps), body)
        dim = FAINT_HINT if faint(maps_in(view)) else ""
        return Drawing(page.figure, pen.warning or dim)


def maps_in(view: Any) -> list[Heatmap]:
    """The maps of the view before they are laid out."""
    if isinstance(view, HeadScreen):
        return [view.heatmap] if view.heatmap is not None else []
    if isinstance(view, DistanceMatrix):
        return [view.shown]
    if isinstance(view, Contrast):
        return [view.difference]
    return [one for _, one in view.maps] if isinstance(view, HeadMaps) else []


def body_of(view: Any, pen: Pen, room: tuple[float, float] | None) -> Body:
    """The view laid out."""
    if isinstance(view, HeadScreen):
        assert view.heatmap is not None
        return MapBody(view.heatmap, pen, room)
    if isinstance(view, HeadMaps):
        return GridBody(view, pen, room)
    if isinstance(view, Arcs):
        return ArcsBody(view, pen, room)
    if isinstance(view, DistanceMatrix):
        return MapBody(view.shown, pen, room)
    if isinstance(view, Contrast):
        return MapBody(view.difference, pen, room)
    if isinstance(view, HeadGroups):
        return PointsBody(view, pen, room)
    return MatrixBody(view, pen, room)
