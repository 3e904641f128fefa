"""The colour bar of an image."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from attnviz.render.image.page import Box
from attnviz.render.image.style import POINTS
from attnviz.views.maps.scales import number

if TYPE_CHECKING:
    from matplotlib.cm import ScalarMappable

    from attnviz.render.image.page import Page
    from attnviz.views.maps.heatmap import Heatmap

GAP, WIDTH, LABELS = 0.14, 0.11, 0.62  # inches; labels include the rotated name
TOTAL = GAP + WIDTH + LABELS
TALLEST = 3.5


def draw_bar(page: Page, shown: ScalarMappable, name: str, left: float, box: Box) -> None:
    """Draws the bar beside `box`, with ticks and the rotated name of what it measures."""
    theme, height = page.pen.style.theme, min(box.height, TALLEST)
    axes = page.axes(Box(left + GAP, box.top, WIDTH, height))
    bar = page.figure.colorbar(shown, cax=axes)
    bar.outline.set_visible(False)
    bar.ax.minorticks_off()
    low, high = bar.ax.get_ylim()
    ticks = [tick for tick in bar.get_ticks() if low <= tick <= high]
    bar.set_ticks(ticks, labels=[tick_label(tick) for tick in ticks])
    bar.ax.tick_params(length=2, pad=2, color=theme.faint, labelcolor=theme.ink)
    for label in bar.ax.get_yticklabels():
        label.set_fontproperties(page.pen.font(POINTS))
    if page.pen.width(name) <= height:
        bar.set_label(name, fontproperties=page.pen.font(POINTS), color=theme.faint, labelpad=3)


def tick_label(tick: float) -> str:
    """The tick with two digits that count, or in full where those would be another value."""
    short = ("-" if tick < 0 else "") + number(abs(tick))
    exact = abs(tick) < 10 and math.isclose(float(short), tick, rel_tol=1e-6)
    return short if exact else f"{tick:.10g}"


def scale_name(heatmap: Heatmap) -> str:
    """What the bar of a map measures."""
    return {
        "linear": heatmap.measure,
        "signed": heatmap.measure,
        "sqrt": f"{heatmap.measure}, square root",
        "log": f"{heatmap.measure}, log",
        "row": "share of the row's largest weight",
        "rank": "rank of the weight among all cells",
    }[heatmap.scale]
