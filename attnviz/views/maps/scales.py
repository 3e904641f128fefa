"""Where a value stands on the colour scale, and how the legend says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnviz.views.maps.heatmap import State

if TYPE_CHECKING:
    from attnviz.views.maps.heatmap import Heatmap

DECADES = 3  # the log scale runs over this many below the largest value


def positions(heatmap: Heatmap) -> np.ndarray:
    """Float (rows, columns): the place of every cell on the scale, 0 to 1, NaN for no value.

    Sink columns are off the scale: they stand at their own value.
    """
    known = heatmap.states <= State.ZERO
    values = np.where(known, heatmap.values, np.nan).astype(np.float64)
    place = _place(np.where(heatmap.sinks[None], np.nan, values), heatmap)
    place = np.where(heatmap.sinks[None], values, place)
    return np.asarray(np.clip(place, 0, 1))


def _place(values: np.ndarray, heatmap: Heatmap) -> np.ndarray:
    top = heatmap.vmax or 1.0
    if heatmap.scale == "signed":
        return np.asarray((values / top + 1) / 2)
    if heatmap.scale == "linear":
        return np.asarray(values / top)
    if heatmap.scale == "sqrt":
        return np.asarray(np.sqrt(np.maximum(values, 0) / top))
    if heatmap.scale == "log":
        floor = 10.0**-DECADES
        return np.asarray(1 + np.log10(np.clip(values / top, floor, None)) / DECADES)
    if heatmap.scale == "row":
        filled = np.where(np.isnan(values), 0, values)
        best = filled.max(axis=1, keepdims=True, initial=0)
        return np.asarray(values / np.where(best > 0, best, 1))
    return ranks(values)


def ranks(values: np.ndarray) -> np.ndarray:
    """The rank of every value among all, 0 to 1; equal values share the lower rank."""
    flat = values.ravel()
    known = ~np.isnan(flat)
    out = np.full(flat.shape, np.nan)
    if known.any():
        ordered = np.sort(flat[known])
        out[known] = np.searchsorted(ordered, flat[known]) / max(1, known.sum() - 1)
    return out.reshape(values.shape)


def description(heatmap: Heatmap) -> str:
    """The legend's words for the scale: `0 – 0.73 linear`."""
    top = number(heatmap.vmax)
    if heatmap.scale == "log":
        return f"{number(heatmap.vmax * 10.0**-DECADES)} – {top} log"
    return {
        "linear": f"0 – {top} linear",
        "signed": f"-{top} – {top}",
        "sqrt": f"0 – {top} square root",
        "row": "0 – the largest of each row",
        "rank": f"rank of the cell, values 0 – {top}",
    }[heatmap.scale]


def number(value: float) -> str:
    """A weight with two digits that count: 0.73, 0.0071."""
    if value == 0:
        return "0"
    return f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"
