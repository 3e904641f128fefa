"""Rows of tokens as one array, and back."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from attnviz.inputs.packed import packed
from attnviz.inputs.tokenized import Row

NUMBERS = st.integers(0, 2**31 - 1)


@st.composite
def rows(draw: st.DrawFn) -> Row:
    length = draw(st.integers(0, 12))

    def some(values: st.SearchStrategy) -> tuple:
        return tuple(draw(st.lists(values, min_size=length, max_size=length)))

    names = draw(st.lists(st.sampled_from(["token_type_ids", "lang", "x"]), unique=True))
    return Row(
        ids=some(NUMBERS),
        spans=some(st.none() | st.tuples(NUMBERS, NUMBERS)),
        added=some(st.booleans()),
        segments=some(st.none() | st.integers(0, 1)),
        extras={name: some(NUMBERS) for name in names},
    )


@given(rows())
def test_a_row_comes_back_as_it_was(row: Row) -> None:
    again = packed(row).unpacked()
    assert again == row
    assert [*again.extras] == [*row.extras]
    assert all(type(number) is int for number in again.ids)
    assert all(type(flag) is bool for flag in again.added)


def test_a_row_takes_four_bytes_a_number() -> None:
    row = Row((7,) * 100, (None,) * 100, (False,) * 100, (0,) * 100, {"token_type_ids": (0,) * 100})
    assert packed(row).columns.dtype == np.int32
    assert packed(row).columns.nbytes == 100 * 6 * 4
    assert len(packed(row)) == 100
