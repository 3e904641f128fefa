"""Attention weighted by the values: closed forms, and the pairs of query and key one by one."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from attnviz.attention.axis import Axis
from attnviz.metrics.value_weighted import ValueWeighted
from attnviz.observe import stream as streaming
from attnviz.observe.blocks import Site
from attnviz.observe.stream import stream
from tests.metrics.definitions import counted
from tests.sources import ArraySource, causal_uniform, random_maps, to_key, tokens, uniform


@dataclass
class Lengths:
    """Lengths (heads, keys) of values, and of what is written of them."""

    values: np.ndarray
    outputs: np.ndarray | None = None

    def lengths(self) -> torch.Tensor:
        return torch.tensor(self.values, dtype=torch.float32)

    def written(self) -> torch.Tensor | None:
        return None if self.outputs is None else torch.tensor(self.outputs, dtype=torch.float32)


def scores(
    maps: np.ndarray, values: Lengths | None, axis: Axis | None = None, *, causal: bool = False
) -> dict[str, np.ndarray]:
    """Of maps (heads, queries, keys)."""
    heads, size, _ = maps.shape
    allowed = np.tril(np.ones((size, size), bool)) if causal else np.ones((size, size), bool)
    axis = axis or tokens(size)
    site = Site(
        "self", "a", 0, 0, 0, tuple(range(heads)), heads, axis, axis, False, causal, values=values
    )
    kept = stream(site, ArraySource(maps, allowed), [ValueWeighted()])
    return {name.removeprefix("score."): value for name, value in kept.items()}


def test_closed_forms() -> None:
    size = 6
    values = Lengths(np.array([[2.0, 1, 1, 1, 1, 4]]), np.array([[3.0, 0, 0, 0, 0, 3]]))
    found = scores(uniform(size)[None], values)
    assert found["value_weighted"] == pytest.approx(10 / 6 / 4)
    assert found["norm"] == pytest.approx(1)
    for key, weighted, norm in ((0, 0.5, 3), (1, 0.25, 0), (5, 1, 3)):
        found = scores(to_key(size, key)[None], values)
        assert found["value_weighted"] == pytest.approx(weighted)
        assert found["norm"] == pytest.approx(norm)
    causal = scores(causal_uniform(size)[None], values, causal=True)
    rows = [np.mean(values.values[0, : i + 1]) / 4 for i in range(1, size)]
    assert causal["value_weighted"] == pytest.approx(np.mean(rows))


def test_a_head_without_values_has_no_score() -> None:
    assert all(np.isnan(one).all() for one in scores(uniform(4)[None], None).values())
    found = scores(uniform(4)[None], Lengths(np.ones((1, 4))))
    assert found["value_weighted"] == pytest.approx(1)
    assert math.isnan(found["norm"][0])


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("rows", [3, 100])
def test_the_definition(causal: bool, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    heads, size = 3, 12
    monkeypatch.setitem(streaming.BLOCK_CELLS, "cpu", heads * size * rows)
    axis = tokens(
        size,
        special=(False, True, *(False,) * 10),
        padding=(True, *(False,) * 11),
    )
    maps = random_maps(heads, size, seed=3, causal=causal)
    maps[:, :, 0] = 0
    maps[:, 0, 0] = 1
    lengths = np.random.default_rng(0).random((heads, size)) + 0.1
    lengths[:, 0] = 99
    found = scores(maps, Lengths(lengths, 2 * lengths), axis, causal=causal)
    queries = counted(axis, causal)
    for head in range(heads):
        most = lengths[head, 1:].max()
        pairs = [[maps[head, i, j] * lengths[head, j] for j in range(1, size)] for i in queries]
        total = np.mean([sum(row) for row in pairs])
        assert found["value_weighted"][head] == pytest.approx(total / most, rel=1e-5)
        assert found["norm"][head] == pytest.approx(2 * total, rel=1e-5)
