"""Where a value stands on the colour scale, and how the legend says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnviz.views.maps.heatmap import State

if TYPE_CHECKING:
    from attnviz.views.maps.heatmap import Heatmap

DECADES = 3  # the log scale runs over this many below the largest value


def positions(one: Heatmap) -> np.ndarray:
    """Float (rows, columns): the place of every cell on the scale, 0 to 1, NaN for no value.

    Sink columns are off the scale: they stand at their own value.
    """
    known = one.states <= State.ZERO
    values = np.where(known, one.values, np.nan).astype(np.float64)
    place = _place(np.where(one.sinks[None], np.nan, values), one)
    place = np.where(one.sinks[None], values, place)
    return np.asarray(np.clip(place, 0, 1))


def _place(values: np.ndarray, one: Heatmap) -> np.ndarray:
    top = one.vmax or 1.0
    if one.scale == "signed":
        return np.asarray((values / top + 1) / 2)
    if one.scale == "linear":
        return np.asarray(values / top)
    if one.scale == "sqrt":
        return np.asarray(np.sqrt(np.maximum(values, 0) / top))
    if one.scale == "log":
        floor = 10.0**-DECADES
        return np.asarray(1 + np.log10(np.clip(values / top, floor, None)) / DECADES)
    if one.scale == "row":
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


def description(one: Heatmap) -> str:
    """The legend's words for the scale: `0 – 0.73 linear`."""
    top = number(one.vmax)
    if one.scale == "log":
        return f"{number(one.vmax * 10.0**-DECADES)} – {top} log"
    return {
        "linear": f"0 – {top} linear",
        "signed": f"-{top} – {top}",
        "sqrt": f"0 – {top} square root",
        "row": "0 – the largest of each row",
        "rank": f"rank of the cell, values 0 – {top}",
    }[one.scale]


def number(value: float) -> str:
    """A weight with two digits that count: 0.73, 0.0071."""
    if value == 0:
        return "0"
    return f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"
