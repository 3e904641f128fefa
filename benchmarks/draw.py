"""What drawing all heads costs, against a figure with one `imshow` subplot per head.

python benchmarks/draw.py
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
from side_by_side import calls, machine, peak_of, table

from attnviz.attention.axis import Axis
from attnviz.attention.capture import AttentionStack, Capture, LayerAttention, ModelFacts
from attnviz.attention.selection import Selection
from attnviz.render.image.draw import draw
from attnviz.render.image.grid import grid_pixels
from attnviz.render.image.style import ImageStyle
from attnviz.views.appearance import Appearance
from attnviz.views.build import figure

TOKENS = 64


def synthetic(layers: int, heads: int, tokens: int = TOKENS) -> Capture:
    """A causal capture of random maps."""
    generator = np.random.default_rng(0)
    words = Axis(tuple(f"word{i}" for i in range(tokens)))
    allowed = np.tri(tokens, dtype=bool)
    by_layer = {}
    for number in range(layers):
        weights = generator.random((heads, tokens, tokens), np.float32) ** 8 * allowed
        weights /= weights.sum(-1, keepdims=True)
        kept = {"weights": weights, "column_means": weights.mean(1), "row_sums": weights.sum(-1),
                "score.content": generator.random(heads)}  # fmt: skip
        by_layer[number] = LayerAttention(number, number, f"h.{number}", heads, tuple(range(heads)),
                                          words, words, True, False, kept, allowed)  # fmt: skip
    return Capture(ModelFacts("synthetic"), {"self": AttentionStack("self", by_layer)})


def ours(capture: Capture) -> bytes:
    """The grid as attnviz draws it."""
    count = sum(len(layer.heads) for layer in capture.stacks["self"].by_layer.values())
    content = figure(capture, Selection(), Appearance(most=grid_pixels(count)))
    return draw(content, ImageStyle()).to_bytes("png")


def subplots(capture: Capture) -> bytes:
    """The script that everyone writes: a subplot and an `imshow` per head."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    stack = capture.stacks["self"]
    figure, axes = plt.subplots(len(stack.layers), len(stack.heads(0)), figsize=(12, 12), dpi=200)
    for layer, row in zip(stack.layers, axes, strict=True):
        for head, one in enumerate(row):
            one.imshow(stack.weights(layer, head), vmin=0, vmax=1)
            one.set_title(f"L{layer}H{head}", fontsize=6)
            one.set_xticks([])
            one.set_yticks([])
    out = io.BytesIO()
    figure.savefig(out, format="png")
    plt.close(figure)
    return out.getvalue()


def main() -> None:
    """Print the tables; with a size `LxH`, only draw that once (to measure its memory)."""
    if len(sys.argv) > 1:
        ours(synthetic(*map(int, sys.argv[1].split("x"))))
        return
    print(machine(), "\n")
    small, large = synthetic(12, 12), synthetic(80, 64)
    rivals = {"144 imshow subplots": lambda: subplots(small), "attnviz export": lambda: ours(small)}
    print(table("12 × 12 heads, 64 tokens", calls(rivals, 5), "144 imshow subplots"), "\n")
    sizes = {"12 × 12 heads": lambda: ours(small), "80 × 64 heads": lambda: ours(large)}
    print(table("Many heads, 64 tokens", calls(sizes, 3), "12 × 12 heads"), "\n")
    peak = peak_of(str(Path(__file__).resolve()), "80x64") / 2**20
    print(f"Peak memory of the process that draws 80 × 64 heads: {peak:,.0f} MiB")


if __name__ == "__main__":
    main()
