"""Closed forms (docs/metrics.md), and what must not change a score."""

from __future__ import annotations

import math

import numpy as np
import pytest

from attnviz.attention.axis import Axis
from attnviz.metrics.scores import Content, Masses
from attnviz.metrics.structure import Structure
from attnviz.metrics.targets import Targets
from attnviz.observe import stream
from tests.sources import (
    causal_uniform,
    observed,
    previous,
    random_maps,
    to_key,
    tokens,
    uniform,
)

SIZES = [2, 3, 64]
HAND = np.array([[1, 0, 0, 0], [0.5, 0.5, 0, 0], [0.2, 0.3, 0.5, 0], [0.1, 0.15, 0.5, 0.25]])


def scores(maps: np.ndarray, causal: bool = False, **given: object) -> dict[str, float]:
    size = maps.shape[-1]
    allowed = np.tril(np.ones((size, size), bool)) if causal else None
    kept = observed(maps, [Masses(), Content()], allowed=allowed, **given)
    return {
        name.removeprefix("score."): float(value[0])
        for name, value in kept.items()
        if name.startswith("score.")
    }


@pytest.mark.parametrize("size", SIZES)
def test_uniform(size: int) -> None:
    found = scores(uniform(size))
    assert found["entropy"] == pytest.approx(math.log(size), abs=1e-5)
    assert found["normalized_entropy"] == pytest.approx(1, abs=1e-5)
    for name in ("self", "previous", "next", "first", "sink"):
        assert found[name] == pytest.approx(1 / size, abs=1e-6)
    assert found["content"] == pytest.approx(0, abs=1e-6)
    assert found["special"] == found["punctuation"] == 0


@pytest.mark.parametrize("size", SIZES)
def test_causal_uniform(size: int) -> None:
    """Row 0, which is always [1, 0, …], is left out: rows 1 to T − 1 have 2 to T keys."""
    found = scores(causal_uniform(size), causal=True)
    harmonic = sum(1 / n for n in range(2, size + 1)) / (size - 1)
    expected = sum(math.log(n) for n in range(2, size + 1)) / (size - 1)
    assert found["entropy"] == pytest.approx(expected, abs=1e-5)
    assert found["normalized_entropy"] == pytest.approx(1, abs=1e-5)
    for name in ("self", "previous", "first"):
        assert found[name] == pytest.approx(harmonic, abs=1e-6)
    assert found["content"] == pytest.approx(0, abs=1e-6)
    assert math.isnan(found["next"])


def test_causal_uniform_of_64_is_the_published_number() -> None:
    """Over the rows that have one it is (H_T − 1) / (T − 1) (docs/metrics.md, previous)."""
    assert scores(causal_uniform(64), causal=True)["previous"] == pytest.approx(0.0594, abs=5e-5)


@pytest.mark.parametrize("size", [3, 64])
@pytest.mark.parametrize("causal", [True, False])
def test_previous_token_head(size: int, causal: bool) -> None:
    found = scores(previous(size), causal=causal)
    assert found["previous"] == pytest.approx(1)
    assert found["entropy"] == pytest.approx(0, abs=1e-6)
    assert found["content"] == pytest.approx(0, abs=1e-6)


def test_next_is_the_later_key() -> None:
    """Orientation: row 0 looks at key 1. Clark et al. have the two names swapped in one figure."""
    following = np.eye(5, k=1)
    following[4, 4] = 1
    found = scores(following)
    assert found["next"] == pytest.approx(1)
    assert found["previous"] == 0


def test_hand_matrix() -> None:
    found = scores(HAND, causal=True)
    assert found["first"] == pytest.approx(0.8 / 3)
    assert found["previous"] == pytest.approx(1.3 / 3)
    assert found["self"] == pytest.approx(1.25 / 3)


def test_a_popular_key_is_a_sink_and_no_content() -> None:
    maps = np.full((64, 64), 0.2 / 63)
    maps[:, 7] = 0.8
    found = scores(maps)
    assert found["sink"] == pytest.approx(0.8)
    assert found["content"] == pytest.approx(0, abs=1e-6)


def test_first_key_sink() -> None:
    found = scores(to_key(64, 0), causal=True)
    assert found["first"] == found["sink"] == pytest.approx(1)
    assert found["content"] == 0


def test_late_self_attention_is_no_sink() -> None:
    """The last columns of a causal map average one to three rows (docs/metrics.md, sink)."""
    assert scores(np.eye(64), causal=True)["sink"] < 0.1


def test_content_of_a_permutation_is_large() -> None:
    """Each query looks at one key of its own: neither position nor popularity explains it."""
    order = np.random.default_rng(3).permutation(64)
    far = np.abs(order - np.arange(64)) > 4
    found = scores(np.eye(64)[order])
    assert found["content"] >= far.mean() * (1 - 1 / 64) - 0.05


def test_links_name_the_key_with_the_largest_excess() -> None:
    maps = np.stack([uniform(8), uniform(8)])
    maps[1, 2] = 0.02
    maps[1, 2, 6] = 1 - 7 * 0.02
    links = observed(maps, [Content()])["links"]
    assert links[2, :2].tolist() == [1, 6]
    assert links[2, 2] == pytest.approx(0.86)
    assert math.isnan(links[5, 0])


def test_special_and_punctuation_are_columns_and_no_queries() -> None:
    axis = Axis(labels=("[CLS]", "a", ",", "b", "[SEP]"), special=(True, False, False, False, True))
    maps = np.tile([0.1, 0.2, 0.3, 0.15, 0.25], (5, 1))
    maps[0] = [1, 0, 0, 0, 0]
    found = scores(maps, queries=axis)
    assert found["special"] == pytest.approx(0.35)
    assert found["punctuation"] == pytest.approx(0.3)
    assert found["first"] == pytest.approx(0.1)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("causal", [True, False])
