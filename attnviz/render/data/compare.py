"""Comparisons as plain values for JSON, and as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnviz.render.data.json_values import map_values, number, numbers
from attnviz.render.data.tidy_rows import figure
from attnviz.views.compare.within import DistanceMatrix, HeadGroups, LikeHead, SideBySide

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from attnviz.render.data.tidy_rows import Row
    from attnviz.views.heads.patterns import Head

NAMES = ("layer", "head")


def comparison_values(view: Any) -> dict[str, Any]:
    """The comparison for `json.dumps`; distances are Jensen-Shannon in [0, 1]."""
    out: dict[str, Any] = {"stack": view.stack, "queries": view.queries}
    if isinstance(view, HeadGroups):
        return out | group_values(view)
    if isinstance(view, LikeHead):
        near = [named(head) | {"distance": number(far)} for head, far in view.rows]
        return out | named(view.head) | {"nearest": near}
    if isinstance(view, SideBySide):
        pairs = [
            {"heads": [named(one.one), named(one.other)], "distance": number(one.distance),
             "most": most_values(one.most)}
            for one in view.pairs
        ]  # fmt: skip
        maps = [named(head) | {"map": map_values(one)} for head, one in view.maps.maps]
        return out | {"heads": maps, "pairs": pairs}
    if isinstance(view, DistanceMatrix):
        names = list(view.shown.keys.labels)
        shared = shared_values(view) if view.what == "heads" else {}
        return out | {view.what: names, "distances": distances(view)} | shared
    moved = [
        named(one.one) | {"distance": number(one.distance), "most": most_values(one.most)}
        for one in view.rows
    ]
    return out | {
        "first": view.first,
        "second": view.second,
        "compared": "words" if view.words else "tokens",
        "unmatched": list(view.unmatched),
        "moved": moved,
        "difference": named(view.shown) | {"map": map_values(view.difference)},
    }


def group_values(view: HeadGroups) -> dict[str, Any]:
    """Groups, nearest pairs, every head with its point, and all distances."""
    return {
        "groups": [
            {
                "heads": [named(head) for head in one.heads],
                "typical": named(one.typical),
                "within": number(one.within),
            }
            for one in view.groups
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
    } | shared_values(view)


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


def comparison_rows(view: Any) -> Iterator[Row]:
    """Rows, the first one naming the columns: one per head, pair of heads, or pair of names."""
    if isinstance(view, HeadGroups):
        yield ["stack", *NAMES, "pattern", "group", "typical", "within", "x", "y"]
        places = {id(head): i for i, head in enumerate(view.heads)}
        for number_, group in enumerate(view.groups):
            for head in group.heads:
                x, y = view.points[places[id(head)]]
                yield [view.stack, head.layer, head.head, head.pattern.name, number_,
                       int(head is group.typical), figure(group.within), figure(x),
                       figure(y)]  # fmt: skip
    elif isinstance(view, LikeHead):
        yield ["stack", *NAMES, "pattern", "distance"]
        for head, far in view.rows:
            yield [view.stack, head.layer, head.head, head.pattern.name, figure(far)]
    elif isinstance(view, SideBySide):
        yield ["stack", *NAMES, "other_layer", "other_head", "distance", *MOST]
        for pair in view.pairs:
            ends = [pair.one.layer, pair.one.head, pair.other.layer, pair.other.head]
            yield [view.stack, *ends, figure(pair.distance), *most_row(pair.most)]
    elif isinstance(view, DistanceMatrix):
        names = view.shown.keys.labels
        yield [view.what, *names]
        for name, row in zip(names, distances(view), strict=True):
            yield [name, *("" if far is None else figure(far) for far in row)]
    else:
        yield ["stack", *NAMES, "pattern", "other_pattern", "distance", *MOST]
        for one in view.rows:
            yield [view.stack, one.one.layer, one.one.head, one.one.pattern.name,
                   one.other.pattern.name, figure(one.distance), *most_row(one.most)]  # fmt: skip


MOST = ("query", "query_label", "query_distance")


def most_row(most: Sequence[tuple[int, str, float]]) -> list[Any]:
    """The query that differs most."""
    return [most[0][0], most[0][1], figure(most[0][2])] if most else ["", "", ""]
