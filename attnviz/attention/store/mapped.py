"""The arrays of a safetensors file, read where they are touched."""

from __future__ import annotations

import json
import mmap
from collections.abc import Iterator, Mapping
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

DTYPES = {
    "BOOL": np.bool_,
    "U8": np.uint8,
    "I32": np.int32,
    "I64": np.int64,
    "F16": np.float16,
    "F32": np.float32,
    "F64": np.float64,
}


class MappedArrays(Mapping[str, np.ndarray]):
    """Views of the memory-mapped file by name, and its `metadata`.

    The file may be deleted or replaced meanwhile: the arrays stay those of the file that was
    opened (POSIX; Windows refuses to replace it). What is written into them stays in memory.
    Raises SafetensorError or OSError for what is no whole safetensors file; ValueError when an
    array is read that is of no dtype in `DTYPES`.
    """

    def __init__(self, path: Path) -> None:
        from safetensors import safe_open

        with safe_open(str(path), framework="np"):  # checks the header and the length
            pass
        with path.open("rb") as file:
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        self._start = 8 + int.from_bytes(self._data[:8], "little")
        header: dict[str, dict[str, Any]] = json.loads(self._data[8 : self._start])
        self.metadata: dict[str, str] = header.pop("__metadata__", {})
        self._header = header

    def __getitem__(self, name: str) -> np.ndarray:
        one = self._header[name]
        shape, offset = one["shape"], self._start + one["data_offsets"][0]
        dtype = DTYPES.get(one["dtype"])
        if dtype is None:
            raise ValueError(f"{name} is stored as {one['dtype']}")
        return np.frombuffer(self._data, dtype, prod(shape), offset).reshape(shape)

    def __iter__(self) -> Iterator[str]:
        return iter(self._header)

    def __len__(self) -> int:
        return len(self._header)
