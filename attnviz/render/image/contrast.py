"""Two captures compared: the difference of the head that moved most."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnviz.render.image.heatmap import MapBody
from attnviz.render.image.plate import Plate, map_details, short
from attnviz.render.image.registry import IMAGE
from attnviz.views.compare.contrast import Contrast

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from attnviz.render.image.pen import Pen
    from attnviz.views.maps.heatmap import Heatmap


@IMAGE.draws(Contrast)
class ContrastPlate(Plate):
    """The second map less the first."""

    view: Contrast

    @property
    def maps(self) -> Sequence[Heatmap]:
        """The difference."""
        return [self.view.difference]

    @property
    def subject(self) -> str:
        """`L3H5, a text less another`."""
        names = (short(name) for name in reversed(self.view.names))
        return f"{self.view.shown.label}, {' less '.join(names)}"

    def texts(self) -> Iterator[str]:
        """Both names and the labels."""
        yield from (self.view.first, self.view.second, *super().texts())

    def details(self, shown: Sequence[Heatmap]) -> Iterator[str]:
        """How far the head moved, and what has no counterpart."""
        view = self.view
        yield f"the head that moved most, distance {view.rows[0].distance:.2f}"
        if any(view.unmatched):
            first, second = view.unmatched
            unit = "words" if view.words else "tokens"
            yield f"{second} and {first} {unit} without counterpart not drawn"
        yield from map_details(shown)

    def body(self, pen: Pen, room: tuple[float, float] | None) -> MapBody:
        """The map of the difference."""
        return MapBody(self.view.difference, pen, room)
