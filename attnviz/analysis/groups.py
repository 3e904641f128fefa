"""Heads that attend alike: groups, their order in a matrix, and a map of them in the plane.

All of it works on a matrix of distances, as `similarity.head_distances` gives it. Clustering is
agglomerative with average linkage (UPGMA; Sokal and Michener 1958), by nearest-neighbour chains
(Murtagh 1983): O(n²) time and memory for n heads. The map is classical scaling (Torgerson 1952).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

THRESHOLD = 0.25
EXACT = 1000  # heads up to which the map takes all eigenvectors; beyond, iteration:
SPARE = 14  # vectors beside the wanted ones
ROUNDS = 300
ACCURACY = 1e-8  # of a vector, when its eigenvalue is the largest


@dataclass(frozen=True, slots=True)
class Group:
    """Heads that attend alike, by their index in the matrix.

    `typical` is the member with the least mean distance to the others (the medoid), `within` the
    mean distance of two members, 0 for a single head.
    """

    members: tuple[int, ...]
    typical: int
    within: float


@dataclass(frozen=True, slots=True)
class Groups:
    """All groups, the largest first, and what a matrix of them needs.

    `labels`: int (heads,), the place of each head's group in `groups`. `order`: int (heads,), the
    heads in the order of the tree, with every group in one piece and near heads side by side.
    """

    groups: tuple[Group, ...]
    labels: np.ndarray
    order: np.ndarray


def grouped(
    distances: np.ndarray, *, count: int | None = None, threshold: float = THRESHOLD
) -> Groups:
    """Groups of heads that attend alike: the nearest two are joined while they are near enough.

    That is, until `count` groups are left, or while they are at most `threshold` apart: the mean
    over the pairs of their heads. The default leaves 8 to 30 groups of the 72 heads of a small
    BERT, more of them the longer the text. `distances`: (heads, heads), symmetric; a NaN counts as
    1, the largest distance there is. Raises ValueError when `count` is not between 1 and the
    number of heads.
    """
    heads = len(distances)
    if count is not None and heads and not 1 <= count <= heads:
        raise ValueError(f"{heads} heads cannot form {count} groups")
    known = np.nan_to_num(distances, nan=1)
    merges = linkage(known)
    below = sum(height <= threshold for _, _, height in merges)
    cut = below if count is None else heads - count
    pieces: dict[int, list[int]] = {head: [head] for head in range(heads)}
    join(pieces, merges[:cut], known)
    members = sorted((sorted(piece) for piece in pieces.values()), key=lambda one: (-len(one), one))
    join(pieces, merges[cut:], known)
    labels = np.zeros(heads, np.int64)
    for label, group in enumerate(members):
        labels[group] = label
    order = np.array([head for piece in pieces.values() for head in piece], np.int64)
    return Groups(tuple(described(group, known) for group in members), labels, order)


def linkage(distances: np.ndarray) -> list[tuple[int, int, float]]:
    """The merges of average linkage, nearest first: (drop, keep, mean distance).

    Each names one head of the two groups; from then on `keep` stands for both.
    """
    apart = np.array(distances, np.float64)
    np.fill_diagonal(apart, np.inf)
    heads = len(apart)
    sizes, heights, alive = np.ones(heads), np.zeros(heads), np.ones(heads, bool)
    merges: list[tuple[int, int, float]] = []
    chain: list[int] = []
    while len(merges) < heads - 1:
        if not chain:
            chain.append(int(alive.argmax()))
        drop, keep = follow(chain, apart)
        height = max(apart[drop, keep], heights[drop], heights[keep])  # against rounding
        mean = (sizes[drop] * apart[drop] + sizes[keep] * apart[keep]) / (sizes[drop] + sizes[keep])
        mean[keep] = np.inf
        apart[keep], apart[:, keep] = mean, mean
        apart[drop], apart[:, drop] = np.inf, np.inf
        sizes[keep] += sizes[drop]
        heights[keep] = height
        alive[drop] = False
        merges.append((drop, keep, float(height)))
    return sorted(merges, key=lambda merge: merge[2])


def follow(chain: list[int], apart: np.ndarray) -> tuple[int, int]:
    """Go from group to nearest group until two are nearest to each other; take them off the chain.

    The chain stays valid for the rest: merging by average linkage brings no group nearer.
    """
    while True:
        tip = chain[-1]
        near = int(apart[tip].argmin())
        if len(chain) > 1 and apart[tip, chain[-2]] <= apart[tip, near]:
            return chain.pop(), chain.pop()
        chain.append(near)


def join(
    pieces: dict[int, list[int]], merges: list[tuple[int, int, float]], distances: np.ndarray
) -> None:
    """Join the ordered pieces as the merges say, each pair turned so that near ends meet."""
    for drop, keep, _ in merges:
        one, other = sorted((pieces.pop(drop), pieces.pop(keep)), key=min)
        turned = [(a, b) for a in (one, one[::-1]) for b in (other, other[::-1])]
        first, second = min(turned, key=lambda ends: float(distances[ends[0][-1], ends[1][0]]))
        pieces[keep] = first + second


def described(members: list[int], distances: np.ndarray) -> Group:
    """The group of these heads."""
    sums = distances[np.ix_(members, members)].sum(axis=1, dtype=np.float64)
    pairs = len(members) * (len(members) - 1)
    return Group(tuple(members), members[int(sums.argmin())], float(sums.sum() / max(1, pairs)))


def between(distances: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Mean distances between the heads of any two labels 0, 1, …: float64 (labels, labels).

    `labels`: int (heads,), such as the layer or the group of each head. A head is not compared
    with itself: the diagonal is NaN for a label with one head.
    """
    places = [np.flatnonzero(labels == label) for label in range(labels.max(initial=-1) + 1)]
    out = np.full((len(places), len(places)), np.nan)
    for i, rows in enumerate(places):
        for j, columns in enumerate(places):
            pairs = len(rows) * (len(columns) - (i == j))
            if pairs:
                out[i, j] = distances[np.ix_(rows, columns)].sum(dtype=np.float64) / pairs
    return out


