"""Heads compared: groups in the plane, chosen heads side by side, distances."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnviz.render.image.head_maps import HeadMapsPlate
from attnviz.render.image.heatmap import MapBody
from attnviz.render.image.plate import Plate, map_details
from attnviz.render.image.points import PointsBody
from attnviz.render.image.registry import IMAGE
from attnviz.views.compare.comparison import DistanceMatrix, HeadGroups, SideBySide

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from attnviz.render.image.pen import Pen
    from attnviz.views.answer import Answer
    from attnviz.views.maps.heatmap import Heatmap


@IMAGE.draws(HeadGroups)
class HeadGroupsPlate(Plate):
    """Heads as points of a plane."""

    view: HeadGroups

    @property
    def subject(self) -> str:
        """How many heads."""
        return f"{len(self.view.heads):,} heads by how they attend"

    def details(self, shown: Sequence[Heatmap]) -> Iterator[str]:
        """What distances, colours and places are."""
        yield measured(self.view)
        yield "colours = groups, grey = like no other"
        yield "the nearer, the more alike, as far as a plane can show it"
        yield from sharing(self.view, ", joined by lines")

    def body(self, pen: Pen, room: tuple[float, float] | None) -> PointsBody:
        """The plane."""
        return PointsBody(self.view, pen, room)


@IMAGE.draws(DistanceMatrix)
class DistanceMatrixPlate(Plate):
    """The distance of every two heads or layers."""

    view: DistanceMatrix

    @property
    def maps(self) -> Sequence[Heatmap]:
        """The distances as a map."""
        return [self.view.shown]

    @property
    def subject(self) -> str:
        """How many heads or layers."""
        return f"distances between {len(self.view.shown.rows):,} {self.view.what}"

    def texts(self) -> Iterator[str]:
        """No token is shown."""
        yield from ()

    def details(self, shown: Sequence[Heatmap]) -> Iterator[str]:
        """What distances are, their order, and what is said of every map."""
        yield measured(self.view)
        if self.view.what == "heads":
            yield "in the order of their groups"
        yield from sharing(self.view)
        yield from map_details(shown)

    def body(self, pen: Pen, room: tuple[float, float] | None) -> MapBody:
        """The map of the distances."""
        return MapBody(self.view.shown, pen, room)


@IMAGE.draws(SideBySide)
class SideBySidePlate(HeadMapsPlate):
    """Chosen heads."""

    def __init__(self, view: SideBySide, answer: Answer) -> None:
        super().__init__(view.maps, answer)


def measured(view: HeadGroups | DistanceMatrix) -> str:
    """What a distance is."""
    return f"Jensen-Shannon, 0 to 1, mean over {view.queries:,} queries"


def sharing(view: HeadGroups | DistanceMatrix, how: str = "") -> Iterator[str]:
    """How far heads are apart that share keys, and others."""
    if view.sharing:
        same, others = view.sharing
        shared = f"they share keys (every {view.share}{how})"
        yield f"heads of a layer are {same:.2f} apart where {shared}, else {others:.2f}"
