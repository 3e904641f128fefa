"""Closed forms (docs/metrics.md), and the definition on random maps."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from attnviz.metrics.structure import LISTED, Structure, diagonal_sums
from attnviz.observe import stream
from tests.sources import causal_uniform, observed, previous, random_maps, to_key, tokens

SIZES = [1, 2, 3, 64]


def lower(size: int) -> np.ndarray:
    return np.tril(np.ones((size, size), bool))


@pytest.mark.parametrize("size", SIZES)
def test_one_key_is_one_vertical_and_one_offset_one_slash(size: int) -> None:
    found = observed(to_key(size, 0), [Structure()])
    assert found["score.vertical"] == pytest.approx(1)
    assert found["heavy_keys"][0, 0].tolist() == pytest.approx([0, 1])
    assert np.isnan(found["heavy_keys"][0, 1:]).all()
    found = observed(previous(size), [Structure()], allowed=lower(size))
    assert found["score.slash"] == pytest.approx(1)
    assert found["slashes"][0, 0].tolist() == pytest.approx([min(1, size - 1), 1])


@pytest.mark.parametrize("size", [2, 3, 64])
def test_the_sums_of_an_even_causal_map_are_differences_of_harmonic_numbers(size: int) -> None:
    found = observed(causal_uniform(size), [Structure()], allowed=lower(size))
    ends = np.array([sum(1 / n for n in range(max(k, 1) + 1, size + 1)) for k in range(size)])
    ends[0] = sum(1 / n for n in range(2, size + 1))  # the first row does not count
    shares = ends / ends.sum()
    count = min(LISTED, int((ends > 0).sum()))
    np.testing.assert_allclose(found["heavy_keys"][0, :count, 1], np.sort(shares)[::-1][:count],
                               rtol=1e-5)  # fmt: skip


def by_definition(maps: np.ndarray, allowed: np.ndarray, rows: slice) -> tuple[float, float]:
    """The best columns and diagonals with a tenth of the allowed cells, cell by cell."""
    lines: tuple[dict[int, list[float]], dict[int, list[float]]] = ({}, {})
    for i in range(*rows.indices(len(maps))):
        for j in range(len(maps)):
            for line, name in zip(lines, (j, i - j), strict=True):
                mass, cells = line.get(name, [0.0, 0.0])
                line[name] = [mass + maps[i, j], cells + allowed[i, j]]
    out = []
    for line in lines:
        ranked = sorted(line.values(), reverse=True)
        total = sum(mass for mass, _ in ranked)
        room = 0.1 * sum(cells for _, cells in ranked)
        held, used = ranked[0]
        for mass, cells in ranked[1:]:
            used += cells
            held += mass if used <= room else 0
        out.append(held / total)
    return out[0], out[1]


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("cells", [1, 200, 2**20])
def test_random_maps(causal: bool, cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(stream.BLOCK_CELLS, "cpu", cells)
    maps = random_maps(3, 30, seed=4, causal=causal)
    allowed = lower(30) if causal else np.ones((30, 30), bool)
    found = observed(maps, [Structure()], allowed=allowed)
    for head in range(3):
        vertical, slash = by_definition(maps[head], allowed, slice(1 if causal else 0, None))
        assert found["score.vertical"][head] == pytest.approx(vertical, rel=1e-4)
        assert found["score.slash"][head] == pytest.approx(slash, rel=1e-4)


def test_padding_changes_nothing() -> None:
    maps = random_maps(2, 20, seed=5)
    alone = observed(maps, [Structure()])
    wide = np.full((2, 23, 23), 1 / 23)
    wide[:, 3:, :3], wide[:, 3:, 3:] = 0, maps
    allowed = np.ones((23, 23), bool)
    allowed[:, :3] = False
    axis = tokens(23, padding=(True,) * 3 + (False,) * 20)
    found = observed(wide, [Structure()], allowed=allowed, queries=axis)
    for name in ("score.vertical", "score.slash", "slashes"):
        np.testing.assert_allclose(found[name], alone[name], rtol=1e-5)


def test_cross_stacks_have_no_slashes() -> None:
    found = observed(random_maps(2, 9, seed=1), [Structure()], cross=True)
    assert np.isnan(found["score.slash"]).all()
    assert not np.isnan(found["score.vertical"]).any()


@pytest.mark.parametrize(
    ("rows", "width"), [(1, 1), (1, 5), (4, 1), (3, 4), (3, 5), (3, 7), (7, 3), (4, 40)]
)
def test_sums_of_diagonals(rows: int, width: int) -> None:
    maps = torch.rand(2, width, rows).transpose(1, 2)
    found = diagonal_sums(maps)
    expected = [maps.diagonal(d, 1, 2).sum(dim=1) for d in range(1 - rows, width)]
    torch.testing.assert_close(found, torch.stack(expected, dim=1))
