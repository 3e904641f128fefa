"""What holds a long map together: the keys and the diagonals with most of its attention."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from attnviz.attention.axis import Axis
    from attnviz.attention.capture import LayerAttention

LEAST = 0.01  # shares below are not named
LONG = 60  # tokens; a map of more is not seen cell by cell


@dataclass(frozen=True)
class Structure:
    """The shares of one head's attention in its heaviest columns and diagonals, each with a tenth
    of the cells, and the heaviest of them: (key, share), (query − key, share).
    """

    keys: Axis
    vertical: float
    slash: float
    heavy: tuple[tuple[int, float], ...]
    slashes: tuple[tuple[int, float], ...]

    def parts(self, named: Callable[[str], str]) -> Iterator[tuple[str, list[str], str]]:
        """What holds the map together, where anything does: its name, the heaviest with their
        shares (`12 cat 3%`, `-1 20%`), and the share of the best tenth. `named` shortens tokens.
        """
        keys = [f"{key} {named(self.keys.labels[key])} {share:.0%}" for key, share in self.heavy]
        slashes = [f"{-offset:+d} {share:.0%}" if offset else f"self {share:.0%}"
                   for offset, share in self.slashes]  # fmt: skip
        for name, found, whole in (("keys", keys, self.vertical),
                                   ("diagonals", slashes, self.slash)):  # fmt: skip
            if found:
                yield name, found, f"(best tenth {whole:.0%})"


def structure(layer: LayerAttention, head: int) -> Structure | None:
    """The structure of a head whose map is long or was not kept whole; else, or where it is not
    known, None.
    """
    short = "weights" in layer.kept and max(len(layer.queries), len(layer.keys)) <= LONG
    if short or "heavy_keys" not in layer.kept:
        return None
    index = layer.heads.index(head)
    return Structure(
        keys=layer.keys,
        vertical=float(layer.kept["score.vertical"][index]),
        slash=float(layer.kept["score.slash"][index]),
        heavy=listed(layer.kept["heavy_keys"][index]),
        slashes=listed(layer.kept["slashes"][index]),
    )


def listed(pairs: np.ndarray) -> tuple[tuple[int, float], ...]:
    """The (name, share) that are worth naming, heaviest first."""
    found = [(name, float(share)) for name, share in np.asarray(pairs) if not math.isnan(name)]
    return tuple((int(name), share) for name, share in found if share >= LEAST)
