"""Long inputs: time and memory beyond a plain SDPA forward, on random weights.

python benchmarks/long.py                            prints every row; those of a GPU where one is
python benchmarks/long.py SHAPE TOKENS plain|all     one run, for its seconds and peak memory

The tables of `one_head.py` and `page.py` are part of it. The last table sums up.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import torch
from side_by_side import machine, run_of
from transformers import LlamaConfig, LlamaModel, MistralConfig, MistralModel

import attnviz

if TYPE_CHECKING:
    from collections.abc import Callable

    from side_by_side import Figures

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


def long_rows(shape: str, lengths: tuple[int, ...]) -> dict[int, float]:
    """A row per length: seconds and peak memory, plain and observed. Gives back the MiB between."""
    extra = {}
    for tokens in lengths:
        runs = {way: run_of(__file__, shape, str(tokens), way) for way in ("plain", "all")}
        (plain, least), (observed, most) = ((took[0], peak / 2**20) for took, peak in runs.values())
        extra[tokens] = most - least
        print(f"| {shape}, {tokens:,} | {plain:.1f} | {observed:.1f} | {observed / plain:.2f} "
              f"| {least:.0f} | {most - least:.0f} |", flush=True)  # fmt: skip
    return extra


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


def summary(
    times: dict[str, Figures], peaks: dict[str, int], extra: dict[int, float]
) -> list[tuple[str, float, str, str]]:
    """What was measured, with what must be reached and what is aimed at."""
    plain, one, scored, eager = (times[name].median for name in ("plain", "one", "scored", "eager"))
    memory = (peaks["scored"] - peaks["plain"]) / (peaks["eager"] - peaks["plain"])
    growth = extra[16384] / max(1, extra[4096])
    return [
        ("2,048 tokens: one head, time ÷ plain", one / plain, "1.10", "1.03"),
        ("2,048 tokens: all heads, time ÷ plain", scored / plain, "1.7", "1.4"),
        ("the same, extra memory ÷ that of eager", memory, "0.125", "0.033"),
        ("the same, time ÷ eager", scored / eager, "0.6", "0.5"),
        ("growth of extra memory, 4,096 to 16,384 tokens", growth, "4.5", "4"),
        ("32,768 tokens: extra memory in GiB", extra[32768] / 1024, "6", "3"),
    ]


def main() -> None:
    """Print every row, or do one run."""
    if len(sys.argv) > 1:
        print(once(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
        return
    import one_head
    import page

    print(machine(), "\n")
    times, peaks = one_head.measured()
    print("\n| shape, tokens | plain s | all s | ÷ plain | plain peak MiB | extra MiB |")
    print("|---|---|---|---|---|---|")
    extra = long_rows("llama", (4096, 8192, 16384, 32768))
    long_rows("mistral", (8192, 16384))
    gpu_rows()
    page.measured()
    print("\n| | measured | must | aim |\n|---|---|---|---|")
    for work, value, must, aim in summary(times, peaks, extra):
        print(f"| {work} | {value:.3f} | {must} | {aim} |")


if __name__ == "__main__":
    main()
