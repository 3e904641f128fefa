"""Long inputs: time and memory beyond a plain SDPA forward, on random weights.

python benchmarks/long.py                            prints every row; those of a GPU where one is
python benchmarks/long.py SHAPE TOKENS plain|all     one run, for its seconds and peak memory
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import torch
from transformers import LlamaConfig, LlamaModel, MistralConfig, MistralModel

import attnviz

if TYPE_CHECKING:
    from collections.abc import Callable

SMALL = {
    "vocab_size": 1000,
    "hidden_size": 512,
    "intermediate_size": 2048,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
}
LARGE = {  # 8 B parameters
    "vocab_size": 128256,
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
}
WINDOW = 4096
MEMORY = "64MiB"  # pooled maps and top keys


def model(shape: str, tokens: int) -> LlamaModel | MistralModel:
    """4 layers of 8 query heads over 2 key-value heads, with random weights."""
    torch.manual_seed(0)
    if shape == "mistral":
        config = MistralConfig(**SMALL, sliding_window=WINDOW, max_position_embeddings=tokens)
        return MistralModel(config).eval()
    return LlamaModel(LlamaConfig(**SMALL, max_position_embeddings=tokens)).eval()


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
        attnviz.capture(one, tensors, memory=MEMORY)
    return time.perf_counter() - start


def fresh(shape: str, tokens: int, way: str) -> tuple[float, float]:
    """Seconds and peak MiB of one run in a fresh interpreter (Linux)."""
    command = [sys.executable, __file__, shape, str(tokens), way]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, peak = done.stdout.split()
    return float(seconds), float(peak)


def long_rows(shape: str, lengths: tuple[int, ...]) -> None:
    """A row per length: seconds and peak memory, plain and observed."""
    for tokens in lengths:
        plain, all_ = fresh(shape, tokens, "plain"), fresh(shape, tokens, "all")
        ratio, extra = all_[0] / plain[0], all_[1] - plain[1]
        print(f"| {shape}, {tokens:,} | {plain[0]:.1f} | {all_[0]:.1f} | {ratio:.2f} "
              f"| {plain[1]:.0f} | {extra:.0f} |", flush=True)  # fmt: skip


def gpu_rows() -> None:
    """8 B parameters in bfloat16 on a GPU: the ratios to the plain forward."""
    if not torch.cuda.is_available():
        print("skipped, no GPU: 8 B parameters, 32,768 and 131,072 tokens, all heads and one head")
        return
    config = LlamaConfig(**LARGE, max_position_embeddings=131072, dtype=torch.bfloat16)
    with torch.device("cuda"):
        one = LlamaModel._from_config(config, dtype=torch.bfloat16).eval()
    for tokens in (32768, 131072):
        ids = torch.randint(0, 1000, (1, tokens), device="cuda")
        tensors = {"input_ids": ids, "use_cache": False}
        with torch.no_grad():
            plain = timed(lambda tensors=tensors: one(**tensors))
        head = timed(
            lambda tensors=tensors: attnviz.capture(
                one, tensors, layers=[16], heads=[3], memory="1GiB"
            )
        )
        all_ = timed(lambda tensors=tensors: attnviz.capture(one, tensors, memory="8GiB"))
        print(f"| 8 B, {tokens:,}: one head ÷ plain | {head / plain:.2f} |")
        print(f"| 8 B, {tokens:,}: all heads ÷ plain | {all_ / plain:.2f} |", flush=True)


def timed(call: Callable[[], object]) -> float:
    """Seconds of the second of two calls, with the GPU's work done."""
    seconds = 0.0
    for _ in range(2):
        torch.cuda.synchronize()
        start = time.perf_counter()
        call()
        torch.cuda.synchronize()
        seconds = time.perf_counter() - start
    return seconds


def main() -> None:
    """Print every row, or do one run."""
    if len(sys.argv) > 1:
        seconds = once(sys.argv[1], int(sys.argv[2]), sys.argv[3])
        print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        return
    from one_head import main as rows_at_2048

    sys.argv = sys.argv[:1]
    rows_at_2048()
    print("\n| shape, tokens | plain s | all s | ÷ plain | plain peak MiB | extra MiB |")
    print("|---|---|---|---|---|---|")
    long_rows("llama", (4096, 16384, 32768))
    long_rows("mistral", (16384,))
    gpu_rows()


if __name__ == "__main__":
    main()
