"""The map of one head."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnviz.errors import UsageError
from attnviz.render.image.heatmap import MapBody
from attnviz.render.image.pen import LONGEST
from attnviz.render.image.plate import Plate, map_details
from attnviz.render.image.registry import IMAGE, PICTURES
from attnviz.render.text.safe import display, fit
from attnviz.views.maps.head_screen import HeadScreen

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from attnviz.render.image.pen import Pen
    from attnviz.views.maps.heatmap import Heatmap


@IMAGE.draws(HeadScreen)
class HeadScreenPlate(Plate):
    """One head. Raises UsageError for an alignment table alone."""

    view: HeadScreen

    @property
    def maps(self) -> Sequence[Heatmap]:
        """The map of the head."""
        return [self.heatmap]

    @property
    def heatmap(self) -> Heatmap:
        """The map of the head."""
        if self.view.heatmap is None:
            raise UsageError("an alignment table has no picture", PICTURES)
        return self.view.heatmap

    @property
    def subject(self) -> str:
        """`L3H5 (previous)`."""
        return f"{self.view.head.label} ({self.view.head.pattern.name})"

    @property
    def structure(self) -> str:
        """The heaviest keys and diagonals of a long map."""
        if self.view.structure is None:
            return ""
        parts = self.view.structure.parts(lambda label: fit(display(label), LONGEST))
        return " · ".join(f"{name} {', '.join(found)} {whole}" for name, found, whole in parts)

    def details(self, shown: Sequence[Heatmap]) -> Iterator[str]:
        """Why this head, and what is said of every map."""
        if self.view.reason:
            yield self.view.reason
        yield from map_details(shown)

    def body(self, pen: Pen, room: tuple[float, float] | None) -> MapBody:
        """The map with its labels."""
        return MapBody(self.heatmap, pen, room)
