"""The cells of a map as a picture-to-be, and the part of them that is shown."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from attnviz.attention.axis import Axis
    from attnviz.views.appearance import Appearance, Reduce, Scale

Spans = tuple[tuple[int, int], ...]
BLOCK = 2**18  # cells that are looked at together, so that no copy of a whole map is made


class State(IntEnum):
    """What a cell is. No two kinds may look alike."""

    VALUE = 0
    ZERO = 1  # allowed, and exactly 0
    MASKED = 2  # the mask forbids the key
    PADDED = 3  # the query or the key only fills a batch
    NAN = 4
    CUT = 5  # not kept: only the heaviest keys of the query are known


@dataclass(frozen=True, eq=False)
class Heatmap:
    """A map to draw. `values` float32 (rows, columns), `states` uint8 of State, same shape.

    `queries` and `keys` are the whole axes; `rows` and `columns` say which positions (first,
    last + 1) of them each row and column stands for. `sinks` bool (columns,) marks the columns
    drawn off the colour scale. `vmax` is the largest value in the others. `pooled` names what a
    cell of several positions holds, empty when every cell is one. `notes` state what was left
    out or changed; `hidden` names what the look and the selection left out, `left_out` the share
    of the attention that went with it. `measure` is what the values are. `cells`, (rows, columns),
    counts the cells of the map that each one holds, without masked ones; None when each is one.
    """

    values: np.ndarray
    states: np.ndarray
    queries: Axis
    keys: Axis
    rows: Spans
    columns: Spans
    sinks: np.ndarray
    vmax: float
    scale: Scale = "linear"
    reduce: Reduce = "mass"
    pooled: str = ""
    notes: tuple[str, ...] = ()
    hidden: str = ""
    left_out: float = 0.0
    measure: str = "attention weight"
    cells: np.ndarray | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Rows, columns."""
        return self.values.shape[0], self.values.shape[1]

    @property
    def square(self) -> bool:
        """Whether queries and keys are the same tokens."""
        return self.queries.labels == self.keys.labels

    @property
    def cut(self) -> bool:
        """Whether some cells were not kept."""
        return bool(self.states.max(initial=0) == State.CUT)  # the last of all states

    @property
    def sink_labels(self) -> tuple[str, ...]:
        """The texts of the keys drawn off the scale, each once."""
        return sink_labels(self)


def sink_labels(heatmap: Heatmap) -> tuple[str, ...]:
    """The texts of the keys that stand in sink columns of one position, each once."""
    spans = [heatmap.columns[i] for i in np.flatnonzero(heatmap.sinks)]
    return tuple(dict.fromkeys(heatmap.keys.labels[a] for a, b in spans if b - a == 1))


def blocks(rows: int, columns: int) -> Iterator[slice]:
    """The rows of a map in blocks of at most `BLOCK` cells, or of one row."""
    size = max(1, BLOCK // max(1, columns))
    return (slice(i, min(i + size, rows)) for i in range(0, rows, size))


def shown(
    full: Heatmap,
    appearance: Appearance,
    queries: Sequence[int] | None,
    keys: Sequence[int] | None,
    totals: np.ndarray | None = None,
) -> Heatmap:
    """The map without what the look and the selection leave out, renormalised if asked.

    `totals` (rows,) is what each row gives to all keys, where they are not all in the map.
    """
    rows, columns = list(range(full.shape[0])), list(range(full.shape[1]))
    notes = list(full.notes)
    if appearance.hide_special:
        rows = [i for i in rows if not full.queries.special[full.rows[i][0]]]
        columns = [j for j in columns if not full.keys.special[full.columns[j][0]]]
    if queries is not None:
        rows = _among(rows, full.rows, queries)
    if keys is not None:
        columns = _among(columns, full.columns, keys)
    part = take(full, rows, columns)
    left_out = _left_out(full, part, rows, totals)
    names = [text for asked, text in ((appearance.hide_special, "special tokens"),
                                       (keys is not None, "other keys")) if asked]  # fmt: skip
    hidden = " and ".join(names)
    if hidden:
        kept = "attention that was kept" if full.cut else "attention"
        hidden += f" hidden: {{}} of the {kept} is not shown"
        notes.append(hidden.format(f"{left_out:.0%}"))
    if appearance.renormalize:
        part = renormalized(part)
        notes.append("rows renormalised to 1 over what is shown")
    return replace(part, vmax=largest(part), notes=tuple(notes), hidden=hidden, left_out=left_out)


def _among(indices: Sequence[int], spans: Spans, wanted: Sequence[int]) -> list[int]:
    """The indices whose position is wanted; those asked for win over those hidden."""
    names = set(wanted)
    left = [i for i in indices if spans[i][0] in names]
    return left or [i for i, (first, _) in enumerate(spans) if first in names]


def take(heatmap: Heatmap, rows: Sequence[int], columns: Sequence[int]) -> Heatmap:
    """The map with only these rows and columns."""
    if (len(rows), len(columns)) == heatmap.shape:
        return heatmap
    grid = _ranges(rows, columns) or np.ix_(list(rows), list(columns))
    return replace(
        heatmap,
        values=heatmap.values[grid],
        states=heatmap.states[grid],
        rows=tuple(heatmap.rows[i] for i in rows),
        columns=tuple(heatmap.columns[j] for j in columns),
        sinks=heatmap.sinks[list(columns)],
        cells=None if heatmap.cells is None else heatmap.cells[grid],
    )


def _ranges(*indices: Sequence[int]) -> tuple[slice, ...] | None:
    """These indices as slices, which copy nothing; None where some do not follow each other."""
    found = [(*some,) == (*range(some[0], some[-1] + 1),) if some else False for some in indices]
    return tuple(slice(some[0], some[-1] + 1) for some in indices) if all(found) else None


def renormalized(heatmap: Heatmap) -> Heatmap:
    """The map with every row divided by its sum; rows of zeros stay."""
    sums = _row_sums(heatmap)[:, None]
    return replace(heatmap, values=heatmap.values / np.where(sums > 0, sums, 1))


def _row_sums(heatmap: Heatmap) -> np.ndarray:
    """Float (rows,): what stands in the cells of each row."""
    sums = np.zeros(heatmap.shape[0], heatmap.values.dtype)
    for rows in blocks(*heatmap.shape):
        sums[rows] = np.where(heatmap.states[rows] <= State.ZERO, heatmap.values[rows], 0).sum(
            axis=1
        )
    return sums


def largest(heatmap: Heatmap) -> float:
    """The largest value off the sink columns, or of all when there are no others; of signed
    ones the largest size.
    """
    counted = (
        ~heatmap.sinks
        if heatmap.sinks.any() and not heatmap.sinks.all()
        else np.ones_like(heatmap.sinks)
    )
    found = [0.0]
    for rows in blocks(*heatmap.shape):
        values = np.abs(heatmap.values[rows]) if heatmap.scale == "signed" else heatmap.values[rows]
        known = (heatmap.states[rows] <= State.ZERO) & counted
        found.append(float(values.max(initial=0.0, where=known)))
    return float(np.max(found))


def _left_out(
    full: Heatmap, part: Heatmap, rows: Sequence[int], totals: np.ndarray | None
) -> float:
    """The mean share of these rows' attention that is not in `part`."""
    if not rows or (full is part and totals is None):
        return 0.0
    whole = (_row_sums(full) if totals is None else totals)[list(rows)]
    kept = _row_sums(part)
    real = whole > 0
    return float(np.mean(1 - kept[real] / whole[real])) if real.any() else 0.0
