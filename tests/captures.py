"""Small captures from closed-form maps, for tests that need no model."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors
from safetensors.numpy import load_file, save_file

from attnviz.attention.axis import Axis
from attnviz.attention.capture import (
    AttentionStack,
    Capture,
    Check,
    LayerAttention,
    ModelFacts,
    Prediction,
)
from attnviz.attention.store.description import KEY
from attnviz.attention.store.seal import seal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

WORDS = ["[CLS]", "the", "cat", "sat", "on", "mat", ".", "[SEP]"]
SCORES = ("content", "previous", "next", "self", "first", "special", "punctuation", "sink",
          "normalized_entropy")  # fmt: skip


def axis(labels: Sequence[str] = WORDS, **fields: object) -> Axis:
    """An axis whose bracketed labels are special tokens."""
    special = tuple(label.startswith("[") and label.endswith("]") for label in labels)
    words = tuple(None if one else i for i, one in enumerate(special))
    values = {"special": special, "words": words, "ids": tuple(range(len(labels)))} | fields
    return Axis(labels=tuple(labels), **values)  # type: ignore[arg-type]


def normalized(values: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Rows that sum to 1 over the allowed keys."""
    kept = np.where(allowed, values, 0)
    return (kept / kept.sum(axis=-1, keepdims=True)).astype(np.float32)


def shapes(queries: int, keys: int) -> np.ndarray:
    """Four maps (4, queries, keys): previous token, uniform, the first key, one key per query."""
    i, j = np.arange(queries)[:, None], np.arange(keys)[None]
    previous = np.where(j == np.maximum(i - 1, 0), 1.0, 1e-3)
    uniform = np.ones((queries, keys))
    first = np.where(j == 0, 1.0, 0.01) + 0 * i
    pointed = np.where(j == (3 * i + 2) % keys, 1.0, 0.05)
    return np.stack([previous, uniform, first, pointed])


def layer(
    number: int,
    queries: Axis,
    keys: Axis,
    weights: np.ndarray | None = None,
    *,
    causal: bool = False,
    cross: bool = False,
    whole: bool = True,
    scores: Mapping[str, Sequence[float]] | None = None,
) -> LayerAttention:
    """A layer with these maps (or four of `shapes`), its scores computed the plain way."""
    size = len(queries), len(keys)
    allowed = np.tril(np.ones(size, bool)) if causal else np.ones(size, bool)
    allowed = allowed & ~np.array(keys.padding, bool)[None]
    if weights is None:
        weights = normalized(np.roll(shapes(*size), number, axis=0), allowed)
    heads = weights.shape[0]
    kept: dict[str, np.ndarray] = {"row_sums": weights.sum(axis=-1)}
    kept["column_means"] = column_means(weights, queries, allowed)
    found = plain_scores(weights, queries, keys) | dict(scores or {})
    kept |= {f"score.{name}": np.array(values, float) for name, values in found.items()}
    kept["links"] = links(weights)
    if whole:
        kept["weights"] = weights
    else:
        kept |= heaviest(weights) | pooled(weights, 4, allowed)
    return LayerAttention(
        layer=number,
        order=number,
        path=f"encoder.layer.{number}.attention",
        n_heads=heads,
        heads=tuple(range(heads)),
        queries=queries,
        keys=keys,
        causal=causal,
        cross=cross,
        kept=kept,
        allowed=allowed if whole else None,
    )


def column_means(weights: np.ndarray, queries: Axis, allowed: np.ndarray) -> np.ndarray:
    """(heads, keys), NaN for keys that fewer than half of the counted queries may look at."""
    counted = ~np.array(queries.special, bool) & ~np.array(queries.padding, bool)
    looked = allowed[counted].sum(axis=0)
    means = weights[:, counted].sum(axis=1) / np.maximum(looked, 1)
    means[:, looked < counted.sum() / 2] = np.nan
    return means


def plain_scores(weights: np.ndarray, queries: Axis, keys: Axis) -> dict[str, np.ndarray]:
    """Means over all queries: enough to name heads and to choose one."""
    special, punctuation = np.array(keys.special, bool), np.array(keys.punctuation, bool)
    size = max(weights.shape[1:])
    eye = {name: np.eye(size, k=k, dtype=bool)[: weights.shape[1], : weights.shape[2]]
           for name, k in (("previous", -1), ("next", 1), ("self", 0))}  # fmt: skip
    out = {name: (weights * mask).sum(axis=(1, 2)) / weights.shape[1] for name, mask in eye.items()}
    out["first"] = weights[:, :, 0].mean(axis=1)
    out["special"] = weights[:, :, special].sum(axis=2).mean(axis=1)
    out["punctuation"] = weights[:, :, punctuation].sum(axis=2).mean(axis=1)
    out["sink"] = weights.mean(axis=1).max(axis=1)
    excess = np.maximum(0, weights - weights.mean(axis=1, keepdims=True) - 0.2)
    out["content"] = np.where(out["previous"] > 0.5, 0, excess.sum(axis=2).mean(axis=1))
    logs = np.log(np.where(weights > 0, weights, 1))
    out["normalized_entropy"] = -(weights * logs).sum(axis=2).mean(axis=1) / np.log(max(2, size))
    return out


