"""Heads compared within one capture: groups that attend alike, neighbours, pairs, layers."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from attnviz.analysis.distances import distances_to, head_distances, pair_distances
from attnviz.analysis.groups import between, grouped, layout, nearest_pairs
from attnviz.attention.axis import Axis
from attnviz.errors import CaptureError, SelectionError
from attnviz.views.maps.head_maps import head_maps, prepared
from attnviz.views.maps.heatmap import Heatmap, State, largest, singles
from attnviz.views.vocabulary import shows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from attnviz.attention.capture import LayerAttention
    from attnviz.views.heads.head import Head
    from attnviz.views.maps.head_maps import HeadMaps
    from attnviz.views.request import Request

    Progress = Callable[[float], None]

PAIRS = 5  # nearest pairs that are listed
MOST = 3  # queries that are named where two heads differ most


@dataclass(frozen=True, slots=True)
class HeadGroup:
    """Heads that attend alike: the one nearest to all others, and the mean distance of two."""

    heads: tuple[Head, ...]
    typical: Head
    within: float


@dataclass(frozen=True, eq=False)
class HeadGroups:
    """All heads by groups, the largest first, and the `pairs` that are nearest.

    `distances`: float (heads, heads), Jensen-Shannon in [0, 1], in the order of `heads`; `order`:
    the same heads so that groups and near heads stand together; `points` float (heads, 2): a map
    of them, with the square roots of the distances as far as a plane can hold them. Heads of a
    group are at most THRESHOLD apart, by average linkage; `queries` are compared. `top` groups
    are to be listed. Every `share` heads of a layer read the keys of one key-value head.
    """

    stack: str
    heads: tuple[Head, ...]
    groups: tuple[HeadGroup, ...]
    pairs: tuple[tuple[Head, Head, float], ...]
    distances: np.ndarray
    order: tuple[int, ...]
    points: np.ndarray
    queries: int
    top: int | None = None
    several: bool = False
    share: int = 1

    def same_keys(self, head: Head, other: Head) -> bool:
        """Whether two heads read the keys of one key-value head."""
        return head.layer == other.layer and head.head // self.share == other.head // self.share

    @property
    def sharing(self) -> tuple[float, float] | None:
        """Mean distance of two heads with the same keys, and of others of one layer.

        None where no two heads have the same keys, or all of a layer have.
        """
        layer = np.array([head.layer for head in self.heads])
        keys = np.array([one.head // self.share for one in self.heads])
        pair = np.triu(layer[:, None] == layer, 1)
        same = pair & (keys[:, None] == keys)
        others = pair & ~same
        if self.share < 2 or not same.any() or not others.any():
            return None
        return float(self.distances[same].mean()), float(self.distances[others].mean())


@dataclass(frozen=True, slots=True)
class LikeHead:
    """The heads most like one head, nearest first, with their distances."""

    stack: str
    head: Head
    rows: tuple[tuple[Head, float], ...]
    left_out: int
    queries: int
    several: bool = False


@dataclass(frozen=True, slots=True)
class HeadPair:
    """Two heads, their distance, and the queries (position, label, distance) that differ most."""

    one: Head
    other: Head
    distance: float
    most: tuple[tuple[int, str, float], ...]


@dataclass(frozen=True, eq=False)
class SideBySide:
    """Chosen heads on one scale, and every two of them compared, nearest first."""

    stack: str
    maps: HeadMaps
    pairs: tuple[HeadPair, ...]
    queries: int
    several: bool = False


@dataclass(frozen=True, eq=False)
class DistanceMatrix:
    """Distances between `heads` in the order of their groups, or between `layers`.

    `shown` has their names on both axes; what has no distance is masked. `share` and `sharing` of
    heads are those of HeadGroups.
    """

    stack: str
    what: Literal["heads", "layers"]
    shown: Heatmap
    queries: int
    several: bool = False
    share: int = 1
    sharing: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class Material:
    """What is compared: heads with their maps, (heads of a layer, queries, keys) per layer.

    `layers` by number are as the look wants them, all with the same `queries` and `keys`;
    `counted`: bool (queries,), those that distances are means over.
    """

    heads: tuple[Head, ...]
    maps: tuple[np.ndarray, ...]
    layers: Mapping[int, LayerAttention]
    counted: np.ndarray
    queries: Axis
    keys: Axis
    causal: bool

    @property
    def count(self) -> int:
        """How many queries are compared."""
        return int(self.counted.sum())

    def map_of(self, index: int) -> np.ndarray:
        """The map of a head by its place in `heads`, (queries, keys)."""
        for one in self.maps:
            if index < len(one):
                return np.asarray(one[index])
            index -= len(one)
        raise IndexError(index)


def material(asked: Request) -> Material:
    """The maps of the wanted heads.

    Raises CaptureError when they were not kept whole, SelectionError when the layers attend over
    different tokens.
    """
    require_whole(asked)
    layers = [prepared(asked.stack.by_layer[number], asked.appearance) for number in asked.wanted]
    first = layers[0]
    for layer in layers:
        if (layer.queries, layer.keys) != (first.queries, first.keys):
            raise SelectionError(
                f"layers {first.layer} and {layer.layer} attend over different tokens",
                "compare layers of one length: --layer",
            )
    return Material(
        heads=tuple(asked.heads),
        maps=tuple(wanted_maps(one, asked.wanted[one.layer]) for one in layers),
        layers={one.layer: one for one in layers},
        counted=np.array(first.queries.counted(first.causal), bool),
        queries=first.queries,
        keys=first.keys,
        causal=first.causal,
    )


def require_whole(asked: Request) -> None:
    """Raise CaptureError where the maps of a wanted layer were not kept whole."""
    for layer in asked.wanted:
        if not asked.stack.has_weights(layer):
            raise CaptureError(
                f"the maps of layer {layer} were not kept whole, and cannot be compared",
                "select fewer layers or heads, shorten the text, or give --memory more",
            )


def wanted_maps(layer: LayerAttention, heads: Sequence[int]) -> np.ndarray:
    """The maps of these heads of a layer."""
    weights = layer.kept["weights"]
    if tuple(heads) == layer.heads:
        return weights
    return np.asarray(weights[[layer.heads.index(head) for head in heads]])


def head_groups(
    asked: Request, top: int | None = None, progress: Callable[[float], None] | None = None
) -> HeadGroups:
    """All wanted heads by groups. Raises SelectionError when there is only one."""
    found = material(asked)
    heads = found.heads
    if len(heads) < 2:
        raise SelectionError("one head alone cannot be compared", "select more heads")
    distances = head_distances(found.maps, found.counted, progress, causal=found.causal)
    groups = grouped(distances)
    return HeadGroups(
        stack=asked.stack.name,
        heads=heads,
        groups=tuple(
            HeadGroup(tuple(heads[i] for i in group.members), heads[group.typical], group.within)
            for group in groups.groups
        ),
        pairs=tuple((heads[i], heads[j], far) for i, j, far in nearest_pairs(distances, PAIRS)),
        distances=distances,
        order=tuple(groups.order.tolist()),
        points=layout(np.sqrt(distances)),
        queries=found.count,
        top=top,
        several=asked.several,
        share=heads_per_key(asked),
    )


@shows("table", of="comparison")
def listed(asked: Request, top: int, progress: Progress | None = None) -> HeadGroups:
    """The groups of the wanted heads."""
    return head_groups(asked, top, progress)


@shows("matrix", of="comparison")
def matrix(asked: Request, top: int, progress: Progress | None = None) -> DistanceMatrix:
    """The distance of every two wanted heads."""
    return group_matrix(head_groups(asked, top, progress))


def heads_per_key(asked: Request) -> int:
    """How many heads of a layer share one key-value head; 1 where none do, or it is not known."""
    facts = asked.capture.model
    sizes = {asked.stack.by_layer[number].n_heads for number in asked.wanted}
    known = facts.kv_heads and sizes == {facts.heads} and facts.heads % facts.kv_heads == 0
    return facts.heads // facts.kv_heads if known else 1


def like_head(asked: Request, head: tuple[int, int], top: int) -> LikeHead:
    """The `top` wanted heads that are nearest to one of them, (layer, head)."""
    found = material(asked)
    place = [(one.layer, one.head) for one in found.heads].index(head)
    distances = distances_to(found.maps, found.map_of(place), found.counted)
    others = [(far, i) for i, far in enumerate(distances.tolist()) if i != place]
    near = sorted(others, key=lambda pair: (math.isnan(pair[0]), pair))
    return LikeHead(
        stack=asked.stack.name,
        head=found.heads[place],
        rows=tuple((found.heads[i], far) for far, i in near[:top]),
        left_out=max(0, len(near) - top),
        queries=found.count,
        several=asked.several,
    )


def side_by_side(asked: Request) -> SideBySide:
    """The wanted heads beside one another, and every pair of them."""
    found = material(asked)
    pairs = []
    for i in range(len(found.heads)):
        for j in range(i + 1, len(found.heads)):
            far, rows = pair_distances(found.map_of(i)[None], found.map_of(j)[None], found.counted)
            most = differing(rows[0], found.queries)
            pairs.append(HeadPair(found.heads[i], found.heads[j], float(far[0]), most))
    return SideBySide(
        stack=asked.stack.name,
        maps=head_maps(asked.stack, asked.pairs, asked.appearance, asked.rows, asked.several),
        pairs=tuple(sorted(pairs, key=lambda pair: (math.isnan(pair.distance), pair.distance))),
        queries=found.count,
        several=asked.several,
    )


def differing(distances: np.ndarray, queries: Axis) -> tuple[tuple[int, str, float], ...]:
    """The queries with the largest distances (queries,): position, label, distance."""
    order = np.argsort(-np.nan_to_num(distances, nan=-1), kind="stable")[:MOST].tolist()
    return tuple((i, queries.labels[i], float(distances[i])) for i in order if distances[i] > 0)


def layer_matrix(asked: Request, progress: Callable[[float], None] | None = None) -> DistanceMatrix:
    """Mean distances between the heads of any two layers. Raises SelectionError for one layer."""
    groups = head_groups(asked, progress=progress)
    numbers = list(asked.wanted)
    if len(numbers) < 2:
        raise SelectionError("one layer alone cannot be compared", "select more layers")
    labels = np.array([numbers.index(head.layer) for head in groups.heads])
    shown = distance_map([f"L{number}" for number in numbers], between(groups.distances, labels))
    return DistanceMatrix(groups.stack, "layers", shown, groups.queries, groups.several)


def group_matrix(groups: HeadGroups) -> DistanceMatrix:
    """The distances of all heads, in the order of their groups."""
    order = list(groups.order)
    names = [groups.heads[i].label for i in order]
    shown = distance_map(names, groups.distances[np.ix_(order, order)])
    told = (groups.queries, groups.several, groups.share, groups.sharing)
    return DistanceMatrix(groups.stack, "heads", shown, *told)


def distance_map(names: Sequence[str], values: np.ndarray) -> Heatmap:
    """The distances (names, names) as a map to draw; NaN from one to itself stands for none."""
    axis = Axis(tuple(names))
    unknown = np.isnan(values)
    lone = np.eye(len(values), dtype=bool) & ~unknown.all(axis=1)
    states = np.where(values == 0, State.ZERO, State.VALUE)
    states = np.where(unknown, np.where(lone, State.MASKED, State.NAN), states)
    found = Heatmap(
        values=np.nan_to_num(values).astype(np.float32),
        states=states.astype(np.uint8),
        queries=axis,
        keys=axis,
        rows=singles(len(axis)),
        columns=singles(len(axis)),
        sinks=np.zeros(len(axis), bool),
        vmax=0.0,
        reduce="mean",
        measure="distance",
    )
    return replace(found, vmax=largest(found))