def test_padding_changes_nothing(side: str, causal: bool) -> None:
    size, extra = 12, 5
    maps = random_maps(3, size, seed=1, causal=causal)
    inside = slice(extra, None) if side == "left" else slice(0, size)
    padded = np.full((3, size + extra, size + extra), 1 / (size + extra))
    padded[:, inside] = 0
    padded[:, inside, inside] = maps
    lower = np.tril(np.ones((size + extra, size + extra), bool))
    mask = lower if causal else np.ones_like(lower)
    flags = np.ones(size + extra, bool)
    flags[inside] = False
    axis = tokens(size + extra, padding=tuple(flags.tolist()))
    observers = [Masses(), Content()]
    plain = observed(
        maps, observers, allowed=np.tril(np.ones((size, size), bool)) if causal else None
    )
    other = observed(padded, observers, allowed=mask, queries=axis)
    for name in plain:
        if name.startswith("score."):
            np.testing.assert_allclose(other[name], plain[name], atol=1e-5, err_msg=name)


@pytest.mark.parametrize("causal", [True, False])
def test_row_blocks_do_not_change_scores(causal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    maps = random_maps(4, 30, seed=2, causal=causal)
    allowed = np.tril(np.ones((30, 30), bool)) if causal else None
    whole = observed(maps, [Masses(), Content()], allowed=allowed)
    monkeypatch.setitem(stream.BLOCK_CELLS, "cpu", 4 * 30 * 7)
    blocks = observed(maps, [Masses(), Content()], allowed=allowed)
    for name, value in whole.items():
        np.testing.assert_allclose(blocks[name], value, atol=2e-6, err_msg=name)


def test_confidence_is_the_largest_weight_off_special_keys() -> None:
    axis = tokens(5, special=(True, False, False, False, True))
    maps = np.tile([0.1, 0.2, 0.3, 0.15, 0.25], (5, 1))
    maps[1] = [0.8, 0.05, 0.1, 0.05, 0]
    assert scores(maps, queries=axis)["confidence"] == pytest.approx((0.1 + 0.3 + 0.3) / 3)
    every = tokens(5, special=(True,) * 5)
    assert scores(maps, queries=every)["confidence"] == pytest.approx((0.8 + 4 * 0.3) / 5)


def test_shuffled_heads_shuffle_scores() -> None:
    maps = random_maps(5, 16, seed=4)
    order = [3, 0, 4, 1, 2]
    plain = observed(maps, [Masses(), Content()])
    shuffled = observed(maps[order], [Masses(), Content()])
    for name in (n for n in plain if n.startswith("score.")):
        np.testing.assert_allclose(shuffled[name], plain[name][order], atol=1e-6)


def test_entropy_of_leaking_rows_is_that_of_the_renormalised_row() -> None:
    """Learned sinks take a share (docs/metrics.md, rows that do not sum to 1)."""
    maps = random_maps(2, 10, seed=5)
    whole = observed(maps, [Masses()])
    leaking = observed(maps * 0.4, [Masses()])
    np.testing.assert_allclose(leaking["score.entropy"], whole["score.entropy"], atol=1e-5)
    np.testing.assert_allclose(leaking["row_sums"], 0.4, atol=1e-6)
    np.testing.assert_allclose(leaking["score.first"], 0.4 * whole["score.first"], atol=1e-6)


def test_a_row_that_gives_all_to_learned_sinks_has_no_entropy() -> None:
    maps = uniform(8)
    maps[3] = 0
    assert scores(maps)["entropy"] == pytest.approx(math.log(8) * 7 / 8, abs=1e-5)


def test_cross_stacks_have_neither_self_nor_neighbours() -> None:
    maps = random_maps(1, 9, seed=6)[:, :6]
    found = observed(maps, [Masses(), Content()], cross=True)
    assert all(math.isnan(found[f"score.{name}"][0]) for name in ("self", "previous", "next"))
    diagonal = np.eye(6)
    apart = observed(diagonal, [Content()], cross=True)["score.content"][0]
    assert apart == pytest.approx(1 - 1 / 6, abs=1e-6)


def test_content_equals_its_definition() -> None:
    """Cell by cell (docs/metrics.md, content)."""
    size = 14
    maps = random_maps(1, size, seed=7)[0]
    total = 0.0
    for i in range(size):
        for j in range(size):
            if i == j:
                continue
            column = [maps[r, j] for r in range(size) if r != i]
            expected = max(np.mean(column), 1 / size)
            if abs(i - j) <= 4:
                same = [
                    maps[r, r - (i - j)] for r in range(size) if 0 <= r - (i - j) < size and r != i
                ]
                expected = max(expected, np.mean(same)) if same else expected
            total += max(0.0, maps[i, j] - expected)
    found = observed(maps, [Content()])["score.content"][0]
    assert found == pytest.approx(total / size, abs=1e-5)


def test_positions_that_are_not_known_give_no_number() -> None:
    """Three slots of a prefix before the keys: each query looks at its own token, or before it."""
    own, before = np.eye(5, 8, 3), np.eye(5, 8, 2)
    maps = np.stack([own, before]).astype(np.float32)
    found = observed(maps, [Masses(), Content(), Structure(), Targets()])
    for name in ("self", "previous", "next", "content", "slash", "distance", "offset", "local",
                 "streaming"):  # fmt: skip
        assert np.isnan(found[f"score.{name}"]).all(), name
    assert np.isnan(found["links"]).all()
    assert np.isnan(found["slashes"]).all()
    np.testing.assert_allclose(found["score.entropy"], 0, atol=1e-6)
    np.testing.assert_allclose(found["score.confidence"], 1)
    assert (found["score.vertical"] > 0).all()
