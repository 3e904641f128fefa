"""How a picture is to be read: scale, merging, hiding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Scale = Literal["linear", "sqrt", "log", "row", "rank", "signed"]
Reduce = Literal["mass", "mean", "max"]


@dataclass(frozen=True, slots=True)
class Appearance:
    """How the numbers are turned into a picture, as the options of the same names say.

    `scale` is `signed` for differences: from minus to plus the largest, with 0 in the middle.
    `reduce` says how cells become one where a map is pooled (docs/metrics.md, pooling): `mass` is
    the attention that a query gives to all pooled keys together, averaged over the pooled queries,
    so that rows still sum to 1; `mean` the mean of the cells that the mask allows; `max` the
    largest. `renormalize` divides every row by its sum over what is shown. `sink_split` draws the
    columns of sinks in grey, off the colour scale. `top` is the number of keys that the alignment
    table lists.
    """

    scale: Scale = "linear"
    reduce: Reduce = "mass"
    words: bool = False
    hide_special: bool = False
    renormalize: bool = False
    sink_split: bool = True
    top: int = 3
    score: str = "content"
    least: float = 0.05
    most: int | None = None
