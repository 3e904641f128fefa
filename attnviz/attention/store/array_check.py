"""Whether the arrays of a layer fit it, and each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnviz.attention.kept import ALLOWED, SIDE_OF, UNKNOWN, grouped, look_up

if TYPE_CHECKING:
    from attnviz.attention.capture import LayerAttention
    from attnviz.attention.kept import KeptArray


def check_arrays(layer: LayerAttention) -> None:
    """Raise ValueError where arrays do not fit the heads and axes of the layer, or each other."""
    known = {head for head in layer.heads if head < layer.n_heads}
    if len(known) != len(layer.heads) or not known:
        raise ValueError(f"layer {layer.layer} of {layer.n_heads} heads names {layer.heads}")
    for group in grouped().values():
        names = {array.name for array in group}
        if 0 < len(names & {*layer.kept}) < len(names):
            raise ValueError(f"layer {layer.layer} has not all of {', '.join(sorted(names))}")
    arrays = [(name, look_up(name), values) for name, values in layer.kept.items()]
    if layer.allowed is not None:
        arrays.append(("allowed", ALLOWED, layer.allowed))
    sizes = {"head": len(layer.heads), "query": len(layer.queries), "key": len(layer.keys)}
    for name, array, values in arrays:
        if array is not UNKNOWN:
            _check_form(f"{name} of layer {layer.layer}", array, values, sizes)
    for axis, side in SIDE_OF.items():
        if axis != side and not 0 < sizes.get(axis, 1) <= max(1, sizes[side]):
            raise ValueError(f"layer {layer.layer} has {sizes[axis]} bins for {sizes[side]}")
    for name, array, values in arrays:
        _check_numbers(f"{name} of layer {layer.layer}", array, values, layer)
    _check_window(layer)


def _check_form(what: str, array: KeptArray, values: np.ndarray, sizes: dict[str, int]) -> None:
    """Raise ValueError for another shape or dtype; axes that are met first add their sizes."""
    fits = len(array.shape) == len(values.shape) and all(
        have == (sizes.setdefault(axis, have) if isinstance(axis, str) else axis)
        for axis, have in zip(array.shape, values.shape, strict=True)
    )
    if not fits:
        raise ValueError(
            f"{what} has shape {values.shape}, its {sizes['head']} heads, "
            f"{sizes['query']} queries and {sizes['key']} keys say otherwise"
        )
    if values.dtype.kind not in array.kinds:
        raise ValueError(f"{what} holds {values.dtype}")


def _check_numbers(what: str, array: KeptArray, values: np.ndarray, layer: LayerAttention) -> None:
    """Raise ValueError where the array names heads, queries, keys or diagonals that are not."""
    queries, keys = len(layer.queries), len(layer.keys)
    limits = {
        "head": layer.n_heads,
        "query": queries,
        "key": keys,
        "diagonal": max(queries, keys),
    }
    for index, held in array.numbers():
        numbers = values[index][array.present(values)]
        size = np.abs(numbers) if held == "diagonal" else numbers
        if not ((size >= 0) & (size < limits[held])).all():
            raise ValueError(f"{what} names a {held} that does not exist")


def _check_window(layer: LayerAttention) -> None:
    """Raise ValueError for a window that reaches beyond the map."""
    if "window_at" not in layer.kept:
        return
    ends = layer.kept["window_at"] + layer.kept["window_allowed"].shape
    if (ends > (len(layer.queries), len(layer.keys))).any():
        raise ValueError(f"window_at of layer {layer.layer} names a window beyond the map")
