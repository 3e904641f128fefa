"""One score of every head as a coloured matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnviz.render.image import bar
from attnviz.render.image.page import Box
from attnviz.render.image.plate import Plate
from attnviz.render.image.registry import IMAGE
from attnviz.render.image.style import LINE, POINTS
from attnviz.render.text.colour import luminance
from attnviz.views.heads.score_matrix import HeadMatrix
from attnviz.views.maps.heatmap import State

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from attnviz.attention.capture import ModelFacts
    from attnviz.render.image.page import Page
    from attnviz.render.image.pen import Pen
    from attnviz.views.maps.heatmap import Heatmap

SIDE, MOST, LEAST, WRITTEN = 9.0, 0.42, 0.09, 0.27  # inches: matrix, cells, cells with figures
PAD = 0.05


class MatrixBody:
    """The matrix laid out in natural size, or in `room` (inches)."""

    def __init__(self, view: HeadMatrix, pen: Pen, room: tuple[float, float] | None) -> None:
        self.view, self.pen = view, pen
        self.maps: list[Heatmap] = []
        rows, columns = view.values.shape
        self.left = pen.widest([f"L{layer}" for layer in view.layers]) + PAD
        self.top = LINE + PAD
        if room is None:
            self.cell = min(MOST, max(LEAST, SIDE / max(rows, columns)))
        else:
            self.cell = min(
                (room[0] - self.left - bar.TOTAL) / columns, (room[1] - self.top) / rows
            )
        self.width = self.left + columns * self.cell + bar.TOTAL
        self.height = self.top + max(rows * self.cell, 0.8)

    def draw(self, page: Page, left: float, top: float) -> None:
        """Draw the matrix, its labels, figures where they have room, and the colour bar."""
        view, style = self.view, self.pen.style
        rows, columns = view.values.shape
        box = Box(left + self.left, top + self.top, columns * self.cell, rows * self.cell)
        axes = page.axes(box)
        shown = np.ma.masked_invalid(view.values)
        low, high = limits(view.values)
        colours = style.diverging if low < 0 < high else style.colormap
        colours = colours.with_extremes(bad=style.theme.states[State.MASKED])
        image = axes.imshow(shown, cmap=colours, vmin=low, vmax=high,
                            interpolation="nearest", aspect="auto")  # fmt: skip
        axes.xaxis.tick_top()
        font, ink = self.pen.font(POINTS), style.theme.ink
        wide = self.pen.widest([f"H{head}" for head in view.heads]) + PAD
        for axis, letter, numbers, room in ((axes.yaxis, "L", view.layers, LINE),
                                            (axes.xaxis, "H", view.heads, wide)):  # fmt: skip
            ticks = range(0, len(numbers), max(1, -int(-room // self.cell)))
            axis.set_ticks(ticks, [f"{letter}{numbers[i]}" for i in ticks],
                           fontproperties=font, color=ink)  # fmt: skip
        if self.cell >= WRITTEN:
            for row, column in np.argwhere(~np.isnan(view.values)):
                value = view.values[row, column]
                red, green, blue, _ = image.to_rgba(value, bytes=True)
                dark = luminance((red, green, blue)) > 0.5
                axes.text(column, row, f"{value:.2f}".removeprefix("0"), ha="center", va="center",
                          color="black" if dark else "white",
                          fontproperties=self.pen.font(POINTS - 1))  # fmt: skip
        if not np.isnan(view.values).all():
            side = Box(box.left, box.top, box.width, max(box.height, 0.8))
            bar.draw_bar(page, image, view.score.replace("_", " "), box.left + box.width, side)


def limits(values: np.ndarray) -> tuple[float, float]:
    """The ends of the colour scale of values (float, NaN for none): they hold 0, for both signs
    in the middle.
    """
    low, high = (float(f(values, initial=0)) for f in (np.nanmin, np.nanmax))
    if low < 0 < high:
        most = max(-low, high)
        return -most, most
    return low, high if low < high else 1.0


@IMAGE.draws(HeadMatrix)
class HeadMatrixPlate(Plate):
    """One score of every head."""

    view: HeadMatrix

    @property
    def subject(self) -> str:
        """`content of every head`."""
        return f"{self.view.score.replace('_', ' ')} of {scored(self.view, self.model)}"

    def details(self, shown: Sequence[Heatmap]) -> Iterator[str]:
        """What cells without a value are."""
        missing = np.isnan(self.view.values)
        if missing.all():
            yield "no head has this score here"
        elif missing.any():
            yield "pale = no value"

    def body(self, pen: Pen, room: tuple[float, float] | None) -> MatrixBody:
        """The matrix with its figures."""
        return MatrixBody(self.view, pen, room)


def scored(view: HeadMatrix, model: ModelFacts) -> str:
    """The heads of a matrix: `every head`, `L3H2` or `layer 3, 2 heads`."""
    layers, heads = view.layers, view.heads
    if (len(layers), len(heads)) == (1, 1):
        return f"L{layers[0]}H{heads[0]}"
    known = ~np.isnan(view.values)
    full = known.all() or not known.any()
    if full and (len(layers), len(heads)) == (model.layers, model.heads):
        return "every head"
    count = int(known.sum()) or known.size
    return f"{f'layer {layers[0]}, ' if len(layers) == 1 else ''}{count:,} heads"
