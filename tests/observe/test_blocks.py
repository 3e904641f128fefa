"""Blocks of rows remember the sums that several scores ask for."""

from __future__ import annotations

import math

import pytest
import torch

from attnviz.observe.blocks import RowBlock


def test_column_sums_are_those_of_the_rows() -> None:
    weights = torch.rand(2, 4, 5, generator=torch.Generator().manual_seed(0))
    block = RowBlock(weights, torch.ones(4, 5, dtype=torch.bool), 0)
    masks = [[True] * 4, [False, True, True, True], [True, False, True, False], [False] * 4]
    for _ in range(2):
        for mask in masks:
            rows = torch.tensor(mask)
            torch.testing.assert_close(block.column_sums(rows), weights[:, rows].sum(dim=1))
    rows = torch.tensor(masks[1])
    assert block.column_sums(rows) is block.column_sums(rows.clone())


@pytest.mark.parametrize("scale", [0.01, 1, 30, 300])
def test_entropies_from_logits_are_those_of_the_weights(scale: float) -> None:
    logits = scale * torch.randn(2, 4, 50, generator=torch.Generator().manual_seed(0))
    allowed = torch.arange(50) < torch.tensor([[1], [7], [30], [50]])
    logits.masked_fill_(~allowed, -math.inf)
    logits[1, 3] = torch.finfo(torch.float32).min  # nothing allowed: an even row
    weights = logits.softmax(dim=-1)
    exact = torch.special.entr(logits.double().softmax(dim=-1)).sum(dim=-1).float()
    block = RowBlock(weights, allowed, 0, logits=logits)
    torch.testing.assert_close(block.row_entropies, exact, rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(
        RowBlock(weights, allowed, 0).row_entropies, exact, rtol=1e-5, atol=1e-7
    )
    assert block.logits is None


def test_a_block_knows_where_its_keys_are() -> None:
    weights = torch.rand(2, 3, 4, generator=torch.Generator().manual_seed(0))
    allowed = torch.tensor([[1, 1, 0, 0], [1, 1, 1, 0], [0, 1, 1, 1]]).bool()
    block = RowBlock(weights, allowed, start=6, first=5)
    assert (block.stop, block.keys) == (9, slice(5, 9))
    whole = block.whole(11)
    assert torch.equal(whole[..., 5:9], weights)
    assert float(whole.sum()) == pytest.approx(float(weights.sum()))


def test_cells_are_counted_by_row_and_by_key() -> None:
    allowed = torch.tensor([[1, 1, 0, 0], [1, 1, 1, 0], [0, 1, 1, 1]]).bool()
    block = RowBlock(torch.rand(2, 3, 4), allowed, start=6, first=5)
    rows, keys = torch.ones(3, dtype=torch.bool), torch.ones(11, dtype=torch.bool)
    assert block.of(rows, keys) is block.every
    assert block.every.of_rows.tolist() == [2, 3, 3]
    assert block.every.of_keys.tolist() == [2, 3, 2, 1]
    rows[1], keys[6] = False, False
    some = block.of(rows, keys)
    assert some.of_rows.tolist() == [1, 0, 2]
    assert some.of_keys.tolist() == [1, 0, 1, 1]
