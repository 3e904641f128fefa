"""Blocks of rows remember the sums that several scores ask for."""

from __future__ import annotations

import torch

from attnviz.attention.rows import RowBlock


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
