"""Scores of copies and positions against the head detector of TransformerLens.

Runs where transformer-lens is installed. It scores a head by the share of all its attention that
falls on a detection pattern; attnviz takes the mean over the queries that count, so the two differ
by a known factor.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

import attnviz

detector: Any = pytest.importorskip("transformer_lens.head_detector")

IDS = torch.tensor([[3, 9, 4, 7, 3, 9, 11, 7, 5, 3, 9, 4]])
NAMES = {"previous": "previous_token_head", "duplicate": "duplicate_token_head",
         "induction": "induction_head"}  # fmt: skip


@pytest.fixture(scope="module")
def model() -> GPT2LMHeadModel:
    torch.manual_seed(0)
    config = GPT2Config(n_layer=3, n_head=4, n_embd=32, vocab_size=16, n_positions=32,
                        initializer_range=0.4)  # fmt: skip
    config._attn_implementation = "eager"
    return GPT2LMHeadModel(config).eval()


def detected(model: GPT2LMHeadModel, name: str) -> np.ndarray:
    """Its score of every head, (layers, heads), from the model's own eager weights."""
    with torch.no_grad():
        maps = model(IDS, output_attentions=True).attentions
    cfg = SimpleNamespace(device="cpu", n_layers=3, n_heads=4, n_ctx=32, dtype=torch.float32)
    stand_in = SimpleNamespace(cfg=cfg, to_tokens=lambda _: IDS)
    cache = {("pattern", layer, "attn"): one[0] for layer, one in enumerate(maps)}
    found: torch.Tensor = detector.detect_head(stand_in, "", name, cache=cache)
    return found.numpy()


@pytest.mark.parametrize("name", NAMES)
def test_agrees_with_the_head_detector(name: str, model: GPT2LMHeadModel) -> None:
    scores = attnviz.capture(model, {"input_ids": IDS}).scores["self"][name]
    ids = IDS[0].tolist()
    repeated = sum(one in ids[:place] for place, one in enumerate(ids))
    counted = len(ids) - 1 if name == "previous" else repeated
    np.testing.assert_allclose(scores * counted / len(ids), detected(model, NAMES[name]), atol=1e-6)
