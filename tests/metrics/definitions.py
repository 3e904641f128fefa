"""Scores from their definitions, cell by cell: slow, plain, and not attnviz's own code."""

from __future__ import annotations

import math

import numpy as np

from attnviz.attention.axis import Axis

WINDOW, SINKS = 4, 4


def mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else math.nan


def counted(axis: Axis, causal: bool) -> list[int]:
    """Queries that are real, not special, and not the first of a causal stack."""
    real = [i for i in range(len(axis)) if not axis.padding[i]]
    some = [i for i in real if not axis.special[i] and not (causal and i == real[0])]
    return some or real


def of_self(maps: np.ndarray, axis: Axis, allowed: np.ndarray) -> dict[str, float]:
    """The scores of one self-attention map (queries, keys)."""
    causal = not np.triu(allowed, 1).any()
    real = [i for i in range(len(axis)) if not axis.padding[i]]
    place = {token: n for n, token in enumerate(real)}
    rows = counted(axis, causal and len(real) > 1)
    plain = [j for j in real if not axis.special[j]]

    def total(i: int, keys: list[int]) -> float:
        return sum(float(maps[i, j]) for j in keys)

    mass = sum(total(i, real) for i in rows)
    moves = [(float(maps[i, j]), place[j] - place[i]) for i in rows for j in real]
    found = {
        "confidence": mean([max(float(maps[i, j]) for j in plain or real) for i in rows]),
        "offset": sum(w * move for w, move in moves) / mass if mass else math.nan,
        "distance": sum(w * abs(move) for w, move in moves) / mass if mass else math.nan,
    }
    near = {i: [j for j in real if abs(place[i] - place[j]) < WINDOW] for i in rows}
    found["local"] = mean([total(i, near[i]) for i in rows])
    late = [i for i in rows if place[i] >= SINKS + WINDOW]
    found["streaming"] = mean([total(i, sorted({*near[i], *real[:SINKS]})) for i in late])
    hits: dict[str, list[float]] = {"duplicate": [], "induction": []}
    for i in rows:
        earlier = [
            j for j in plain if j < i and axis.ids[j] == axis.ids[i] >= 0 and not axis.special[i]
        ]
        copies = [j for j in earlier if allowed[i, j]]
        after = [j + 1 for j in earlier if j + 1 in plain and allowed[i, j + 1]]
        if copies:
            hits["duplicate"].append(total(i, copies))
        if after:
            hits["induction"].append(total(i, after))
    return found | {name: mean(values) for name, values in hits.items()}


def of_cross(maps: np.ndarray, queries: Axis, keys: Axis) -> dict[str, float]:
    """The scores of one cross-attention map (queries, keys)."""
    rows = counted(queries, False)
    columns = [j for j in range(len(keys)) if not keys.padding[j] and not keys.special[j]]
    cells = maps[np.ix_(rows, columns)].astype(float)
    sums = cells.sum(1)
    if not columns:
        return dict.fromkeys(("monotonicity", "coverage", "sharpness"), math.nan)
    found = {"coverage": np.minimum(cells.sum(0), 1).sum() / min(cells.shape)}
    shares = [row / row.sum() for row in cells if row.sum() > 0]
    narrow = [1 + sum(p * math.log(p) for p in row if p > 0) / math.log(len(row)) for row in shares
              if len(row) > 1]  # fmt: skip
    found["sharpness"] = mean(narrow)
    if not sums.sum():
        return found | {"monotonicity": math.nan}
    share = cells / sums.sum()
    i, j = np.array(rows, float)[:, None], np.arange(len(columns))[None, :]
    mi, mj = (share * i).sum(), (share * j).sum()
    vi, vj = (share * (i - mi) ** 2).sum(), (share * (j - mj) ** 2).sum()
    moves = min(vi, vj) >= 1e-6
    found["monotonicity"] = (share * (i - mi) * (j - mj)).sum() / math.sqrt(vi * vj) if moves else 0
    return found
