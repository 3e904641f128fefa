"""Closed forms (docs/metrics.md), and the definitions on random maps."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from attnviz.attention.axis import Axis
from attnviz.metrics.scores import Masses
from attnviz.metrics.targets import NAMES, SINKS, WINDOW, Targets
from attnviz.observe import stream
from tests.metrics.definitions import of_self
from tests.sources import (
    causal_uniform,
    observed,
    previous,
    random_maps,
    to_key,
    tokens,
    uniform,
)

SIZES = [1, 2, 3, 64]
HAND = np.array([[1, 0, 0, 0], [0.5, 0.5, 0, 0], [0.2, 0.3, 0.5, 0], [0.1, 0.15, 0.5, 0.25]])


def lower(size: int) -> np.ndarray:
    return np.tril(np.ones((size, size), bool))


def scores(maps: np.ndarray, causal: bool = False, **given: object) -> dict[str, float]:
    kept = observed(
        maps, [Masses(), Targets()], allowed=lower(maps.shape[-1]) if causal else None, **given
    )
    return {name.removeprefix("score."): float(v[0]) for name, v in kept.items() if "score" in name}


def test_distances_and_offsets_of_long_maps_are_exact() -> None:
    """A mean of thousands of offsets that cancel: float32 alone would lose half its digits."""
    size = 3000
    maps = np.random.default_rng(0).random((1, size, size), np.float32) ** 4
    maps /= maps.sum(axis=-1, keepdims=True)
    found = scores(maps)
    apart = np.subtract.outer(np.arange(size), np.arange(size)).T.astype(np.float64)
    mass = maps[0].sum(dtype=np.float64)
    assert found["distance"] == pytest.approx((maps[0] * abs(apart)).sum() / mass, rel=1e-6)
    assert found["offset"] == pytest.approx((maps[0] * apart).sum() / mass, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("size", SIZES)
def test_uniform(size: int) -> None:
    found = scores(uniform(size))
    assert found["distance"] == pytest.approx((size**2 - 1) / (3 * size), rel=1e-5)
    assert found["offset"] == pytest.approx(0, abs=1e-4)
    assert found["confidence"] == pytest.approx(1 / size)
    if size == 64:
        assert found["distance"] == pytest.approx(21.328, abs=5e-4)
    within = sum(min(i + WINDOW, size) - max(i - WINDOW + 1, 0) for i in range(size))
    assert found["local"] == pytest.approx(within / size**2)


@pytest.mark.parametrize("size", SIZES)
def test_causal_uniform(size: int) -> None:
    """Over rows 1 to T − 1 the mean of i / 2 is T / 4; with row 0 it were (T − 1) / 4."""
    found = scores(causal_uniform(size), causal=True)
    expected = size / 4 if size > 1 else 0
    assert found["distance"] == pytest.approx(expected, rel=1e-5)
    assert found["offset"] == pytest.approx(-expected, rel=1e-5)
    rows = range(1, size) if size > 1 else [0]
    assert found["confidence"] == pytest.approx(np.mean([1 / (i + 1) for i in rows]))
    assert found["local"] == pytest.approx(np.mean([min(1, WINDOW / (i + 1)) for i in rows]))
    late = [(SINKS + WINDOW) / (i + 1) for i in range(SINKS + WINDOW, size)]
    assert found["streaming"] == pytest.approx(np.mean(late) if late else math.nan, nan_ok=True)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("causal", [True, False])
def test_identity(size: int, causal: bool) -> None:
    found = scores(np.eye(size), causal)
    assert found["distance"] == found["offset"] == 0
    assert found["local"] == found["confidence"] == 1


@pytest.mark.parametrize("size", SIZES[1:])
def test_previous(size: int) -> None:
    found = scores(previous(size), causal=True)
    assert found["distance"] == pytest.approx(1)
    assert found["offset"] == pytest.approx(-1)
    assert found["local"] == found["confidence"] == 1


@pytest.mark.parametrize("size", SIZES[1:])
@pytest.mark.parametrize("causal", [True, False])
def test_all_to_first(size: int, causal: bool) -> None:
    found = scores(to_key(size, 0), causal)
    rows = range(int(causal), size)
    assert found["distance"] == pytest.approx(np.mean(rows), rel=1e-5)
    assert found["offset"] == pytest.approx(-np.mean(rows), rel=1e-5)
    assert found["local"] == pytest.approx(np.mean([i < WINDOW for i in rows]))
    assert found["confidence"] == 1
    late = 1 if size > SINKS + WINDOW else math.nan
    assert found["streaming"] == pytest.approx(late, nan_ok=True)


def test_hand_matrix() -> None:
    """The tokens a b a b: row 2 may copy key 0, row 3 key 1; keys 1 and 2 follow those."""
    found = scores(HAND, causal=True, queries=tokens(4, ids=(7, 8, 7, 8)))
    distances = [0.5, 0.2 * 2 + 0.3, 0.1 * 3 + 0.15 * 2 + 0.5]
    assert found["distance"] == pytest.approx(sum(distances) / 3)
    assert found["offset"] == pytest.approx(-sum(distances) / 3)
    assert found["confidence"] == pytest.approx(0.5)
    assert found["duplicate"] == pytest.approx((0.2 + 0.15) / 2)
    assert found["induction"] == pytest.approx((0.3 + 0.5) / 2)


def test_next_looks_forward() -> None:
    maps = np.eye(9, k=1)
    maps[8, 8] = 1
    assert scores(maps)["offset"] == pytest.approx(8 / 9)


@pytest.mark.parametrize(("name", "shift"), [("duplicate", 0), ("induction", 1)])
@pytest.mark.parametrize("causal", [True, False])
def test_the_perfect_head_of_repeated_tokens_gets_one(name: str, shift: int, causal: bool) -> None:
    """The second half looks n − 1 back (induction) or n (duplicate)."""
    n = 16
    maps = np.zeros((2 * n, 2 * n))
    for i in range(2 * n):
        maps[i, i - n + shift if i >= n else 0] = 1
    ids = tuple(range(100, 100 + n)) * 2
    found = scores(maps, causal, queries=tokens(2 * n, ids=ids))
    assert found[name] == pytest.approx(1)
    assert found[{"duplicate": "induction", "induction": "duplicate"}[name]] == 0


def test_induction_may_be_the_query_itself() -> None:
    """tok[i−1] = tok[i]: what followed the copy is the query (docs/metrics.md, induction)."""
    found = scores(np.eye(4), causal=True, queries=tokens(4, ids=(1, 5, 5, 2)))
    assert found["induction"] == pytest.approx(1)


@pytest.mark.parametrize("ids", [(), (-1, -1, -1, -1), (1, 2, 3, 4)])
def test_no_copies_are_nan(ids: tuple[int, ...]) -> None:
    found = scores(uniform(4), queries=tokens(4, ids=ids))
    assert math.isnan(found["duplicate"])
    assert math.isnan(found["induction"])


def test_special_tokens_are_neither_copies_nor_targets() -> None:
    axis = tokens(6, ids=(0, 5, 0, 6, 5, 0), special=(True, False, True, False, False, True))
    found = scores(uniform(6), queries=axis)
    assert found["duplicate"] == pytest.approx(1 / 6)  # only 5 is copied
    assert math.isnan(found["induction"])  # and a special token follows it


def test_a_window_hides_copies_behind_it() -> None:
    maps, near = uniform(12), np.abs(np.subtract.outer(np.arange(12), np.arange(12))) < 3
    maps = maps * near / (maps * near).sum(1, keepdims=True)
    ids = (9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)
    found = observed(maps, [Targets()], allowed=near, queries=tokens(12, ids=ids))
    assert math.isnan(found["score.duplicate"][0])


def test_distance_does_not_shrink_where_learned_sinks_take_a_share() -> None:
    maps = random_maps(2, 20, seed=5)
    whole, leaking = observed(maps, [Targets()]), observed(maps * 0.4, [Targets()])
    for name in ("distance", "offset"):
        np.testing.assert_allclose(leaking[f"score.{name}"], whole[f"score.{name}"], rtol=1e-5)
    np.testing.assert_allclose(leaking["score.local"], 0.4 * whole["score.local"], rtol=1e-5)


def test_far_positions_keep_their_precision() -> None:
    """Row 2,999 looks one back: float32 sums of positions must not blur that."""
    found = scores(previous(3000), causal=True)
    assert found["offset"] == pytest.approx(-1, abs=1e-5)


def test_cross_stacks_have_none() -> None:
    found = observed(random_maps(1, 9, seed=6), [Targets()], cross=True)
    assert all(math.isnan(found[f"score.{name}"][0]) for name in NAMES)


def test_keys_that_are_another_sequence_have_none() -> None:
    """As when a cache or memory slots stand before the text."""
    found = observed(random_maps(1, 9, seed=6)[:, :6], [Targets()])
    assert all(math.isnan(found[f"score.{name}"][0]) for name in NAMES)


@pytest.mark.parametrize("causal", [True, False])
def test_bfloat16_maps_score_the_same(causal: bool) -> None:
    maps = random_maps(4, 64, seed=8, causal=causal)
    rounded = torch.as_tensor(maps, dtype=torch.float32).bfloat16().float().numpy()
    axis = tokens(64, ids=tuple(np.random.default_rng(1).integers(0, 20, 64).tolist()))
    mask = lower(64) if causal else None
    exact, found = (
        observed(one, [Masses(), Targets()], allowed=mask, queries=axis) for one in (maps, rounded)
    )
    for name in (*(f"score.{name}" for name in NAMES), "score.confidence"):
        np.testing.assert_allclose(found[name], exact[name], atol=5e-3, rtol=5e-3, err_msg=name)


def test_shuffled_heads_shuffle_scores() -> None:
    maps, order = random_maps(5, 16, seed=4), [3, 0, 4, 1, 2]
    axis = tokens(16, ids=(1, 2, 3, 4) * 4)
    plain, shuffled = (observed(m, [Targets()], queries=axis) for m in (maps, maps[order]))
    for name in plain:
        np.testing.assert_allclose(shuffled[name], plain[name][order], rtol=1e-5, atol=1e-6)


@st.composite
def cases(draw: st.DrawFn) -> tuple[np.ndarray, Axis, np.ndarray, int]:
    """Maps of two heads with their axis, their mask, and how many rows a block has."""
    inner, left, right = (draw(st.integers(low, top)) for low, top in ((1, 14), (0, 4), (0, 4)))
    size = left + inner + right
    causal, window = draw(st.booleans()), draw(st.integers(2, 40))
    flag = st.lists(st.booleans(), min_size=size, max_size=size)
    padding = tuple(not left <= i < left + inner for i in range(size))
    special = tuple(draw(flag)) if draw(st.booleans()) else (False,) * size
    ids = tuple(draw(st.lists(st.integers(-1, 4), min_size=size, max_size=size)))
    axis = tokens(size, ids=ids, padding=padding, special=special)
    offset = np.subtract.outer(np.arange(size), np.arange(size))
    mask = (np.abs(offset) < window) & ((offset >= 0) | (not causal))
    mask &= ~np.array(padding)[None, :] | np.array(padding)[:, None]
    maps = random_maps(2, size, seed=draw(st.integers(0, 9999))) * mask
    leak = draw(st.sampled_from([1.0, 0.3]))
    return leak * maps / maps.sum(-1, keepdims=True), axis, mask, draw(st.integers(1, size))


@settings(max_examples=150, deadline=None)
@given(cases())
def test_equals_the_definitions(case: tuple[np.ndarray, Axis, np.ndarray, int]) -> None:
    """Padding on both sides, specials, windows, leaking rows, unknown ids, any block size."""
    maps, axis, mask, rows = case
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(stream.BLOCK_CELLS, "cpu", 2 * len(axis) * rows)
        found = observed(maps, [Masses(), Targets()], allowed=mask, queries=axis)
    for head in range(2):
        for name, expected in of_self(maps[head], axis, mask).items():
            got = float(found[f"score.{name}"][head])
            assert got == pytest.approx(expected, rel=2e-5, abs=2e-5, nan_ok=True), name
