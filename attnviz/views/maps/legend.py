"""What every drawing of maps must say of them, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnviz.views.maps.cells import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attnviz.views.maps.heatmap import Heatmap

SPECIAL, POPULAR = "special tokens", "keys that take over 30 %"
POOLED = {
    "mass": "sum over keys, mean over queries",
    "mean": "mean weight",
    "max": "largest weight",
}


FAINT_HINT = "nearly all cells are below a tenth of the scale: --scale sqrt shows them"
FAINT = 0.01  # share of cells; fewer that stand out are hardly seen


def faint(maps: Sequence[Heatmap]) -> bool:
    """Whether next to no cell reaches a tenth of a linear scale, so that a picture looks empty."""
    if not maps or maps[0].scale != "linear":
        return False
    low = max(one.vmax for one in maps) / 10
    known = [(one.states <= State.ZERO) & ~one.sinks for one in maps]
    seen = sum(np.count_nonzero(one.values[at] >= low) for one, at in zip(maps, known, strict=True))
    return bool(low > 0 and seen < FAINT * sum(np.count_nonzero(at) for at in known))


def off_scale(maps: Sequence[Heatmap]) -> str:
    """Which columns are drawn off the colour scale; empty when none is."""
    off = [(one, span) for one in maps
           for span, sink in zip(one.columns, one.sinks, strict=True) if sink]  # fmt: skip
    special = [any(one.keys.special[a:b]) for one, (a, b) in off]
    kinds = [SPECIAL] * any(special) + [POPULAR] * (not all(special))
    wide = any(b - a > 1 for _, (a, b) in off)
    return ("columns that hold " if wide else "") + " and ".join(kinds)


def pooled_words(maps: Sequence[Heatmap]) -> str:
    """How many queries and keys a cell holds, and what it shows of them; empty when one each."""
    pooled = [one for one in maps if one.pooled]
    if not pooled:
        return ""
    rows = max(b - a for spans in {one.rows for one in pooled} for a, b in spans)
    columns = max(b - a for spans in {one.columns for one in pooled} for a, b in spans)
    if maps[0].measure == "distance":
        return f"a cell is up to {rows} × {columns} distances (their mean)"
    queries = "query" if rows == 1 else "queries"
    size = f"a cell is up to {rows} {queries} × {columns} key{'s' if columns > 1 else ''}"
    how = " or ".join(POOLED[kind] for kind in POOLED if any(kind == one.pooled for one in pooled))
    return f"{size} ({how})"
