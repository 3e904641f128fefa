"""The row blocks of one call's maps, handed to every observer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from attnviz.observe.blocks import Accumulator, Observer, RowBlock, Site
    from attnviz.observe.sources.map_source import MapSource

BLOCK_CELLS = {"cpu": 2**21, "cuda": 2**26}  # heads × rows × keys of one row block
HELD_CELLS = 2**25  # of all blocks of a layer, so that they are held between two passes


def stream(site: Site, maps: MapSource, observers: Sequence[Observer]) -> dict[str, np.ndarray]:
    """Hand every row block to every observer, and give back what they keep.

    Blocks are computed anew in every pass, unless all of them together are few enough to hold.
    """
    started: list[tuple[int, Accumulator]] = [
        (o.passes, o.start(site, maps.device)) for o in observers
    ]
    passes = max((passes for passes, _ in started), default=0)
    blocks = spans(maps, site.example, len(site.heads)) if passes else []
    cells = len(site.heads) * maps.queries * maps.keys // (2 if maps.causal else 1)
    held: dict[int, RowBlock] = {}
    for step in range(passes):
        for start, stop in blocks:
            block = held.get(start) or maps.block(site.example, site.heads, start, stop)
            for own_passes, accumulator in started:
                if step < own_passes:
                    accumulator.update(block, step)
            if step + 1 < passes and cells <= HELD_CELLS:
                block.logits = None
                held[start] = block
    return {
        name: value.cpu().numpy() if isinstance(value, torch.Tensor) else value
        for _, accumulator in started
        for name, value in accumulator.result().items()
    }


def spans(maps: MapSource, example: int, heads: int) -> list[tuple[int, int]]:
    """(first row, row after the last) of every block: as many rows as it may have cells, or one."""
    cells = BLOCK_CELLS.get(maps.device.type, BLOCK_CELLS["cpu"]) // max(1, heads)
    found: list[tuple[int, int]] = []
    start = 0
    while start < maps.queries:
        rows = max(1, cells // maps.keys)
        while start + rows < maps.queries and twice_fits(maps, example, start, rows, cells):
            rows *= 2
        found.append((start, min(start + rows, maps.queries)))
        start = found[-1][1]
    return found


def twice_fits(maps: MapSource, example: int, start: int, rows: int, cells: int) -> bool:
    """Whether a block of twice as many rows has no more than these cells."""
    return all(
        2 * rows * maps.width(example, start, min(start + more, maps.queries)) <= cells
        for more in (rows, 2 * rows)  # most do not fit with the keys of half their rows
    )
