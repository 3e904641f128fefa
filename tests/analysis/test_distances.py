"""Closed forms (docs/metrics.md), the definition cell by cell, and what must not change it."""

from __future__ import annotations

import math
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attnviz.analysis import distances as similarity
from attnviz.analysis.distances import distances_to, head_distances, pair_distances
from attnviz.attention.store.rounded import rounded

SIZES = [1, 2, 3, 64]


def random_maps(seed: int, heads: int, size: int, keys: int | None = None, causal: bool = False):
    """Peaked random maps, float32 (heads, size, keys), rows of sum 1."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=3, size=(heads, size, keys or size))
    if causal:
        logits[:, np.triu(np.ones((size, size), bool), 1)] = -np.inf
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return (weights / weights.sum(axis=-1, keepdims=True)).astype(np.float32)


def everything(maps: np.ndarray) -> np.ndarray:
    return np.ones(maps.shape[1], bool)


def divergence(p: np.ndarray, q: np.ndarray) -> float:
    """½KL(p‖m) + ½KL(q‖m) in units of ln 2, one key after the other."""
    out = 0.0
    for a, b in zip(p.tolist(), q.tolist(), strict=True):
        middle = (a + b) / 2
        for one in (a, b):
            out += one / 2 * math.log(one / middle) if one else 0
    return out / math.log(2)


def from_the_definition(maps: np.ndarray, rows: list[int]) -> np.ndarray:
    maps = maps.astype(np.float64)
    maps /= maps.sum(axis=-1, keepdims=True)
    return np.array([[np.mean([divergence(a[i], b[i]) for i in rows]) for b in maps] for a in maps])


def pair(a: np.ndarray, b: np.ndarray) -> float:
    found = head_distances([np.stack([a, b])], np.ones(len(a), bool))
    each, _ = pair_distances(a[None], b[None], np.ones(len(a), bool))
    assert each[0] == pytest.approx(found[0, 1], abs=2e-6)
    return float(found[0, 1])


@pytest.mark.parametrize("size", SIZES)
def test_identical_heads_are_at_0(size):
    one = random_maps(size, 1, size)[0]
    assert pair(one, one.copy()) == 0


def test_rounding_leaves_no_distance_below_0():
    maps = np.repeat(random_maps(61, 1, 64), 20, axis=0)
    maps *= 1 + np.random.default_rng(0).uniform(-1e-6, 1e-6, maps.shape).astype(np.float32)
    found = head_distances([maps], everything(maps))
    assert found.min() == 0
    assert found.max() < 1e-6


@pytest.mark.parametrize("size", [2, 3, 64])
def test_heads_that_share_no_key_are_at_1(size):
    assert pair(np.eye(size), np.roll(np.eye(size), 1, axis=1)) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("size", SIZES)
def test_one_key_against_all_keys(size):
    n = size
    expected = math.log(2 * n / (n + 1)) / 2
    expected += (math.log(2 / (n + 1)) / n + (n - 1) / n * math.log(2)) / 2
    found = pair(np.eye(size), np.full((size, size), 1 / size))
    assert found == pytest.approx(expected / math.log(2), abs=2e-6)
    if size == 64:
        assert found * math.log(2) == pytest.approx(0.652783, abs=2e-6)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("causal", [False, True])
def test_every_pair_is_what_the_definition_says(size, causal):
    maps = random_maps(7 + size, 4, size, causal=causal)
    counted = everything(maps)
    counted[0] = size == 1
    expected = from_the_definition(maps, np.flatnonzero(counted).tolist())
    found = head_distances([maps[:1], maps[1:]], counted, causal=causal)
    np.testing.assert_allclose(found, expected, atol=2e-6)
    for head in range(4):
        to_one = distances_to([maps[:3], maps[3:]], maps[head], counted)
        np.testing.assert_allclose(to_one, expected[head], atol=1e-6)
    each, queries = pair_distances(maps[:2], maps[2:], counted)
    np.testing.assert_allclose(each, [expected[0, 2], expected[1, 3]], atol=1e-6)
    assert (np.isnan(queries) == ~counted).all()
    np.testing.assert_allclose(np.nanmean(queries, axis=1), each)


def test_pairs_say_where_two_runs_differ():
    maps = random_maps(5, 2, 6)
    moved = maps.copy()
    moved[1, 3] = maps[1, 3, ::-1]
    each, queries = pair_distances(maps, moved, everything(maps))
    assert each[0] == 0
    assert np.flatnonzero(queries[1]).tolist() == [3]
    assert queries[1, 3] == pytest.approx(divergence(maps[1, 3], moved[1, 3]), abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 7), st.integers(1, 9), st.integers(1, 9))
def test_the_square_root_is_a_metric(seed, heads, queries, keys):
    found = head_distances([random_maps(seed, heads, queries, keys)], np.ones(queries, bool))
    assert found.dtype == np.float32
    assert (found == found.T).all()
    assert (np.diag(found) == 0).all()
    assert ((found >= 0) & (found <= 1)).all()
    root = np.sqrt(found.astype(np.float64))
    assert (root[:, None] <= root[:, :, None] + root[None] + 2e-3).all()


def test_distances_are_squares_of_those_of_points():
    """No negative eigenvalue: what makes classical scaling of the roots exact."""
    found = head_distances([random_maps(2, 12, 20)], np.ones(20, bool)).astype(np.float64)
    centre = np.eye(12) - 1 / 12
    assert np.linalg.eigvalsh(-centre @ found @ centre).min() > -1e-5


@pytest.mark.parametrize(("cells", "tile", "buffer"), [(1, 1, 1), (40, 2, 90), (10**6, 5, 10**4)])
@pytest.mark.parametrize("causal", [False, True])
def test_block_size_changes_nothing(monkeypatch, cells, tile, buffer, causal):
    maps = random_maps(11, 9, 17, causal=causal)
    counted = everything(maps)
    expected = head_distances([maps], counted)
    monkeypatch.setattr(similarity, "BLOCK_CELLS", cells)
    monkeypatch.setattr(similarity, "TILE", tile)
    monkeypatch.setattr(similarity, "BUFFER_CELLS", buffer)
    found = head_distances([maps[:2], maps[2:]], counted, causal=causal)
    np.testing.assert_allclose(found, expected, atol=2e-6)
    np.testing.assert_allclose(distances_to([maps], maps[3], counted), expected[3], atol=2e-6)


def test_the_number_of_threads_changes_nothing(monkeypatch):
    maps = random_maps(12, 40, 9)
    found = []
    for threads in (1, 5):
        monkeypatch.setattr(similarity, "THREADS", threads)
        found.append(head_distances([maps], everything(maps)))
    np.testing.assert_array_equal(*found)


def test_causal_does_not_read_later_keys():
    maps = random_maps(13, 3, 8, causal=True)
    expected = head_distances([maps], everything(maps))
    maps[:, np.triu(np.ones((8, 8), bool), 1)] = np.nan
    np.testing.assert_allclose(
        head_distances([maps], everything(maps), causal=True), expected, atol=1e-6
    )


def test_causal_reads_all_keys_of_maps_that_are_not_square():
    maps = random_maps(14, 3, 4, keys=7)
    expected = head_distances([maps], everything(maps))
    np.testing.assert_array_equal(head_distances([maps], everything(maps), causal=True), expected)


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_changes_nothing(side):
    maps = random_maps(17, 3, 6)
    widths = (3, 0) if side == "left" else (0, 3)
    padded = np.pad(maps, ((0, 0), widths, widths))
    counted = np.pad(everything(maps), widths)
    padded[:, ~counted] = 1 / 9
    expected = head_distances([maps], everything(maps))
    np.testing.assert_allclose(head_distances([padded], counted), expected, atol=1e-6)
    to_one = distances_to([padded], padded[0], counted)
    np.testing.assert_allclose(to_one, expected[0], atol=1e-6)


def test_permuted_heads_permute():
    maps = random_maps(19, 7, 10)
    order = np.random.default_rng(0).permutation(7)
    expected = head_distances([maps], everything(maps))
    found = head_distances([maps[order]], everything(maps))
    np.testing.assert_allclose(found, expected[np.ix_(order, order)], atol=1e-6)


def test_bfloat16_is_close():
    maps = random_maps(23, 6, 64)
    bits = maps.view(np.uint32)
    coarse = ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)
    assert (coarse != maps).any()
    expected = head_distances([maps], everything(maps))
    np.testing.assert_allclose(head_distances([coarse], everything(maps)), expected, atol=5e-3)
    each, _ = pair_distances(maps, coarse, everything(maps))
    assert ((each > 0) & (each < 1e-4)).all()


@pytest.mark.parametrize(("dtype", "off"), [("float16", 1e-4), ("uint8", 0.02)])
def test_rounded_maps_are_decoded_row_by_row(dtype, off, monkeypatch):
    maps = random_maps(29, 5, 24)
    found = rounded(maps, dtype)
    assert found is not None
    store, _ = found
    decoded = np.asarray(store)
    monkeypatch.setattr(type(store), "__array__", None)
    counted = everything(maps)
    result = head_distances([store, store], counted)
    np.testing.assert_array_equal(result, head_distances([decoded, decoded], counted))
    np.testing.assert_allclose(result[:5, :5], head_distances([maps], counted), atol=off)
    np.testing.assert_array_equal(pair_distances(store, store, counted)[0], np.zeros(5))


def test_float16_and_float64_maps_are_taken_as_they_are():
    maps = random_maps(30, 3, 5)
    expected = head_distances([maps], everything(maps))
    wide = head_distances([maps.astype(np.float64)], everything(maps))
    np.testing.assert_allclose(wide, expected, atol=1e-6)
    narrow = head_distances([maps.astype(np.float16)], everything(maps))
    np.testing.assert_allclose(narrow, expected, atol=5e-3)


def test_rows_are_shares_of_their_sum():
    """A learned sink takes a part (docs/metrics.md, rows that do not sum to 1)."""
    maps = random_maps(31, 3, 5)
    left = np.random.default_rng(0).uniform(0.1, 1, (3, 5, 1)).astype(np.float32)
    expected = head_distances([maps], everything(maps))
    np.testing.assert_allclose(head_distances([maps * left], everything(maps)), expected, atol=1e-6)


def test_rows_without_weight_are_alike_and_far_from_all_others():
    maps = random_maps(37, 3, 4)
    maps[:2, 1] = 0
    whole = head_distances([maps], everything(maps))
    found = [pair_distances(maps[:1], maps[i : i + 1], everything(maps))[1][0, 1] for i in (1, 2)]
    assert found == [0, 1]
    counted = np.arange(4) == 1
    np.testing.assert_allclose(
        head_distances([maps], counted), [[0, 0, 1], [0, 0, 1], [1, 1, 0]], atol=1e-6
    )
    assert np.isfinite(whole).all()


def test_nan_stays_with_its_head():
    maps = random_maps(41, 3, 4)
    maps[1, 2, 2] = np.nan
    found = head_distances([maps], everything(maps))
    known = [[True, False, True], [False, True, False], [True, False, True]]
    assert np.isfinite(found).tolist() == known
    each, _ = pair_distances(maps, maps, everything(maps))
    assert np.isfinite(each).tolist() == [True, False, True]


@pytest.mark.parametrize("heads", [0, 1])
def test_no_pair(heads):
    maps = random_maps(0, 1, 3)[:heads]
    assert head_distances([maps], np.ones(3, bool)).tolist() == np.zeros((heads, heads)).tolist()
    assert distances_to([maps], np.eye(3), np.ones(3, bool)).shape == (heads,)
    assert pair_distances(maps, maps, np.ones(3, bool))[0].tolist() == [0] * heads


def test_no_layer():
    assert head_distances([], np.ones(3, bool)).shape == (0, 0)


def test_nothing_is_known_when_no_query_counts():
    maps = random_maps(0, 2, 3)
    nothing = np.zeros(3, bool)
    found = head_distances([maps], nothing)
    assert np.isnan(found).tolist() == [[False, True], [True, False]]
    assert np.isnan(distances_to([maps], maps[0], nothing)).all()
    assert np.isnan(pair_distances(maps, maps, nothing)[0]).all()


def test_shapes_that_do_not_fit():
    maps = random_maps(0, 2, 3)
    with pytest.raises(ValueError, match="different queries or keys"):
        head_distances([maps, random_maps(0, 2, 4)], np.ones(3, bool))
    with pytest.raises(ValueError, match="counted has shape"):
        head_distances([maps], np.ones(4, bool))
    with pytest.raises(ValueError, match="different queries or keys"):
        distances_to([maps], np.eye(4), np.ones(3, bool))
    with pytest.raises(ValueError, match="head by head"):
        pair_distances(maps, maps[:1], np.ones(3, bool))


@pytest.mark.parametrize("heads", [1, 2, 40])
def test_progress_rises_to_1(heads):
    maps = random_maps(43, heads, 30, causal=True)
    told: list[float] = []
    head_distances([maps], everything(maps), told.append, causal=True)
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1 if heads > 1 else 0)


def test_memory_does_not_grow_with_pairs_of_maps():
    maps = random_maps(47, 200, 40)
    tracemalloc.start()
    head_distances([maps], everything(maps))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200 * 200 * 40 * 4 * 4  # four keys of every pair, of forty


def test_a_stop_in_progress_stops_the_work(monkeypatch):
    maps = random_maps(53, 300, 8)
    calls: list[int] = []
    real = similarity.x_log_x

    def counting(*given: np.ndarray) -> np.ndarray:
        calls.append(1)
        time.sleep(0.002)  # so that the worker is not done before it is told to stop
        return real(*given)

    def stop(share: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(similarity, "x_log_x", counting)
    monkeypatch.setattr(similarity, "THREADS", 1)
    head_distances([maps], everything(maps))
    whole = len(calls)
    with pytest.raises(KeyboardInterrupt):
        head_distances([maps], everything(maps), stop)
    assert len(calls) - whole < whole / 2
