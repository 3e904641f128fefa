"""Fused attention by chunks of rows gives the bits that one call gives."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from attnviz.observe.masks.chunked import spans
from tests.observe.padded import model, needs_lengths, nothing, padded, run, same
from tests.observe.runs import seen_by


@needs_lengths
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("tokens", [60, 767, 1535, 1536, 1792, 2303])
def test_chunks_give_the_same_bits(tokens: int, dtype: torch.dtype, counts: Counter[str]) -> None:
    for name in ("mistral", "bert"):
        one, given = model(name, dtype=dtype), padded(name, "right", tokens)
        found = seen_by(one, given, wanted=nothing)
        assert same(found.outputs.last_hidden_state, run(one, given))
    assert counts["lazy"] > 0
    assert counts["whole"] == 0


@pytest.mark.parametrize("cells", [1, 10_000, 1 << 40])
@pytest.mark.parametrize("queries", [1, 767, 768, 1535, 1536, 2000, 4097])
def test_chunks_are_whole_slices_and_none_is_short(queries: int, cells: int) -> None:
    found = spans(queries, cells)
    assert [start for start, _ in found[1:]] == [stop for _, stop in found[:-1]]
    assert (found[0][0], found[-1][1]) == (0, queries)
    assert all(start % 256 == 0 for start, _ in found)
    assert len(found) == 1 or all(stop - start >= 768 for start, stop in found)
