"""Windowed softmaxes put at their true positions."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from attnviz.observe.sources.layouts import windowed


def banded(size: int, half: int, padded: int) -> tuple[Tensor, Tensor]:
    """A dense map with |i − j| ≤ half, and its band (examples, padded, heads, 2 · half + 1)."""
    torch.manual_seed(size * 10 + half)
    scores = torch.randn(2, 3, size, size)
    back = torch.arange(size)[:, None] - torch.arange(size)
    dense = scores.masked_fill(back.abs() > half, -torch.inf).softmax(-1)
    band = torch.zeros(2, padded, 3, 2 * half + 1)
    for i in range(size):
        for c in range(2 * half + 1):
            if 0 <= i + c - half < size:
                band[:, i, :, c] = dense[:, :, i, i + c - half]
    return dense, band


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 12), st.integers(1, 4), st.integers(0, 4))
def test_a_band_is_put_back(size: int, half: int, extra: int) -> None:
    dense, band = banded(size, half, size + min(extra, 2 * half))
    found = windowed(band, 2, {3}, {size})
    assert found is not None
    shape, make = found
    assert shape == (3, size, size)
    torch.testing.assert_close(make(), dense)


@pytest.mark.parametrize(("size", "length"), [(8, 4), (7, 4), (5, 4), (9, 3), (3, 3)])
@pytest.mark.parametrize("summaries", [0, 2])
def test_neighbouring_blocks_are_put_back(size: int, length: int, summaries: int) -> None:
    blocks = -(-size // length)
    torch.manual_seed(size)
    local = torch.rand(2, blocks, 3, length, 3 * length + summaries)
    found = windowed(local, 2, {3}, {size})
    assert found is not None
    shape, make = found
    assert shape == (3, size, size)
    dense = make()
    for i in range(size):
        for j in range(size):
            block, key = i // length, j - (i // length - 1) * length
            expected = local[:, block, :, i % length, key] if 0 <= key < 3 * length else 0
            torch.testing.assert_close(dense[:, :, i, j], torch.zeros(2, 3) + expected)


@pytest.mark.parametrize(
    ("shape", "why"),
    [
        ((2, 8, 4, 5), "no such number of heads"),
        ((3, 8, 3, 5), "another batch"),
        ((2, 8, 3, 4), "a band has a middle"),
        ((2, 40, 3, 5), "longer than any axis"),
        ((2, 2, 3, 4, 8), "fewer than three blocks"),
        ((2, 3, 8), "too few dimensions"),
    ],
)
def test_other_layouts_are_left_alone(shape: tuple[int, ...], why: str) -> None:
    assert windowed(torch.zeros(shape), 2, {3}, {8}) is None, why
