"""Maps as colours: values on the colour map, sink columns in grey, special cells flat."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, LogNorm, Normalize, PowerNorm, to_rgba

from attnviz.views.maps.scales import DECADES, positions

if TYPE_CHECKING:
    from attnviz.render.image.style import ImageStyle
    from attnviz.views.maps.heatmap import Heatmap

STEPS = 256


class Paint:
    """The colours of a style, ready to be looked up."""

    def __init__(self, style: ImageStyle) -> None:
        self.values, self.sinks = shades(style.colormap), shades(style.sink_colormap)
        self.signed = shades(style.diverging)
        self.states = {state: as_bytes(colour) for state, colour in style.theme.states.items()}

    def __call__(self, heatmap: Heatmap) -> np.ndarray:
        """The colours of a map's cells, uint8 (rows, columns, 4)."""
        place = np.nan_to_num(positions(heatmap))
        steps = np.rint(place * (STEPS - 1)).astype(np.uint8)
        out = (self.signed if heatmap.scale == "signed" else self.values)[steps]
        if heatmap.sinks.any():
            out[:, heatmap.sinks] = self.sinks[steps[:, heatmap.sinks]]
        for state, colour in self.states.items():
            out[heatmap.states == state] = colour
        return np.asarray(out)


def shades(colormap: Colormap) -> np.ndarray:
    """The colour map as uint8 (steps, 4)."""
    return np.asarray(colormap(np.linspace(0, 1, STEPS), bytes=True))


def as_bytes(colour: str) -> np.ndarray:
    """A colour as uint8 (4,)."""
    return np.asarray(np.rint(np.array(to_rgba(colour)) * 255).astype(np.uint8))


def scale_of(heatmap: Heatmap, style: ImageStyle) -> ScalarMappable:
    """From values to colours, for the colour bar; `row` and `rank` run from 0 to 1."""
    top = heatmap.vmax or 1.0
    norm = Normalize(0, 1 if heatmap.scale in ("row", "rank") else top)
    if heatmap.scale == "signed":
        return ScalarMappable(Normalize(-top, top), style.diverging)
    if heatmap.scale == "sqrt":
        norm = PowerNorm(0.5, 0, top)
    elif heatmap.scale == "log":
        norm = LogNorm(top * 10.0**-DECADES, top)
    return ScalarMappable(norm, style.colormap)
