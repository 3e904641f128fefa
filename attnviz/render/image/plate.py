"""What every view brings to a page: the words of its heading, and its body."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnviz.attention.capture import ModelFacts
from attnviz.render.text.safe import display, fit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from attnviz.render.image.page import Body
    from attnviz.render.image.pen import Pen
    from attnviz.views.answer import Answer
    from attnviz.views.maps.heatmap import Heatmap

LONG = 36  # columns of a text in a title


class Plate:
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
        """`gpt2 @607a30d · cross attention · L3H5`: the model, the stack of several, the subject."""
        model, view = self.model, self.view
        name = f"{model.name} @{model.revision[:8]}" if model.revision else model.name
        stack = f"{view.stack} attention" if getattr(view, "several", False) else ""
        return " · ".join(part for part in (name, stack, self.subject) if part)

    @property
    def subject(self) -> str:
        """What is shown of the model."""
        return ""

    @property
    def structure(self) -> str:
        """What holds a long map together; else empty."""
        return ""

    def texts(self) -> Iterable[str]:
        """Every text that the drawing may hold beside the heading, for the choice of fonts."""
        return ()

    def details(self, shown: Sequence[Heatmap]) -> Iterator[str]:
        """The small print: scale, what was pooled, merged, hidden or left out of maps as shown."""
        yield from ()

    def body(self, pen: Pen, room: tuple[float, float] | None) -> Body:
        """The view laid out, in its natural size or in `room` (inches)."""
        raise NotImplementedError


def short(text: str) -> str:
    """A text as it stands in a title."""
    return fit(display(text), LONG)