def nearest_pairs(distances: np.ndarray, count: int = 10) -> list[tuple[int, int, float]]:
    """Up to `count` pairs of heads with the least distances, nearest first. NaN is left out."""
    found: list[tuple[float, int, int]] = []
    for i, row in enumerate(distances):
        later = row[i + 1 :]
        places = np.argsort(later, kind="stable")[:count]
        found.extend((float(later[j]), i, i + 1 + int(j)) for j in places if later[j] == later[j])
        found = sorted(found)[:count]
    return [(i, j, distance) for distance, i, j in found]


def layout(distances: np.ndarray, dims: int = 2) -> np.ndarray:
    """A point for every head, float64 (heads, dims), with about these distances between points.

    Classical scaling: the leading eigenvectors of the double-centred squared distances. Give it
    the square roots of Jensen-Shannon distances, which are those of points in a Euclidean space.
    Unique up to rotation and reflection; here the coordinate furthest from 0 of every dimension
    is positive. Dimensions that the distances do not need are 0. A NaN counts as 1.
    """
    squares = np.array(distances, np.float64)
    np.nan_to_num(squares, copy=False, nan=1)
    np.square(squares, out=squares)
    points = np.zeros((len(squares), dims))
    if not len(squares):
        return points
    squares -= squares.mean(axis=0)
    squares -= squares.mean(axis=1, keepdims=True)
    squares /= -2
    values, vectors = leading(squares, min(dims, len(squares)))
    points[:, : len(values)] = vectors * np.sqrt(np.maximum(values, 0))
    sizes = np.abs(points)
    furthest = (sizes >= sizes.max(axis=0) * (1 - 1e-6)).argmax(axis=0)
    return points * np.where(points[furthest, range(dims)] < 0, -1, 1)


def leading(matrix: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The largest eigenvalues of a symmetric matrix, and their vectors in columns."""
    found = np.linalg.eigh(matrix) if len(matrix) <= EXACT else iterated(matrix, count)
    values, vectors = found
    return values[::-1][:count], vectors[:, ::-1][:, :count]


def iterated(matrix: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The `count` and some more eigenvalues and vectors, the largest last, by subspace iteration.

    Finds those furthest from 0: right where no negative one is large, as with distances of points.
    """
    width = min(len(matrix), count + SPARE)
    vectors = np.random.default_rng(0).standard_normal((len(matrix), width))
    for _ in range(ROUNDS):
        basis, _ = np.linalg.qr(vectors)
        images = matrix @ basis
        values, turn = np.linalg.eigh(basis.T @ images)
        vectors = images @ turn  # the matrix times the estimates, whose lengths are 1
        estimates = basis @ turn
        off = (vectors - estimates * values)[:, -count:]
        if np.abs(off).max() <= ACCURACY * np.abs(values).max():
            break
    return values, estimates
