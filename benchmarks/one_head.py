"""One head of one layer at 2,048 tokens, against a plain SDPA forward of the same model.

python benchmarks/one_head.py            prints the table
python benchmarks/one_head.py plain|one|scored|all|eager      one run, for its peak memory
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING
from unittest.mock import patch

import torch
from side_by_side import Figures, calls, machine, peak_of, table
from transformers import GPT2Config, GPT2LMHeadModel

import attnviz
from attnviz.runs import plan

if TYPE_CHECKING:
    from collections.abc import Callable

TOKENS, LAYERS, HEADS, WIDTH = 2048, 12, 12, 768
MEMORY = "112MiB"  # pooled maps of 256 × 256, by mass and by maximum, and top keys


def model(implementation: str = "sdpa") -> GPT2LMHeadModel:
    """A GPT-2 of 12 × 12 heads with random weights."""
    torch.manual_seed(0)
    config = GPT2Config(n_positions=TOKENS, n_layer=LAYERS, n_head=HEADS, n_embd=WIDTH)
    config._attn_implementation = implementation
    return GPT2LMHeadModel(config).eval()


def ways(names: tuple[str, ...]) -> dict[str, Callable[[], object]]:
    """The rivals: the forward alone, observed in one head, in all (without top keys, and
    with), and eager with all maps."""
    ids = torch.randint(0, 50257, (1, TOKENS), generator=torch.Generator().manual_seed(0))
    sdpa = model()
    eager = model("eager") if "eager" in names else None

    def plain() -> object:
        with torch.no_grad():
            return sdpa(ids, use_cache=False)

    def maps() -> object:
        assert eager is not None
        with torch.no_grad():
            return eager(ids, use_cache=False, output_attentions=True)

    def scored() -> object:
        with patch.object(plan, "TOP_KEYS", (0, 0)):
            return attnviz.capture(sdpa, tensors, memory=MEMORY)

    tensors = {"input_ids": ids, "use_cache": False}
    every = {
        "plain": plain,
        "one": lambda: attnviz.capture(sdpa, tensors, layers=[6], heads=[3]),
        "scored": scored,
        "all": lambda: attnviz.capture(sdpa, tensors, memory=MEMORY),
        "eager": maps,
    }
    return {name: every[name] for name in names}


def measured() -> tuple[dict[str, Figures], dict[str, int]]:
    """The times, and the peak memory in bytes, of every way; prints them as tables."""
    names = ("plain", "one", "scored", "all", "eager")
    found = calls(ways(names), 9)
    print(table("GPT-2 12 × 12, 2,048 tokens", found, "plain"), "\n")
    peaks = {name: min(peak_of(__file__, name) for _ in range(3)) for name in names}
    print("| | peak MiB | ÷ plain |\n|---|---|---|")
    for name, peak in peaks.items():
        print(f"| {name} | {peak / 2**20:.0f} | {peak / peaks['plain']:.2f} |")
    return found, peaks


def main() -> None:
    """Print the tables, or do one run."""
    if len(sys.argv) > 1:
        ways((sys.argv[1],))[sys.argv[1]]()
        return
    print(machine(), "\n")
    measured()


if __name__ == "__main__":
    main()
