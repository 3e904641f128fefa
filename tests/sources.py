"""Attention maps given as arrays, as the engine would hand them to observers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from attnviz.attention.axis import Axis
from attnviz.observe.blocks import Observer, RowBlock, Site
from attnviz.observe.stream import stream


class ArraySource:
    """A MapSource over an array (heads, queries, keys) with a mask (queries, keys)."""

    def __init__(self, maps: np.ndarray, allowed: np.ndarray) -> None:
        self.maps = torch.as_tensor(maps, dtype=torch.float32)
        self.mask = torch.as_tensor(allowed)
        self.examples = 1
        self.heads, self.queries, self.keys = self.maps.shape
        self.device = torch.device("cpu")
        self.causal = not bool(self.mask.triu(1).any())
        self.leaks = False
        self.origin = "own tensor"

    def block(self, example: int, heads: Sequence[int], start: int, stop: int) -> RowBlock:
        return RowBlock(self.maps[list(heads), start:stop].clone(), self.mask[start:stop], start)

    def width(self, example: int, start: int, stop: int) -> int:
        return self.keys


def tokens(count: int, **fields: tuple[object, ...]) -> Axis:
    return Axis(labels=tuple(f"t{i}" for i in range(count)), **fields)


def observed(
    maps: np.ndarray,
    observers: Sequence[Observer],
    *,
    allowed: np.ndarray | None = None,
    queries: Axis | None = None,
    keys: Axis | None = None,
    cross: bool = False,
) -> dict[str, np.ndarray]:
    """What the observers keep of the maps (heads, queries, keys) or one (queries, keys)."""
    maps = maps[None] if maps.ndim == 2 else maps
    heads, rows, columns = maps.shape
    mask = np.ones((rows, columns), bool) if allowed is None else allowed
    source = ArraySource(maps, mask)
    site = Site(
        stack="cross" if cross else "self",
        path="layers.0.attention",
        order=0,
        layer=0,
        example=0,
        heads=tuple(range(heads)),
        n_heads=heads,
        queries=queries or tokens(rows),
        keys=keys or (queries if queries and rows == columns else tokens(columns)),
        cross=cross,
        causal=source.causal and not cross,
    )
    return stream(site, source, observers)


def uniform(size: int) -> np.ndarray:
    return np.full((size, size), 1 / size)


def causal_uniform(size: int) -> np.ndarray:
    maps = np.tril(np.ones((size, size)))
    return maps / maps.sum(1, keepdims=True)


def previous(size: int) -> np.ndarray:
    maps = np.eye(size, k=-1)
    maps[0, 0] = 1
    return maps


def to_key(size: int, key: int) -> np.ndarray:
    maps = np.zeros((size, size))
    maps[:, key] = 1
    return maps


def random_maps(heads: int, size: int, seed: int, *, causal: bool = False) -> np.ndarray:
    scores = np.random.default_rng(seed).normal(0, 2, (heads, size, size))
    if causal:
        scores[:, np.triu_indices(size, 1)[0], np.triu_indices(size, 1)[1]] = -np.inf
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


def changed_blocks(
    monkeypatch: pytest.MonkeyPatch, source: type, change: Callable[[RowBlock], dict[str, Tensor]]
) -> None:
    """Every block of this kind of source gets other weights, or another mask."""
    right = source.block

    def block(*given: Any) -> RowBlock:
        found = right(*given)
        return replace(found, **change(found))

    monkeypatch.setattr(source, "block", block)
