"""A capture that cannot be trusted says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from attnviz.attention.axis import Axis, slots
from attnviz.attention.capture import AttentionStack, Check, LayerAttention
from attnviz.observe.blocks import Site
from attnviz.observe.checks.self_check import IGNORES_PADDING, SelfCheck, verdicts
from attnviz.observe.stream import stream
from tests.sources import ArraySource, causal_uniform, observed, random_maps, tokens, uniform

NAMES = ["finite", "rows sum to 1", "masked keys get nothing", IGNORES_PADDING]


def stack(kept: Sequence[Mapping[str, np.ndarray]]) -> AttentionStack:
    axis = slots(1)
    by_layer = {
        i: LayerAttention(i, i, "attn", 1, (0,), axis, axis, causal=False, cross=False, kept=one)
        for i, one in enumerate(kept)
    }
    return AttentionStack("self", by_layer)


def checked(maps: np.ndarray, **given: object) -> dict[str, Check]:
    return {c.name: c for c in verdicts([stack([observed(maps, [SelfCheck()], **given)])])}


def failed(found: Mapping[str, Check]) -> list[str]:
    return [name for name, check in found.items() if not check.ok]


@pytest.mark.parametrize("maps", [uniform(5), causal_uniform(7), random_maps(3, 9, seed=1)])
def test_good_maps_pass(maps: np.ndarray) -> None:
    found = checked(maps)
    assert list(found) == NAMES
    assert failed(found) == []
    assert found["rows sum to 1"].detail == "1.000000 to 1.000000"


@pytest.mark.parametrize("factor", [0.99, 1.01, 2])
def test_rows_must_sum_to_one(factor: float) -> None:
    maps = random_maps(2, 6, seed=2)
    maps[1, 3] *= factor
    assert failed(checked(maps)) == ["rows sum to 1"]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_row_that_is_not_finite(value: float) -> None:
    maps = random_maps(2, 6, seed=2)
    maps[0, 2, 2] = value
    found = checked(maps)
    assert "finite" in failed(found)
    assert found["finite"].detail == "1 rows are not"


def test_weight_on_a_masked_key() -> None:
    allowed = np.tril(np.ones((6, 6), bool))
    maps = causal_uniform(6)
    assert failed(checked(maps, allowed=allowed)) == []
    maps[2, 5], maps[2, 0] = 0.1, maps[2, 0] - 0.1
    found = checked(maps, allowed=allowed)
    assert failed(found) == ["masked keys get nothing"]
    assert found["masked keys get nothing"].detail == "at most 1.0e-01"


def test_padding_rows_are_not_judged_and_padding_keys_are() -> None:
    axis = tokens(5, padding=(False, False, False, True, True))
    maps = np.zeros((5, 5))
    maps[:3, :3] = 1 / 3
    maps[3:] = np.nan
    assert failed(checked(maps, queries=axis)) == []
    maps[1] = 1 / 5
    assert failed(checked(maps, queries=axis)) == [IGNORES_PADDING]


def leaking(maps: np.ndarray, rounding: float) -> list[str]:
    source = ArraySource(maps, np.ones(maps.shape[1:], bool))
    axis: Axis = tokens(maps.shape[-1])
    site = Site("self", "attn", 0, 0, 0, (0,), 1, axis, axis, cross=False, causal=False,
                leaks=True, rounding=rounding)  # fmt: skip
    kept = stream(site, source, [SelfCheck()])
    return [check.name for check in verdicts([stack([kept])]) if not check.ok]


def test_learned_sinks_may_take_a_share_but_never_give_one() -> None:
    maps = random_maps(1, 6, seed=3)
    assert leaking(maps * 0.3, 1e-4) == []
    assert leaking(maps * 0.0, 1e-4) == []
    assert leaking(maps * 1.001, 0.03) == []
    assert leaking(maps * 1.001, 1e-4) == ["rows sum to 1"]


def test_one_bad_layer_spoils_the_verdict_and_none_gives_none() -> None:
    good = observed(uniform(4), [SelfCheck()])
    bad = observed(uniform(4) * 3, [SelfCheck()])
    assert all(check.ok for check in verdicts([stack([good, good])]))
    assert not all(check.ok for check in verdicts([stack([good, bad])]))
    assert verdicts([stack([{}])]) == ()
    assert verdicts([]) == ()
