"""Long inputs: every head of a Llama- or Mistral-shaped model, against a plain SDPA forward.

python benchmarks/long.py                    prints the table
python benchmarks/long.py SHAPE TOKENS plain|all     one run, for its time and peak memory
"""

from __future__ import annotations

import sys
import time

import torch
from transformers import LlamaConfig, LlamaModel, MistralConfig, MistralModel

import attnviz

LAYERS, HEADS, GROUPS, WIDTH, WINDOW = 4, 8, 2, 512, 4096


def model(shape: str, tokens: int) -> LlamaModel | MistralModel:
    """4 layers of 8 query heads over 2 key-value heads, with random weights."""
    torch.manual_seed(0)
    sizes = {
        "vocab_size": 1000,
        "hidden_size": WIDTH,
        "intermediate_size": 4 * WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": GROUPS,
        "max_position_embeddings": tokens,
    }
    if shape == "mistral":
        return MistralModel(MistralConfig(**sizes, sliding_window=WINDOW)).eval()
    return LlamaModel(LlamaConfig(**sizes)).eval()


def once(shape: str, tokens: int, way: str) -> float:
    """Seconds of one run: `plain`, or `all` with pooled maps, top keys and scores of every head."""
    one = model(shape, tokens)
    ids = torch.randint(0, 1000, (1, tokens), generator=torch.Generator().manual_seed(0))
    tensors = {"input_ids": ids, "use_cache": False}
    start = time.perf_counter()
    if way == "plain":
        with torch.no_grad():
            one(**tensors)
    else:
        attnviz.capture(one, tensors, memory="64MiB")
    return time.perf_counter() - start


if __name__ == "__main__":
    print(once(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
