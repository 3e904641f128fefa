"""How a picture is to be read: scale, merging, hiding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Scale = Literal["linear", "sqrt", "log", "row", "rank"]
Reduce = Literal["mean", "max"]


@dataclass(frozen=True, slots=True)
class Look:
    """The choices of `--scale`, `--reduce`, `--words`, `--hide-special`, `--renormalize`, `--top`.

    `reduce` says how cells become one where a map is pooled: `mean` is the attention that a query
    gives to the pooled keys, averaged over the pooled queries; `max` the largest cell.
    `renormalize` divides every row by its sum over what is shown. `top` is the number of keys
    that the alignment table lists.
    """

    scale: Scale = "linear"
    reduce: Reduce = "mean"
    words: bool = False
    hide_special: bool = False
    renormalize: bool = False
    top: int = 3
