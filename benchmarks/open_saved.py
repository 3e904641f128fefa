"""One head out of a saved capture of 1 GB, against the help page.

python benchmarks/open_saved.py
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from side_by_side import commands, machine, table

from attnviz.attention.axis import Axis
from attnviz.attention.capture import AttentionStack, Capture, LayerAttention, ModelFacts

if TYPE_CHECKING:
    from attnviz.attention.store.rounded import StoreDtype

RUN = "import sys; from attnviz.cli.app import run; run(sys.argv[1:])"
PEAK = "; print(*(line for line in open('/proc/self/status') if line.startswith('VmHWM')))"
TOKENS = 1318
SHAPES: dict[StoreDtype, tuple[int, int]] = {"float32": (12, 12), "uint8": (24, 24)}  # 1 GB each
LOOKS = {
    "--head L5H3 --query 0-40": ("--head", "L5H3", "--query", "0-40"),
    "--head L5H3": ("--head", "L5H3"),
    "first look": (),
}


def layer(number: int, heads: int, tokens: Axis) -> LayerAttention:
    """A causal layer with random maps, and the scores that the first look needs."""
    count = len(tokens)
    rng = np.random.default_rng(number)
    allowed = np.tril(np.ones((count, count), bool))
    weights = rng.random((heads, count, count), np.float32) ** 8 * allowed
    weights /= weights.sum(axis=-1, keepdims=True)
    looked = allowed.sum(axis=0)
    scores = ("content", "previous", "next", "self", "first", "special", "punctuation", "sink",
              "normalized_entropy")  # fmt: skip
    kept = {f"score.{name}": rng.random(heads) * 0.4 for name in scores}
    kept["row_sums"] = weights.sum(axis=-1)
    kept["column_means"] = weights.sum(axis=1) / looked
    kept["links"] = np.full((count, 4), np.nan, np.float32)
    return LayerAttention(
        layer=number,
        order=number,
        path=f"h.{number}.attn",
        n_heads=heads,
        heads=tuple(range(heads)),
        queries=tokens,
        keys=tokens,
        causal=True,
        cross=False,
        kept=kept | {"weights": weights},
        allowed=allowed,
    )


def write(path: Path, dtype: StoreDtype) -> None:
    """A capture whose maps take 1 GB in the file."""
    count, heads = SHAPES[dtype]
    tokens = Axis(labels=tuple(f"t{i}" for i in range(TOKENS)))
    layers = {number: layer(number, heads, tokens) for number in range(count)}
    facts = ModelFacts("random", "GPT2LMHeadModel", None, count, heads)
    Capture(facts, {"self": AttentionStack("self", layers)}, text="t").save(path, dtype)


def command(*arguments: str) -> list[str]:
    """An attnviz command line in a fresh interpreter."""
    return [sys.executable, "-c", RUN, *arguments]


def peak(*arguments: str) -> float:
    """The peak resident memory of an attnviz command line, in MiB (Linux)."""
    line = [sys.executable, "-c", RUN + PEAK, *arguments]
    done = subprocess.run(line, check=True, capture_output=True, text=True)
    return int(done.stdout.split()[-2]) / 1024


def main() -> None:
    """Print the tables."""
    print(machine(), "\n")
    for dtype, (layers, heads) in SHAPES.items():
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "run.safetensors"
            write(path, dtype)
            size = path.stat().st_size / 1e9
            looks = {"--help": ("--help",)}
            looks |= {name: ("inspect", str(path), *options) for name, options in LOOKS.items()}
            found = commands({name: command(*args) for name, args in looks.items()}, 7)
            base = found["--help"].median
            title = f"{dtype}, {layers} × {heads} heads, {size:.2f} GB"
            print(table(title, found, "--help"))
            print("\n| | extra s | peak MiB |\n|---|---|---|")
            for name, args in looks.items():
                print(f"| {name} | {found[name].median - base:.3f} | {peak(*args):.0f} |")
            print()


if __name__ == "__main__":
    main()
