"""What a run will keep, decided before it starts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attnviz.errors import UsageError
from attnviz.runs.memory import free_memory, parse_bytes
from attnviz.runs.plan import KEEPS, Plan, Size, make_plan


def test_a_plan_keeps_whole_maps_that_fit_exactly() -> None:
    sites = [Size(4, 100, 100), Size(2, 100, 200)]
    maps, masks = 4 * (40_000 + 40_000), 10_000 + 20_000
    scores = 4 * (800 + 256) + 1600 + 2 * (1200 + 256) + 1600
    size = maps + masks + scores
    assert make_plan(sites, size) == Plan(size, maps, kept=size)
    assert make_plan(sites, size - 1).keeps == "pooled"
    assert make_plan([], 0).keeps == "whole"
    assert make_plan(sites, scores).keeps == "scores"
    with pytest.raises(UsageError, match=r"--memory 10.1 KiB is not enough: the scores alone"):
        make_plan(sites, scores - 1)


@given(
    st.lists(
        st.tuples(st.integers(1, 40), st.integers(1, 5000), st.integers(1, 5000)),
        min_size=1, max_size=5,
    ),
    st.integers(0, 2**36),
)  # fmt: skip
def test_what_is_kept_stays_within_the_memory(
    sites: list[tuple[int, int, int]], memory: int
) -> None:
    try:
        found = make_plan([Size(*one) for one in sites], memory)
    except UsageError:
        assert memory < sum(Size(*one).scores for one in sites)
        return
    assert found.kept <= memory
    larger = make_plan([Size(*one) for one in sites], 2 * memory)
    order = [*KEEPS]
    assert order.index(larger.keeps) <= order.index(found.keeps)


def test_the_default_is_a_quarter_of_what_is_free() -> None:
    budget = make_plan([], None).budget
    assert budget > 0
    assert budget == pytest.approx(free_memory() / 4, rel=0.5)


@pytest.mark.parametrize("memory", ["256MiB", "512MiB", "1GiB", "4GiB"])
def test_pooled_maps_and_top_keys_share_the_budget(memory: str) -> None:
    sites = [Size(32, 4096, 4096)] * 32
    found = make_plan(sites, parse_bytes(memory))
    assert found.keeps == "pooled"
    assert 16 <= found.side <= 256
    assert 3 <= found.top <= 8
    size = Size(*sites[0])
    assert found.kept == 32 * (size.scores + size.pooled(found.side) + size.top(found.top))
    larger = make_plan(sites, 64 * 2**30)
    assert (larger.side, larger.top) == (256, 8)