def links(weights: np.ndarray) -> np.ndarray:
    """(queries, 4): the head and key of the largest weight of each query; none for the first."""
    heads, queries, keys = weights.shape
    flat = weights.transpose(1, 0, 2).reshape(queries, heads * keys)
    best = flat.argmax(axis=1)
    found = np.stack([best // keys, best % keys, flat.max(axis=1), flat.max(axis=1)], axis=1)
    found[0] = np.nan
    return found


def heaviest(weights: np.ndarray, count: int = 4) -> dict[str, np.ndarray]:
    """The `count` heaviest keys of every query."""
    order = np.argsort(-weights, axis=-1, kind="stable")[..., :count]
    return {"top_keys": order, "top_weights": np.take_along_axis(weights, order, axis=-1)}


def pooled(weights: np.ndarray, bins: int, allowed: np.ndarray) -> dict[str, np.ndarray]:
    """The maps in (bins, bins) cells by mass and by maximum, and the counts of allowed cells."""
    heads, queries, keys = weights.shape
    rows, columns = np.arange(queries) * bins // queries, np.arange(keys) * bins // keys
    mass, most = np.zeros((2, heads, bins, bins), np.float32)
    cells = np.zeros((bins, bins), np.float32)
    for i in range(queries):
        for j in range(keys):
            at = rows[i], columns[j]
            mass[:, *at] += weights[:, i, j]
            most[:, *at] = np.maximum(most[:, *at], weights[:, i, j])
            cells[at] += allowed[i, j]
    mass /= np.bincount(rows)[None, :, None]
    return {"pooled": mass, "pooled_max": most, "pooled_cells": cells}


FACTS = ModelFacts("tiny-bert", "BertModel", None, 3, 4, 22_713_216, "float32", "cpu")


def capture(labels: Sequence[str] = WORDS, layers: int = 3, **options: bool) -> Capture:
    """A single-stack capture of these tokens."""
    tokens = axis(labels)
    by_layer = {n: layer(n, tokens, tokens, **options) for n in range(layers)}  # type: ignore[arg-type]
    return Capture(
        model=FACTS,
        stacks={"self": AttentionStack("self", by_layer)},
        text=" ".join(labels),
        prediction=Prediction("sentiment", (("", (("good", 0.9), ("bad", 0.1))),)),
        checks=(Check("row sums", ok=True),),
    )


def long_capture() -> Capture:
    """One layer as it is kept of a long text: pooled maps, top keys, a window, heavy keys."""
    words = axis()
    one = layer(0, words, words, whole=False)
    whole = layer(0, words, words)
    kept = dict(one.kept) | {
        "window": whole.kept["weights"][:, 2:5, 5:8].copy(),
        "window_allowed": np.ones((3, 3), bool),
        "window_at": np.array([2, 5]),
        "heavy_keys": np.tile(np.array([[2, 0.5], [0, 0.25]], np.float32), (4, 1, 1)),
        "slashes": np.tile(np.array([[1, 0.5], [0, 0.25]], np.float32), (4, 1, 1)),
        "score.vertical": np.full(4, 0.5),
        "score.slash": np.full(4, 0.5),
    }
    stack = AttentionStack("self", {0: replace(one, kept=kept)})
    return Capture(FACTS, {"self": stack}, text=" ".join(WORDS))


def translation() -> Capture:
    """An encoder-decoder capture with three stacks."""
    source = axis(["The", "▁house", "▁is", "▁wonder", "ful", "."], words=(0, 1, 2, 3, 3, 4))
    target = axis(["Das", "▁Haus", "▁ist", "▁wunderbar", "."])
    stacks = {
        "encoder": {n: layer(n, source, source) for n in range(2)},
        "decoder": {n: layer(n, target, target, causal=True) for n in range(2)},
        "cross": {n: layer(n, target, source, cross=True) for n in range(2)},
    }
    return Capture(
        model=ModelFacts("marian", "MarianMTModel", "0123456789abcdef", 2, 4, 1000),
        stacks={name: AttentionStack(name, found) for name, found in stacks.items()},
        text="The house is wonderful.",
        target="Das Haus ist wunderbar.",
    )


def description(path: Path) -> dict[str, Any]:
    """What a saved capture says of its arrays, without its seal."""
    with safetensors.safe_open(str(path), framework="np") as file:
        found: dict[str, Any] = json.loads(file.metadata()[KEY])
        del found["seal"]
        return found


def resealed(path: Path, found: Any, arrays: Mapping[str, np.ndarray] | None = None) -> None:
    """Write a description with the seal it takes, and arrays (those there) as they are."""
    if isinstance(found, dict) and "seal" not in found:
        found = {**found, "seal": seal(json.dumps(found).encode())}
    text = found if isinstance(found, str) else json.dumps(found)
    save_file(dict(load_file(path) if arrays is None else arrays), path, metadata={KEY: text})
