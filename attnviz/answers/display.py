"""What is asked of a capture in plain values: an answer, a figure, columns of weights."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.attention.selection import Selection
from attnviz.errors import CaptureError
from attnviz.views.appearance import Appearance
from attnviz.views.build import build, figure
from attnviz.views.maps.head_maps import head_maps
from attnviz.views.maps.heatmap import State
from attnviz.views.request import request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from attnviz.attention.capture import Asked, Capture
    from attnviz.views.answer import Answer
    from attnviz.views.heads.head import Head
    from attnviz.views.maps.heatmap import Heatmap

NOTHING: Asked = {}


def parted(asked: Asked) -> tuple[Selection, Appearance]:
    """The selection and the appearance that were asked for."""
    looks = {field.name for field in fields(Appearance)}
    values: Mapping[str, Any] = asked
    selection = {name: value for name, value in values.items() if name not in looks}
    appearance = {name: value for name, value in values.items() if name in looks}
    return Selection.of(**selection), Appearance(**appearance)


def answer_of(capture: Capture, view: str = "auto", asked: Asked = NOTHING) -> Answer:
    """The answer that `attnviz inspect` gives about the capture."""
    return build(capture, *parted(asked), view)


def figure_of(capture: Capture, view: str = "auto", asked: Asked = NOTHING) -> Answer:
    """The answer as one view, for an image."""
    from attnviz.render.image.head_maps import grid_pixels

    selection, appearance = parted(asked)
    count = len(request(capture, selection, appearance).pairs)
    return figure(capture, selection, replace(appearance, most=grid_pixels(count)), view)


def frame(capture: Capture, asked: Asked) -> dict[str, np.ndarray]:
    """The weights of the selected heads of every stack, or of the one that is named, as columns."""
    selection, appearance = parted(asked)
    parts: list[dict[str, np.ndarray]] = []
    for name in [selection.stack] if selection.stack else list(capture.stacks):
        wanted = request(capture, replace(selection, stack=name), appearance)
        for pair in wanted.pairs:
            [(head, cells)] = head_maps(wanted.stack, [pair], appearance, wanted.rows).maps
            parts.append(columns_of(wanted.stack.name, head, cells))
    return {title: np.concatenate([part[title] for part in parts]) for title in parts[0]}


def columns_of(stack: str, head: Head, cells: Heatmap) -> dict[str, np.ndarray]:
    """The cells of a map that hold a weight. Raises CaptureError for a map that is pooled."""
    if cells.pooled:
        raise CaptureError(
            f"the maps of layer {head.layer} were not kept whole",
            "select fewer layers or heads, or give memory more",
        )
    row, column = np.nonzero(cells.states <= State.ZERO)
    query = np.array([first for first, _ in cells.rows], int)[row]
    key = np.array([first for first, _ in cells.columns], int)[column]
    return {
        "stack": np.full(len(row), stack, dtype=object),
        "layer": np.full(len(row), head.layer),
        "head": np.full(len(row), head.head),
        "query": query,
        "query_label": np.array(cells.queries.labels, dtype=object)[query],
        "key": key,
        "key_label": np.array(cells.keys.labels, dtype=object)[key],
        "weight": cells.values[row, column],
    }
