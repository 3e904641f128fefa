"""What the tests of lazy masks share."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from torch import Tensor

from attnviz.observe.masks import chunked
from attnviz.observe.masks import lazy as lazy_mask
from attnviz.observe.masks.lazy import LazyMask, MaskRows


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Every mask is lazy and every chunk small; how many masks, and how many as a whole."""
    monkeypatch.setattr(lazy_mask, "LAZY_CELLS", 1)
    monkeypatch.setattr(chunked, "CHUNK_CELLS", 1)
    found: Counter[str] = Counter()
    whole, new = MaskRows.whole, LazyMask.__new__

    def counting(made: MaskRows) -> Tensor:
        found["whole"] += made.taken is None
        return whole(made)

    def making(cls: type, *given: Any) -> LazyMask:
        found["lazy"] += 1
        return new(cls, *given)

    monkeypatch.setattr(MaskRows, "whole", counting)
    monkeypatch.setattr(LazyMask, "__new__", making)
    return found
