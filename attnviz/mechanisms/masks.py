"""Masks: which keys a query may attend to, True where it may.

A mask broadcasts to the scores, (..., queries, keys). Two masks are joined by `&`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


def causal(queries: int, keys: int | None = None, *, first: int = 0) -> Tensor:
    """bool (queries, keys): nothing after the query itself (Vaswani et al. 2017, section 3.2.3).

    Without `keys` there are as many as queries. `first` is the place of the first query among the
    keys: while a decoder generates, its one query stands behind all earlier keys.
    """
    rows = torch.arange(first, first + queries)
    columns = torch.arange(queries if keys is None else keys)
    return columns[None, :] <= rows[:, None]


def padding(lengths: Tensor, keys: int) -> Tensor:
    """bool (..., 1, keys): only the first `lengths` keys are real. Lengths: (...)."""
    return torch.arange(keys, device=lengths.device) < lengths[..., None, None]
