"""Alignment scores of cross stacks: closed forms, and the definitions on random maps."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from attnviz.attention.axis import Axis
from attnviz.metrics.alignment import NAMES, Alignment
from attnviz.observe import stream
from tests.metrics.definitions import of_cross
from tests.sources import observed, random_maps, to_key, tokens, uniform

SIZES = [1, 2, 3, 64]


def scores(maps: np.ndarray, **given: object) -> dict[str, float]:
    found = observed(maps, [Alignment()], cross=True, **given)
    return {name: float(found[f"score.{name}"][0]) for name in NAMES}


@pytest.mark.parametrize("size", SIZES)
def test_uniform(size: int) -> None:
    found = scores(uniform(size))
    assert found["monotonicity"] == pytest.approx(0, abs=1e-5)
    assert found["coverage"] == pytest.approx(1)
    assert found["sharpness"] == pytest.approx(0 if size > 1 else math.nan, abs=1e-5, nan_ok=True)


@pytest.mark.parametrize("size", SIZES[1:])
@pytest.mark.parametrize("direction", [1, -1])
def test_diagonal(size: int, direction: int) -> None:
    found = scores(np.eye(size)[::direction].copy())
    assert found == pytest.approx({"monotonicity": direction, "coverage": 1, "sharpness": 1})


@pytest.mark.parametrize("size", SIZES[1:])
@pytest.mark.parametrize("key", [0, -1])
def test_all_to_one_key(size: int, key: int) -> None:
    found = scores(to_key(size, key))
    assert found == pytest.approx({"monotonicity": 0, "coverage": 1 / size, "sharpness": 1})


@pytest.mark.parametrize("repeat", [(1, 3), (3, 1)])
def test_a_diagonal_of_unequal_lengths_is_covered(repeat: tuple[int, int]) -> None:
    """1 can be reached whichever side is longer."""
    maps = np.kron(np.eye(8), np.ones(repeat)) / repeat[1]
    found = scores(maps)
    assert found["coverage"] == pytest.approx(1)
    assert found["monotonicity"] > 0.98


def test_hand_matrix() -> None:
    maps = np.array([[0.6, 0.2, 0.1, 0.1], [0.1, 0.6, 0.1, 0.2]])
    special = (False, False, False, True)
    found = scores(maps, keys=tokens(4, special=special), queries=tokens(2))
    assert found["coverage"] == pytest.approx((0.7 + 0.8 + 0.2) / 2)
    expected = of_cross(maps, tokens(2), tokens(4, special=special))
    assert found == pytest.approx(expected, abs=1e-6)


def test_a_head_that_looks_only_at_special_keys_aligns_nothing() -> None:
    keys = tokens(5, special=(False, False, False, False, True))
    found = scores(to_key(5, 4), keys=keys, queries=tokens(5))
    assert found["coverage"] == 0
    assert math.isnan(found["monotonicity"])
    assert math.isnan(found["sharpness"])


def test_only_special_keys_have_none() -> None:
    found = scores(uniform(3), keys=tokens(3, special=(True,) * 3), queries=tokens(3))
    assert all(math.isnan(value) for value in found.values())


def test_self_stacks_have_none() -> None:
    found = observed(random_maps(1, 9, seed=6), [Alignment()])
    assert all(math.isnan(found[f"score.{name}"][0]) for name in NAMES)


def test_bfloat16_maps_score_the_same_and_heads_keep_their_place() -> None:
    maps, order = random_maps(5, 64, seed=8)[:, :40], [3, 0, 4, 1, 2]
    rounded = torch.as_tensor(maps[order], dtype=torch.float32).bfloat16().float().numpy()
    exact, found = (observed(one, [Alignment()], cross=True) for one in (maps, rounded))
    for name in exact:
        np.testing.assert_allclose(found[name], exact[name][order], atol=5e-3, err_msg=name)


@st.composite
def cases(draw: st.DrawFn) -> tuple[np.ndarray, Axis, Axis, int]:
    """Maps of two heads with their axes, and how many rows a block has."""

    def axis() -> Axis:
        inner, left, right = (draw(st.integers(low, top)) for low, top in ((1, 9), (0, 3), (0, 3)))
        size = left + inner + right
        special = draw(st.lists(st.booleans(), min_size=size, max_size=size))
        padding = tuple(not left <= i < left + inner for i in range(size))
        return tokens(size, padding=padding, special=tuple(special))

    queries, keys = axis(), axis()
    size = max(len(queries), len(keys))
    maps = random_maps(2, size, seed=draw(st.integers(0, 9999)))[:, : len(queries), : len(keys)]
    maps = maps * ~np.array(keys.padding)
    maps *= draw(st.sampled_from([1.0, 0.3])) / maps.sum(-1, keepdims=True)
    return maps, queries, keys, draw(st.integers(1, len(queries)))


@settings(max_examples=150, deadline=None)
@given(cases())
def test_equals_the_definitions(case: tuple[np.ndarray, Axis, Axis, int]) -> None:
    """Padding on both sides, specials, leaking rows, any block size."""
    maps, queries, keys, rows = case
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(stream.BLOCK_CELLS, "cpu", 2 * len(keys) * rows)
        found = observed(maps, [Alignment()], cross=True, queries=queries, keys=keys)
    for head in range(2):
        for name, expected in of_cross(maps[head], queries, keys).items():
            got = float(found[f"score.{name}"][head])
            assert got == pytest.approx(expected, abs=1e-4, nan_ok=True), name
