"""At 512 tokens, all that is reduced from row blocks is what the full eager maps give."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaModel, MistralConfig, MistralModel

import attnviz
from attnviz.attention.selection import Selection
from attnviz.inputs.tensors import from_tensors
from attnviz.observe import stream
from attnviz.observe.blocks import Site
from attnviz.runs.plan import Plan
from attnviz.runs.retain import Keeper
from tests.observe.runs import ids
from tests.sources import observed

TOKENS = 512
SIZES: dict[str, Any] = {
    "vocab_size": 100, "hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": TOKENS,
    "initializer_range": 0.2,
}  # fmt: skip


def model(shape: str, implementation: str) -> LlamaModel | MistralModel:
    torch.manual_seed(0)
    if shape == "mistral":
        config = MistralConfig(**SIZES, sliding_window=100, attn_implementation=implementation)
        return MistralModel(config).eval()
    return LlamaModel(LlamaConfig(**SIZES, attn_implementation=implementation)).eval()


@pytest.mark.parametrize("shape", ["llama", "mistral"])
@pytest.mark.parametrize("cells", [4 * TOKENS * 7, 4 * TOKENS * TOKENS])
def test_blocks_equal_the_full_eager_maps(
    shape: str, cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(stream.BLOCK_CELLS, "cpu", cells)
    tensors = {"input_ids": ids(1, TOKENS)}
    asked = Selection.parse(query="400-420", key="310-400")
    made = attnviz.captures(
        model(shape, "sdpa"), tensors, selection=asked, memory="640KiB"
    )[0].main_stack  # fmt: skip
    with torch.no_grad():
        maps = model(shape, "eager")(**tensors, output_attentions=True).attentions
    axis = from_tensors(model(shape, "sdpa"), tensors).source
    rows, keys = np.arange(TOKENS)[:, None], np.arange(TOKENS)[None]
    allowed = (keys <= rows) & (rows - keys < (100 if shape == "mistral" else TOKENS))
    for layer, weights in enumerate(maps):
        found = made.layer(layer)
        assert "pooled" in found.kept
        kept = found.kept
        top = kept["top_keys"].shape[-1]
        keeper = Keeper(Plan(1, 1, "pooled", kept["pooled"].shape[-1], top), asked)
        exact = observed(weights[0].numpy(), keeper(site(axis)), allowed=allowed, queries=axis)
        for name in set(kept) - {"top_keys", "links", "check"}:
            if name in ("score.norm", "score.value_weighted"):  # need the values
                continue
            np.testing.assert_allclose(
                kept[name], exact[name], rtol=1e-5, atol=1e-6, err_msg=name, equal_nan=True
            )


def site(axis: Any) -> Site:
    return Site("self", "layers.0", 0, 0, 0, (0, 1, 2, 3), 4, axis, axis, False, True)
