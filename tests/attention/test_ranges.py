"""Numbers as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attnviz.attention.ranges import ranges


@pytest.mark.parametrize(
    ("numbers", "text"),
    [([], "none"), ([3], "3"), ([0, 1, 2, 3], "0-3"), ([4, 9, 5, 0], "0, 4-5, 9"), ([2, 2], "2")],
)
def test_ranges(numbers: list[int], text: str) -> None:
    assert ranges(numbers) == text


@given(st.sets(st.integers(0, 40), min_size=1))
def test_ranges_name_every_number(numbers: set[int]) -> None:
    named: set[int] = set()
    for part in ranges(numbers).split(", "):
        first, _, last = part.partition("-")
        named |= set(range(int(first), int(last or first) + 1))
    assert named == numbers
