"""What every view brings to a page: the words of its heading, and its body."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.attention.capture import ModelFacts
from attnviz.errors import UsageError
from attnviz.render.text.safe import display, fit
from attnviz.views.maps.head_maps import notes_of
from attnviz.views.maps.heatmap import State
from attnviz.views.maps.legend import off_scale, pooled_words
from attnviz.views.maps.scales import description

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from attnviz.render.image.page import Body
    from attnviz.render.image.pen import Pen
    from attnviz.views.answer import Answer
    from attnviz.views.maps.heatmap import Heatmap

LONG = 36  # columns of a text in a title
STATES = {
    State.MASKED: "pale = masked",
    State.PADDED: "blue-grey = padding",
    State.NAN: "red = not a number",
    State.CUT: "green = not kept",
}


class Plate(ABC):
    """How a view is drawn; each view has a plate of its own, registered with `IMAGE.draws`."""

    def __init__(self, view: Any, answer: Answer) -> None:
        self.view = view
        self.model = answer.facts.model if answer.facts is not None else ModelFacts("")

    @property
    def maps(self) -> Sequence[Heatmap]:
        """The maps of the view before they are laid out."""
        return ()

    @property
    def title(self) -> str:
        """`gpt2 @607a30d · cross attention · L3H5`: the model, the stack, what is shown of it."""
        model = self.model
        name = f"{model.name} @{model.revision[:8]}" if model.revision else model.name
        stack = f"{self.stack} attention" if self.stack else ""
        return " · ".join(part for part in (name, stack, self.subject) if part)

    @property
    def stack(self) -> str:
        """The stack, where it must be named because there are others; else empty."""
        return str(self.view.stack) if getattr(self.view, "several", False) else ""

    @property
    @abstractmethod
    def subject(self) -> str:
        """What is shown of the model."""

    @property
    def structure(self) -> str:
        """What holds a long map together; else empty."""
        return ""

    def texts(self) -> Iterable[str]:
        """The labels that the drawing may hold, for the choice of fonts."""
        for shown in self.maps[:1]:
            yield from (*shown.queries.labels, *shown.keys.labels)

    def details(self, shown: Sequence[Heatmap]) -> Iterator[str]:
        """The small print, where the maps are drawn as `shown`."""
        return map_details(shown)

    @abstractmethod
    def body(self, pen: Pen, room: tuple[float, float] | None) -> Body:
        """The view laid out, in its natural size or in `room` (inches)."""


def map_details(shown: Sequence[Heatmap], beside: Iterable[str] = ()) -> Iterator[str]:
    """Scale, what is off it, what was pooled, merged, hidden or left out; `beside` in between."""
    if not shown:
        return
    first = shown[0]
    several = len(shown) > 1 and first.scale not in ("row", "rank")
    together = ", all on one scale" if several else ""
    yield f"{first.measure.removeprefix('attention ')}s {description(first)}{together}"
    off = off_scale(shown)
    if off:
        yield f"grey = {off}, off the scale"
    each = [np.bincount(one.states.ravel(), minlength=len(State)) for one in shown]
    cells = np.sum(each, axis=0)
    yield from (words for state, words in STATES.items() if cells[state])
    yield from beside
    yield from filter(None, [pooled_words(shown)])
    yield from notes_of(shown)


def short(text: str) -> str:
    """A text as it stands in a title."""
    return fit(display(text), LONG)


def of_heads(labels: Sequence[tuple[int, str]]) -> str:
    """`L3H5`, `layer 3, 4 heads` or `12 heads`, for (layer, label) of every head."""
    if len(labels) == 1:
        return labels[0][1]
    layers = {layer for layer, _ in labels}
    return f"{f'layer {layers.pop()}, ' if len(layers) == 1 else ''}{len(labels):,} heads"


def no_size(room: tuple[float, float] | None) -> None:
    """Raise UsageError where a size is asked for that the view cannot follow."""
    if room is not None:
        raise UsageError("a trace has a size of its own", "leave the size out")
