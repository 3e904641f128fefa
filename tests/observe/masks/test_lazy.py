"""A lazy mask is the ordinary one to whoever takes it, and by rows."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from transformers import LlamaConfig
from transformers.masking_utils import (
    ALL_MASK_ATTENTION_FUNCTIONS,
    sdpa_mask,
    sliding_window_causal_mask_function,
)

from attnviz.observe.masks.lazy import LazyMask, lazily
from tests.observe.padded import model, needs_lengths
from tests.observe.runs import ids, seen_by

pytestmark = needs_lengths

EVERYTHING: dict[str, Any] = {
    "batch_size": 2, "q_length": 20, "kv_length": 24, "q_offset": 4,
    "mask_function": sliding_window_causal_mask_function(5),
}  # fmt: skip
OPERATIONS: list[Callable[[Any], Any]] = [
    lambda mask: mask[:],
    lambda mask: ~mask,
    lambda mask: mask.float(),
    lambda mask: mask[:, :, 3:5],
    lambda mask: mask.squeeze(1),
    lambda mask: torch.cat([mask, mask], dim=-1),
    lambda mask: F.pad(mask, (0, 2)),
    lambda mask: mask.clone(),
    lambda mask: mask.all(),
    lambda mask: torch.tensor(mask.tolist()),
    lambda mask: torch.from_numpy(np.asarray(mask)),
    lambda mask: torch.from_numpy(mask.numpy()),
    lambda mask: mask.to("cpu").detach(),
    copy.deepcopy,
    lambda mask: pickle.loads(pickle.dumps(mask)),
]


def lazy(**given: Any) -> LazyMask:
    config = LlamaConfig()
    config._attn_implementation = "sdpa"
    padding = torch.arange(24)[None] >= torch.tensor([[0], [3]])
    asked = EVERYTHING | {"attention_mask": padding, "config": config} | given
    mask = lazily(sdpa_mask, lambda: True)(**asked)
    assert isinstance(mask, LazyMask)
    return mask


@pytest.mark.parametrize("operation", OPERATIONS)
def test_any_operation_sees_the_ordinary_mask(
    operation: Callable[[Any], Any], counts: Counter[str]
) -> None:
    padding = torch.arange(24)[None] >= torch.tensor([[0], [3]])
    usual = sdpa_mask(**EVERYTHING, attention_mask=padding)
    assert torch.equal(operation(lazy()), operation(usual))


@pytest.mark.parametrize("given", [{}, {"use_vmap": True}, {"q_offset": torch.tensor(4)}])
def test_rows_are_those_of_the_whole(given: dict[str, Any], counts: Counter[str]) -> None:
    mask = lazy(**given)
    assert (mask.shape, mask.dtype, mask.device.type) == ((2, 1, 20, 24), torch.bool, "cpu")
    assert repr(mask) == "LazyMask(shape=(2, 1, 20, 24), device=cpu)"
    parts = mask.rows(3, 9), mask.rows(3, 9, 1)
    assert counts["whole"] == 0
    assert torch.equal(parts[0], mask.whole()[:, :, 3:9])
    assert torch.equal(parts[1], mask.whole()[1:, :, 3:9])
    assert torch.equal(mask.rows(3, 9, 1), parts[1])


def test_other_kernels_get_the_whole_mask(counts: Counter[str]) -> None:
    """Values of another width than the keys are computed without the flash kernel."""
    query, key, value = torch.randn(2, 2, 20, 8), torch.randn(2, 2, 24, 8), torch.randn(2, 2, 24, 4)
    found = F.scaled_dot_product_attention(query, key, value, attn_mask=lazy())
    assert counts["whole"] == 1
    exact = F.scaled_dot_product_attention(query, key, value, attn_mask=lazy().whole())
    assert torch.equal(found, exact)


def test_the_mask_function_keeps_its_signature() -> None:
    seen_by(model("llama"), {"input_ids": ids(1, 10)})
    registered = ALL_MASK_ATTENTION_FUNCTIONS["sdpa"]
    assert inspect.signature(registered) == inspect.signature(sdpa_mask)
    triangle = registered(1, 4, 4, allow_is_causal_skip=False)
    assert torch.equal(triangle[0, 0], torch.ones(4, 4).tril().bool())
