"""Two captures compared head by head: two texts, or one text in two models."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import TYPE_CHECKING, Literal

import numpy as np

from attnviz.analysis.distances import pair_distances
from attnviz.errors import SelectionError
from attnviz.views.appearance import Appearance
from attnviz.views.compare.comparison import differing, material
from attnviz.views.maps.heatmap import State, heatmap, largest, take
from attnviz.views.request import request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attnviz.attention.axis import Axis
    from attnviz.attention.capture import Capture
    from attnviz.attention.selection import Selection
    from attnviz.views.compare.comparison import Material
    from attnviz.views.heads.head import Head
    from attnviz.views.maps.heatmap import Heatmap

Kind = Literal["texts", "models"]
SHARED = 16  # characters at the beginning of both texts that are not worth repeating


@dataclass(frozen=True, slots=True)
class MovedHead:
    """A head in both captures, how far its maps are apart, and the queries that differ most."""

    one: Head
    other: Head
    distance: float
    most: tuple[tuple[int, str, float], ...]


@dataclass(frozen=True, eq=False)
class Contrast:
    """Heads by how far they moved from `first` to `second` (texts, or models), farthest first.

    Distances are Jensen-Shannon in [0, 1], the mean over the `queries` that correspond; keys that
    do not correspond count together as one. `unmatched` counts the tokens of both captures that
    correspond to none, `missing` the heads that only one has. `difference` is the map of
    `shown` in the second less that in the first, over what corresponds; `words` tells that words
    were compared, because the tokens are not the same.
    """

    stack: str
    kind: Kind
    first: str
    second: str
    rows: tuple[MovedHead, ...]
    left_out: int
    queries: int
    unmatched: tuple[int, int]
    missing: int
    shown: Head
    difference: Heatmap
    words: bool = False
    several: bool = False

    @property
    def names(self) -> tuple[str, str]:
        """What tells the two apart: long texts without the beginning that they share."""
        pairs = zip(self.first, self.second, strict=False)
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        start = self.first.rfind(" ", 0, same) + 1
        if start < SHARED:
            return self.first, self.second
        return f"… {self.first[start:]}", f"… {self.second[start:]}"


def contrast(
    first: Capture,
    second: Capture,
    selection: Selection,
    appearance: Appearance,
    kind: Kind,
    names: tuple[str, str],
    top: int,
) -> Contrast:
    """What moved between two captures. Raises SelectionError where nothing corresponds.

    Two texts: the tokens of a longest common subsequence of both correspond. Two models: their
    tokens must be the same; where they are not, their words must be.
    """
    a, b = (material(request(one, selection, appearance)) for one in (first, second))
    if kind == "models" and not same_tokens(a, b):
        if not appearance.words:
            return contrast(
                first, second, selection, replace(appearance, words=True), kind, names, top
            )
        raise SelectionError(
            f"{names[0]} and {names[1]} cut the text into different words",
            "compare models with one tokeniser",
        )
    rows, columns = matched(a.queries, b.queries), matched(a.keys, b.keys)
    places = {(head.layer, head.head): i for i, head in enumerate(b.heads)}
    pairs = [(i, places[head.layer, head.head]) for i, head in enumerate(a.heads)
             if (head.layer, head.head) in places]  # fmt: skip
    counted = np.array([a.counted[i] and b.counted[j] for i, j in rows], bool)
    if not pairs or not counted.any():
        raise SelectionError(
            f"{names[0]} and {names[1]} have no {'tokens' if pairs else 'heads'} in common"
        )
    found = [moved(a, b, pair, rows, columns, counted) for pair in pairs]
    found.sort(key=lambda one: (math.isnan(one.distance), -one.distance))
    parts = [
        part_of(one, head, [pair[side] for pair in rows], [pair[side] for pair in columns])
        for side, (one, head) in enumerate(((a, found[0].one), (b, found[0].other)))
    ]
    several = len(first.stacks) > 1
    return Contrast(
        stack=first.stack(selection.stack).name,
        kind=kind,
        first=names[0],
        second=names[1],
        rows=tuple(found[:top]),
        left_out=max(0, len(found) - top),
        queries=int(counted.sum()),
        unmatched=(len(a.keys) - len(columns), len(b.keys) - len(columns)),
        missing=len(a.heads) + len(b.heads) - 2 * len(pairs),
        shown=found[0].one,
        difference=difference(*parts),
        words=appearance.words,
        several=several,
    )


def same_tokens(a: Material, b: Material) -> bool:
    """Whether queries and keys have the same texts in both."""
    return a.queries.labels == b.queries.labels and a.keys.labels == b.keys.labels


def matched(one: Axis, other: Axis) -> list[tuple[int, int]]:
    """The positions that correspond: a longest common subsequence of the token texts, in order.

    Takes four bytes for every pair of positions.
    """
    names = {label: n for n, label in enumerate(dict.fromkeys((*one.labels, *other.labels)))}
    first, second = (np.array([names[label] for label in axis.labels]) for axis in (one, other))
    length = np.zeros((len(first) + 1, len(second) + 1), np.int32)  # of the rest from here on
    for i in reversed(range(len(first))):
        best = np.maximum(length[i + 1, :-1], length[i + 1, 1:] + (second == first[i]))
        length[i, :-1] = np.maximum.accumulate(best[::-1])[::-1]
    found, i, j = [], 0, 0
    while length[i, j]:
        if first[i] == second[j]:
            found.append((i, j))
            i, j = i + 1, j + 1
        elif length[i + 1, j] >= length[i, j + 1]:
            i += 1
        else:
            j += 1
    return found


def moved(
    a: Material,
    b: Material,
    pair: tuple[int, int],
    rows: Sequence[tuple[int, int]],
    columns: Sequence[tuple[int, int]],
    counted: np.ndarray,
) -> MovedHead:
    """A head of both, compared over the rows that correspond.

    The keys without counterpart count together as one more key.
    """
    parts = [
        gathered(
            np.asarray(one.map_of(pair[side])),
            [row[side] for row in rows],
            [column[side] for column in columns],
        )[None]
        for side, one in enumerate((a, b))
    ]
    distances, queries = pair_distances(parts[0], parts[1], counted)
    axis = a.queries.take([i for i, _ in rows])
    most = tuple((rows[i][0], label, far) for i, label, far in differing(queries[0], axis))
    return MovedHead(a.heads[pair[0]], b.heads[pair[1]], float(distances[0]), most)


def gathered(weights: np.ndarray, rows: Sequence[int], columns: Sequence[int]) -> np.ndarray:
    """These rows and columns of a map, and a last column for all other columns together."""
    chosen = weights[rows]
    others = np.delete(chosen, columns, axis=1).sum(axis=1, keepdims=True)
    return np.concatenate([chosen[:, columns], others], axis=1)


def part_of(found: Material, head: Head, queries: Sequence[int], keys: Sequence[int]) -> Heatmap:
    """The map of a head over these queries and keys."""
    layer = found.layers[head.layer]
    full = heatmap(layer, head.head, Appearance(sink_split=False))
    return take(full, queries, keys)


def difference(cells: Heatmap, other: Heatmap) -> Heatmap:
    """The second map less the first, of one shape, drawn from minus to plus the largest."""
    known = (cells.states <= State.ZERO) & (other.states <= State.ZERO)
    states = np.where(known, State.VALUE, np.maximum(cells.states, other.states)).astype(np.uint8)
    values = np.where(known, other.values - cells.values, np.float32(0))
    found = replace(cells, values=values, states=states, scale="signed", measure="difference")
    return replace(found, vmax=largest(found))
