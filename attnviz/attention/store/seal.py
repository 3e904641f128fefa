"""Checksums in a saved capture: of every array, and of every head of the maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np

from attnviz.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence


def seal(*parts: np.ndarray | bytes) -> int:
    """The checksum of these bytes, one after the other."""
    total = 0
    for part in parts:
        total = crc32(part if isinstance(part, bytes) else np.ascontiguousarray(part).data, total)
    return total


def head_seals(*arrays: np.ndarray) -> list[int]:
    """The checksum of every head of arrays whose first axis runs over the heads."""
    return [seal(*(array[head] for array in arrays)) for head in range(len(arrays[0]))]


class Seals:
    """Proves the heads of an array unaltered, each when it is first read."""

    def __init__(self, name: str, expected: Sequence[int], *arrays: np.ndarray) -> None:
        self.name, self.expected, self.arrays = name, expected, arrays
        self.proven: set[int] = set()

    def prove(self, index: Any) -> None:
        """Raise InputError when a head that the index touches was altered."""
        first = index[0] if isinstance(index, tuple) and index else index
        heads = range(len(self.arrays[0]))
        touched = (heads[first],) if isinstance(first, (int, np.integer)) else heads
        for head in set(touched) - self.proven:
            if seal(*(array[head] for array in self.arrays)) != self.expected[head]:
                raise altered(self.name)
            self.proven.add(head)


def altered(name: str) -> InputError:
    """The error for an array that is not what was saved."""
    return InputError(f"the saved capture was altered: {name}", "copy or make it again")
