"""Whether the arrays of a layer fit it, and each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from attnviz.attention.capture import LayerAttention

INDEXES = ("top_keys", "window_at")
MASKS = ("allowed", "window_allowed")
# h heads, q queries and k keys of the layer; other letters are one size wherever they stand.
SHAPES = {
    "weights": "hqk",
    "pooled": "hrc",
    "pooled_max": "hrc",
    "pooled_cells": "rc",
    "top_keys": "hqt",
    "top_weights": "hqt",
    "window": "hij",
    "window_allowed": "ij",
    "window_at": "2",
    "heavy_keys": "hm2",
    "slashes": "hn2",
    "row_sums": "hq",
    "column_means": "hk",
    "links": "q4",
    "allowed": "qk",
}
# None of them is read without the others.
TOGETHER = (
    {"pooled", "pooled_max", "pooled_cells"},
    {"top_keys", "top_weights"},
    {"window", "window_allowed", "window_at"},
    {"heavy_keys", "slashes", "score.vertical", "score.slash"},
)


def check_arrays(layer: LayerAttention) -> None:
    """Nothing. Raises ValueError for arrays that do not fit the heads and axes of the layer."""
    known = {head for head in layer.heads if head < layer.n_heads}
    if len(known) != len(layer.heads) or not known:
        raise ValueError(f"layer {layer.layer} of {layer.n_heads} heads names {layer.heads}")
    for names in TOGETHER:
        if 0 < len(names & {*layer.kept}) < len(names):
            raise ValueError(f"layer {layer.layer} has not all of {', '.join(sorted(names))}")
    masks = {} if layer.allowed is None else {"allowed": layer.allowed}
    sizes = {"h": len(layer.heads), "q": len(layer.queries), "k": len(layer.keys), "2": 2, "4": 4}
    for name, value in (*layer.kept.items(), *masks.items()):
        letters = "h" if name.startswith("score.") else SHAPES.get(name)
        if letters is None:
            continue
        fits = len(letters) == len(value.shape) and all(
            sizes.setdefault(letter, have) == have
            for letter, have in zip(letters, value.shape, strict=True)
        )
        if not fits:
            raise ValueError(
                f"{name} of layer {layer.layer} has shape {value.shape}, its {sizes['h']} heads, "
                f"{sizes['q']} queries and {sizes['k']} keys say otherwise"
            )
        if value.dtype.kind not in ("iu" if name in INDEXES else "b" if name in MASKS else "f"):
            raise ValueError(f"{name} of layer {layer.layer} holds {value.dtype}")
    _check_places(layer, sizes)


def _check_places(layer: LayerAttention, sizes: Mapping[str, int]) -> None:
    """Nothing. Raises ValueError for bins, or numbers of heads and keys, that do not exist."""
    for letter, most in {"r": "q", "c": "k", "t": "k", "i": "q", "j": "k"}.items():
        if not 0 < sizes.get(letter, 1) <= max(1, sizes[most]):
            raise ValueError(f"layer {layer.layer} has {sizes[letter]} bins for {sizes[most]}")
    kept, places = layer.kept, []
    if "top_keys" in kept:
        places.append(("top_keys", kept["top_keys"][kept["top_keys"] != -1], sizes["k"]))
    if "heavy_keys" in kept:
        places.append(("heavy_keys", _named(kept["heavy_keys"]), sizes["k"]))
        places.append(("slashes", np.abs(_named(kept["slashes"])), max(sizes["q"], sizes["k"])))
    if "links" in kept:
        heads, keys, _, excess = kept["links"].T
        places.append(("heads of links", heads[excess > 0], layer.n_heads))
        places.append(("keys of links", keys[excess > 0], sizes["k"]))
    if "window_at" in kept:
        room = (sizes["q"] - sizes["i"], sizes["k"] - sizes["j"])
        places += [("window_at", kept["window_at"][i], room[i] + 1) for i in (0, 1)]
    for name, values, count in places:
        if not ((values >= 0) & (values < count)).all():
            raise ValueError(f"{name} of layer {layer.layer} name what does not exist")


def _named(pairs: np.ndarray) -> np.ndarray:
    """The names in (…, 2) pairs of a name and a share, of those that have a share."""
    names, shares = np.moveaxis(pairs, -1, 0)
    return np.asarray(names[(shares > 0) & ~np.isnan(names)])
