"""Heads compared within one capture, as plain values for JSON, and as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnviz.render.data.json_values import map_values, number, numbers
from attnviz.render.data.registry import JSON, ROWS
from attnviz.render.data.tidy_rows import figure
from attnviz.views.compare.comparison import DistanceMatrix, HeadGroups, LikeHead, SideBySide

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from attnviz.render.data.registry import Row
    from attnviz.views.compare.contrast import Contrast
    from attnviz.views.heads.head import Head

NAMES = ("layer", "head")
MOST = ("query", "query_label", "query_distance")


def about(view: HeadGroups | LikeHead | SideBySide | DistanceMatrix | Contrast) -> dict[str, Any]:
    """What distances are over: Jensen-Shannon in [0, 1], means over so many queries."""
    return {"stack": view.stack, "queries": view.queries}


@JSON.draws(HeadGroups)
def group_values(view: HeadGroups) -> dict[str, Any]:
    """Groups, nearest pairs, every head with its point, and all distances."""
    return (
        about(view)
        | {
            "groups": [
                {
                    "heads": [named(head) for head in group.heads],
                    "typical": named(group.typical),
                    "within": number(group.within),
                }
                for group in view.groups
            ],
            "pairs": [
                {"heads": [named(one), named(other)], "distance": number(far)}
                for one, other, far in view.pairs
            ],
            "heads": [
                named(head) | {"x": number(x), "y": number(y)}
                for head, (x, y) in zip(view.heads, view.points.tolist(), strict=True)
            ],
            "distances": numbers(view.distances),
        }
        | shared_values(view)
    )


@ROWS.draws(HeadGroups)
def group_rows(views: Sequence[HeadGroups]) -> Iterator[Row]:
    """One row per head."""
    [view] = views
    yield ["stack", *NAMES, "pattern", "group", "typical", "within", "x", "y"]
    places = {id(head): i for i, head in enumerate(view.heads)}
    for number_, group in enumerate(view.groups):
        for head in group.heads:
            x, y = view.points[places[id(head)]]
            own = [view.stack, head.layer, head.head, head.pattern.name, number_]
            yield [*own, int(head is group.typical), figure(group.within), figure(x), figure(y)]


@JSON.draws(LikeHead)
def near_values(view: LikeHead) -> dict[str, Any]:
    """The head, and those that are nearest."""
    near = [named(head) | {"distance": number(far)} for head, far in view.rows]
    return about(view) | named(view.head) | {"nearest": near}


@ROWS.draws(LikeHead)
def near_rows(views: Sequence[LikeHead]) -> Iterator[Row]:
    """One row per head."""
    [view] = views
    yield ["stack", *NAMES, "pattern", "distance"]
    for head, far in view.rows:
        yield [view.stack, head.layer, head.head, head.pattern.name, figure(far)]


@JSON.draws(SideBySide)
def pair_values(view: SideBySide) -> dict[str, Any]:
    """The heads with their maps, and every two of them."""
    pairs = [
        {
            "heads": [named(pair.one), named(pair.other)],
            "distance": number(pair.distance),
            "most": most_values(pair.most),
        }
        for pair in view.pairs
    ]
    heads = [named(head) | {"map": map_values(shown)} for head, shown in view.maps.maps]
    return about(view) | {"heads": heads, "pairs": pairs}


@ROWS.draws(SideBySide)
def pair_rows(views: Sequence[SideBySide]) -> Iterator[Row]:
    """One row per pair of heads."""
    [view] = views
    yield ["stack", *NAMES, "other_layer", "other_head", "distance", *MOST]
    for pair in view.pairs:
        ends = [pair.one.layer, pair.one.head, pair.other.layer, pair.other.head]
        yield [view.stack, *ends, figure(pair.distance), *most_row(pair.most)]


@JSON.draws(DistanceMatrix)
def matrix_values(view: DistanceMatrix) -> dict[str, Any]:
    """The names of heads or layers, and all distances."""
    names = list(view.shown.keys.labels)
    shared = shared_values(view) if view.what == "heads" else {}
    return about(view) | {view.what: names, "distances": distances(view)} | shared


@ROWS.draws(DistanceMatrix)
def matrix_rows(views: Sequence[DistanceMatrix]) -> Iterator[Row]:
    """One row per name, with its distances to all."""
    [view] = views
    names = view.shown.keys.labels
    yield [view.what, *names]
    for name, row in zip(names, distances(view), strict=True):
        yield [name, *("" if far is None else figure(far) for far in row)]


def shared_values(view: HeadGroups | DistanceMatrix) -> dict[str, Any]:
    """How many heads read the same keys, and how far those and others of a layer are apart."""
    names = ("same_keys", "others")
    sharing = dict(zip(names, map(number, view.sharing), strict=True)) if view.sharing else None
    return {"heads_per_key": view.share, "sharing": sharing}


def named(head: Head) -> dict[str, Any]:
    """The layer, number and pattern of a head."""
    return {"layer": head.layer, "head": head.head, "pattern": head.pattern.name}


def most_values(most: Sequence[tuple[int, str, float]]) -> list[dict[str, Any]]:
    """The queries that differ most."""
    return [{"query": i, "label": label, "distance": number(far)} for i, label, far in most]


def distances(view: DistanceMatrix) -> Any:
    """The distances, null where there is none."""
    return map_values(view.shown)["weights"]


def most_row(most: Sequence[tuple[int, str, float]]) -> list[Any]:
    """The query that differs most."""
    return [most[0][0], most[0][1], figure(most[0][2])] if most else ["", "", ""]
