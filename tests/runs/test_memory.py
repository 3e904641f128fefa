"""Amounts of memory as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attnviz.errors import UsageError
from attnviz.runs.memory import bytes_of, human, parse_bytes


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("17", 17),
        ("17B", 17),
        ("512M", 512 * 2**20),
        ("4GiB", 2**32),
        ("4GB", 4 * 10**9),
        ("4gb", 4 * 10**9),
        ("4Gi", 2**32),
        ("4G", 2**32),
        ("1.5 kB", 1500),
        ("3KB", 3000),
        ("2MB", 2 * 10**6),
        ("1TB", 10**12),
        ("1tib", 2**40),
        ("1.5g", 3 * 2**29),
        (" 2 KiB ", 2048),
        ("1e3", 1000),
        ("1T", 2**40),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize(
    "text",
    ["", " ", "GiB", "-1", "-2G", "four", "4KK", "4X", "4iB", "4BG", "4BB", "nan", "inf", "1e999",
     "-inf", "1,5G"],
)  # fmt: skip
def test_no_sizes(text: str) -> None:
    with pytest.raises(UsageError, match="is no size"):
        parse_bytes(text)


@given(st.integers(0, 2**50))
def test_what_is_printed_reads_back(size: int) -> None:
    assert parse_bytes(human(size)) == pytest.approx(size, rel=0.06, abs=1)


@pytest.mark.parametrize("name", ["memory", "--memory"])
def test_a_number_is_bytes(name: str) -> None:
    assert bytes_of(None, name) is None
    assert bytes_of(4 * 2**30, name) == bytes_of("4GiB", name) == 2**32
    for wrong in (-1, True, "-1G", "lots"):
        with pytest.raises(UsageError, match=f"^{name} {wrong} is no size"):
            bytes_of(wrong, name)
