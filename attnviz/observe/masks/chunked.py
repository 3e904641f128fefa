"""Fused attention by chunks of query rows, for a mask that is evaluated by rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend

if TYPE_CHECKING:
    from torch import Tensor

CHUNK_CELLS = 1 << 24  # the kernel turns them into floats while it runs
SLICE = 256  # rows that the kernel takes at a time


class RowsMask(Protocol):
    """A mask of shape (examples, 1, queries, keys), as a whole or by rows."""

    shape: torch.Size

    def whole(self) -> Tensor: ...

    def rows(self, start: int, stop: int) -> Tensor: ...


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: RowsMask,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    **keywords: Any,
) -> Tensor:
    """What SDPA gives for the whole mask, bit by bit: (examples, heads, queries, d)."""
    arguments = (dropout_p, is_causal)
    if not splits(query, key, value, attn_mask.shape, *arguments, **keywords):
        whole = attn_mask.whole()
        return F.scaled_dot_product_attention(query, key, value, whole, *arguments, **keywords)
    chunks = [
        F.scaled_dot_product_attention(
            query[:, :, start:stop], key, value, attn_mask.rows(start, stop), *arguments, **keywords
        )
        for start, stop in spans(query.shape[2], attn_mask.shape[0] * attn_mask.shape[3])
    ]
    if chunks[0].stride(1) < chunks[0].stride(2):  # with heads inside of queries in memory
        return torch.cat([chunk.transpose(1, 2) for chunk in chunks], dim=1).transpose(1, 2)
    return torch.cat(chunks, dim=2)


def splits(
    query: Tensor, key: Tensor, value: Tensor, shape: torch.Size, *arguments: Any, **keywords: Any
) -> bool:
    """Whether chunks of these queries give the same bits: by the flash kernel for CPUs.

    Others (where values have another width than keys, on a GPU) are not known to.
    """
    if query.device.type != "cpu" or query.ndim != 4 or shape[2:] != (query.shape[2], key.shape[2]):
        return False
    blank = torch.ones((1, 1, 1, 1), dtype=torch.bool).expand(shape)
    chosen = torch._fused_sdp_choice(query, key, value, blank, *arguments, **keywords)
    return bool(chosen == SDPBackend.FLASH_ATTENTION.value)


def spans(queries: int, cells: int) -> list[tuple[int, int]]:
    """(start, stop) of the chunks of rows with so many cells each.

    From 768 rows on the kernel takes them in slices, and from 4 per thread on it packs the keys of
    half precision: chunks of whole slices, none shorter than that, are computed as in one call.
    """
    least = max(3 * SLICE, 4 * torch.get_num_threads())
    step = max(-(-least // SLICE), CHUNK_CELLS // cells // SLICE) * SLICE
    starts = range(0, max(1, queries - least + 1), step)
    return list(zip(starts, [*starts[1:], queries], strict=True))
