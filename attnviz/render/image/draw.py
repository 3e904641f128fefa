"""From a view to the bytes of an image."""

from __future__ import annotations

import contextlib
import io
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import matplotlib as mpl

from attnviz.render.image.page import Heading, compose, room_of
from attnviz.render.image.pen import Pen
from attnviz.render.image.registry import IMAGE
from attnviz.views.maps.legend import FAINT_HINT, faint

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matplotlib.figure import Figure

    from attnviz.render.image.plate import Plate
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
    """The one view of the answer drawn.

    Raises UsageError for a view that has no picture, or whose size or style cannot be had.
    """
    [view] = answer.parts
    plate = IMAGE.of(view)(view, answer)
    with settings():
        pen = Pen(style, (plate.title, *answer.notes, *plate.details(plate.maps), *plate.texts()))
        room = None
        if style.size is not None:
            room = room_of(pen, heading_of(plate, answer, style, plate.maps))
        body = plate.body(pen, room)
        page = compose(pen, heading_of(plate, answer, style, body.maps), body)
        dim = FAINT_HINT if faint(plate.maps) else ""
        return Drawing(page.figure, pen.warning or dim)


def heading_of(
    plate: Plate, answer: Answer, style: ImageStyle, shown: Sequence[Heatmap]
) -> Heading:
    """The heading of a view whose maps are drawn as `shown`."""
    title = plate.title if style.title is None else style.title
    failed = "; ".join(f"{check.name} {check.detail}".strip() for check in answer.failed)
    failed = f"CHECK FAILED: {failed}" if failed else ""
    return Heading(title, (*plate.details(shown), *answer.notes), failed, plate.structure)
