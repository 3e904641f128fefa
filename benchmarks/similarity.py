"""Distances between all heads, against a plain loop over the pairs.

python benchmarks/similarity.py            prints the tables
python benchmarks/similarity.py maps|attnviz|plain|many maps|many      one run, for its peak memory
"""

from __future__ import annotations

import sys
import time

import numpy as np
from side_by_side import calls, machine, peak_of, table

from attnviz.analysis.distances import head_distances
from attnviz.analysis.groups import grouped, layout

LAYERS, HEADS, TOKENS = 12, 12, 512
MANY_LAYERS, MANY_HEADS, FEW_TOKENS = 80, 64, 128


def causal_maps(layers: int, heads: int, tokens: int) -> list[np.ndarray]:
    """Peaked random maps, one array (heads, queries, keys) for each layer."""
    rng = np.random.default_rng(0)
    later = np.triu(np.ones((tokens, tokens), bool), 1)
    out = []
    for _ in range(layers):
        maps = rng.standard_normal((heads, tokens, tokens), np.float32)
        maps *= 3
        maps[:, later] = -np.inf
        np.exp(maps, out=maps)
        maps /= maps.sum(axis=-1, keepdims=True)
        out.append(maps)
    return out


def ours(maps: list[np.ndarray]) -> np.ndarray:
    """All distances, without the first row."""
    counted = np.arange(maps[0].shape[1]) > 0
    return head_distances(maps, counted, causal=True)


def plain(maps: list[np.ndarray]) -> np.ndarray:
    """The same from the definition, with whole-map operations for one pair after the other."""
    heads = [one[1:] for layer in maps for one in layer]
    out = np.zeros((len(heads), len(heads)))
    for i, one in enumerate(heads):
        for j in range(i):
            middle = (one + heads[j]) / 2
            total = divergence(one, middle) + divergence(heads[j], middle)
            out[i, j] = out[j, i] = total / (2 * np.log(2) * len(one))
    return out


def divergence(p: np.ndarray, q: np.ndarray) -> float:
    """Σ p ln(p / q), where p is not 0."""
    ratio = np.divide(p, q, out=np.ones_like(p), where=p > 0)
    return float((p * np.log(ratio)).sum())


def many(maps: list[np.ndarray]) -> None:
    """Every step for many heads, with the seconds each takes."""
    told: list[float] = []
    start = time.perf_counter()
    counted = np.arange(FEW_TOKENS) > 0
    distances = head_distances(maps, counted, told.append, causal=True)
    seconds = {f"head_distances, {len(told)} calls of progress": time.perf_counter() - start}
    start = time.perf_counter()
    grouped(distances, count=20)
    seconds["grouped"] = time.perf_counter() - start
    start = time.perf_counter()
    layout(np.sqrt(distances))
    seconds["layout"] = time.perf_counter() - start
    for name, value in seconds.items():
        print(f"| {name} | {value:.1f} |")


def alone(name: str) -> None:
    """One run."""
    if name.startswith("many"):
        maps = causal_maps(MANY_LAYERS, MANY_HEADS, FEW_TOKENS)
        if name == "many":
            many(maps)
        return
    maps = causal_maps(LAYERS, HEADS, TOKENS)
    if name != "maps":
        {"attnviz": ours, "plain": plain}[name](maps)


def main() -> None:
    """Print the tables, or do one run."""
    if len(sys.argv) > 1:
        alone(sys.argv[1])
        return
    print(machine(), "\n")
    maps = causal_maps(LAYERS, HEADS, TOKENS)
    print(f"largest difference: {np.abs(ours(maps) - plain(maps)).max():.1e}\n")
    found = calls({"plain": lambda: plain(maps), "attnviz": lambda: ours(maps)}, 3)
    print(table(f"{LAYERS * HEADS} heads, {TOKENS} tokens, causal", found, "plain"), "\n")
    print(f"{MANY_LAYERS * MANY_HEADS} heads, {FEW_TOKENS} tokens, causal\n")
    print("| | s |\n|---|---|")
    alone("many")
    print("\n| | peak MiB |\n|---|---|")
    for name in ("maps", "attnviz", "plain", "many maps", "many"):
        print(f"| {name} | {peak_of(__file__, name) / 2**20:.0f} |", flush=True)


if __name__ == "__main__":
    main()
