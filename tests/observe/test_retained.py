"""Kept maps against plain computations on the whole map."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from attnviz.metrics.scores import Content, Masses
from attnviz.observe import stream
from attnviz.observe.blocks import RowBlock
from attnviz.observe.retained import PooledMaps, TopKeys, WholeMaps, bins, heaviest
from tests.sources import (
    ArraySource,
    causal_uniform,
    changed_blocks,
    observed,
    random_maps,
    tokens,
    uniform,
)


@pytest.mark.parametrize("rows", [1, 3, 7, 100])
@pytest.mark.parametrize("causal", [True, False])
def test_whole_maps_are_the_maps(rows: int, causal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(stream.BLOCK_CELLS, "cpu", 3 * 11 * rows)
    maps = random_maps(3, 11, seed=rows, causal=causal)
    allowed = np.tril(np.ones((11, 11), bool)) if causal else np.ones((11, 11), bool)
    kept = observed(maps, [WholeMaps()], allowed=allowed)
    np.testing.assert_allclose(kept["weights"], maps, atol=1e-7)
    assert kept["weights"].dtype == np.float32
    np.testing.assert_array_equal(kept["allowed"], allowed)


@given(st.integers(1, 300), st.integers(1, 40))
def test_bins_are_even_and_in_order(length: int, side: int) -> None:
    found = bins(tokens(length), side, torch.device("cpu"))
    counts = torch.bincount(found)
    assert len(counts) == min(side, length)
    assert int(counts.max() - counts.min()) <= 1
    assert found.tolist() == sorted(found.tolist())


@settings(deadline=None, max_examples=40)
@given(
    queries=st.integers(1, 20),
    keys=st.integers(1, 20),
    side=st.integers(1, 25),
    cells=st.sampled_from([20, 100, 2**20]),
)
def test_pooled_maps_keep_the_mass(queries: int, keys: int, side: int, cells: int) -> None:
    """Mean over queries, sum over keys; the largest cell (docs/metrics.md, pooling)."""
    generator = np.random.default_rng(queries * 50 + keys)
    maps = generator.dirichlet(np.ones(keys), (2, queries))
    allowed = generator.random((queries, keys)) < 0.8
    before = stream.BLOCK_CELLS["cpu"]
    stream.BLOCK_CELLS["cpu"] = cells
    try:
        kept = observed(maps, [PooledMaps(side)], allowed=allowed)
        pooled = kept["pooled"]
    finally:
        stream.BLOCK_CELLS["cpu"] = before
    height, width = min(side, queries), min(side, keys)
    assert pooled.shape == (2, height, width)
    row_bins = np.arange(queries) * height // queries
    key_bins = np.arange(keys) * width // keys
    for i in range(height):
        for j in range(width):
            block = maps[:, row_bins == i][:, :, key_bins == j]
            np.testing.assert_allclose(pooled[:, i, j], block.sum(2).mean(1), atol=1e-5)
            np.testing.assert_allclose(kept["pooled_max"][:, i, j], block.max((1, 2)), atol=1e-6)
            count = allowed[row_bins == i][:, key_bins == j].sum()
            assert kept["pooled_cells"][i, j] == count
    np.testing.assert_allclose(pooled.sum(-1), 1, atol=1e-5)


def test_pooled_closed_forms() -> None:
    np.testing.assert_allclose(observed(uniform(64), [PooledMaps(8)])["pooled"], 1 / 8, atol=1e-6)
    pooled = observed(causal_uniform(64), [PooledMaps(2)])["pooled"][0]
    assert pooled[0, 1] == 0
    late = np.mean([32 / n for n in range(33, 65)])
    np.testing.assert_allclose(pooled, [[1, 0], [late, 1 - late]], atol=1e-6)


def test_rows_without_weights_count_as_empty() -> None:
    maps = uniform(4)
    maps[0] = np.nan
    np.testing.assert_allclose(observed(maps, [PooledMaps(2)])["pooled"][0].sum(-1), [0.5, 1])


@pytest.mark.parametrize("cells", [30, 2**20])
@pytest.mark.parametrize("count", [1, 4, 30])
@pytest.mark.parametrize("causal", [True, False])
def test_the_heaviest_keys(
    count: int, cells: int, causal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(stream.BLOCK_CELLS, "cpu", cells)
    maps = random_maps(2, 9, seed=count, causal=causal)
    allowed = np.tril(np.ones((9, 9), bool)) if causal else None
    kept = observed(maps, [TopKeys(count)], allowed=allowed)
    size = min(count, 9)
    assert kept["top_keys"].shape == kept["top_weights"].shape == (2, 9, size)
    expected = -np.sort(-maps, axis=-1)[..., :size]
    np.testing.assert_allclose(kept["top_weights"], expected, atol=1e-7)
    picked = np.take_along_axis(maps, kept["top_keys"].clip(0), axis=-1)
    real = kept["top_weights"] > 0
    np.testing.assert_allclose(picked[real], kept["top_weights"][real], atol=1e-7)


@pytest.mark.parametrize("count", [1, 3, 8])
@pytest.mark.parametrize("width", [40, 511, 512, 1543, 4096, 5003])
def test_the_heaviest_of_long_rows_are_found_by_strands(count: int, width: int) -> None:
    rows = torch.rand(2, 3, width, generator=torch.Generator().manual_seed(width))
    rows[0, 0, -1] = 2  # beyond the last whole strand
    weights, places = heaviest(rows, count)
    assert torch.equal(weights, rows.topk(count).values)
    assert torch.equal(rows.gather(-1, places), weights)


@pytest.mark.parametrize("held", [0, 2**20])
def test_blocks_are_held_between_passes_only_where_all_of_them_may_be(
    held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(stream.BLOCK_CELLS, "cpu", 60)
    monkeypatch.setattr("attnviz.observe.stream.HELD_CELLS", held)
    made: list[int] = []

    def count(block: RowBlock) -> dict[str, torch.Tensor]:
        made.append(block.start)
        return {}

    changed_blocks(monkeypatch, ArraySource, count)
    observed(random_maps(2, 10, seed=1), [Content()])
    starts = [0, 3, 6, 9]
    assert made == starts * (1 if held else 2)


def test_passes_are_served_to_those_that_need_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(stream.BLOCK_CELLS, "cpu", 40)
    maps = random_maps(2, 10, seed=1)
    together = observed(maps, [Masses(), Content(), WholeMaps(), TopKeys(2)])
    for observer in (Masses(), Content(), WholeMaps(), TopKeys(2)):
        for name, value in observed(maps, [observer]).items():
            np.testing.assert_array_equal(together[name], value)
