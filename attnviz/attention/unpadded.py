"""Captures of a batch without what only fills it up, as each text alone would have given."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from attnviz.attention.kept import ALLOWED, look_up, renumbered

if TYPE_CHECKING:
    from attnviz.attention.axis import Axis
    from attnviz.attention.capture import Capture, LayerAttention
    from attnviz.attention.kept import KeptArray


def unpadded(capture: Capture) -> Capture:
    """The capture with only the positions that are not padding; itself where there is none."""
    stacks = {
        name: replace(stack, by_layer={n: cropped(one) for n, one in stack.by_layer.items()})
        for name, stack in capture.stacks.items()
    }
    return replace(capture, stacks=stacks)


def cropped(layer: LayerAttention) -> LayerAttention:
    """The layer without padding. Positions that arrays name are counted anew."""
    if not any(layer.queries.padding) and not any(layer.keys.padding):
        return layer
    real = {"query": positions(layer.queries), "key": positions(layer.keys)}
    new = {"query": new_numbers(layer.queries), "key": new_numbers(layer.keys)}

    def cut(values: np.ndarray, array: KeptArray) -> np.ndarray:
        """One array without padding, in memory of its own."""
        part = np.asarray(values)[tuple(real.get(axis, slice(None)) for axis in array.axes)]
        return renumbered(part, array, new)

    return replace(
        layer,
        queries=layer.queries.take(range(len(layer.queries))[real["query"]]),
        keys=layer.keys.take(range(len(layer.keys))[real["key"]]),
        kept={name: cut(values, look_up(name)) for name, values in layer.kept.items()},
        allowed=None if layer.allowed is None else cut(layer.allowed, ALLOWED),
    )


def positions(axis: Axis) -> slice:
    """Where the positions are that are not padding: they follow each other."""
    return slice(axis.first, axis.first + axis.real)


def new_numbers(axis: Axis) -> np.ndarray:
    """Int (positions,): the number of each among those that are not padding, −1 for padding."""
    numbers = np.arange(len(axis)) - axis.first
    return np.where(numbers < axis.real, numbers, -1).clip(-1)
