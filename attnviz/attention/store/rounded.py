"""Maps in fewer bytes than float32 takes, and what that costs."""

from __future__ import annotations

from math import ceil, floor, log10
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from attnviz.attention.store.seal import Seals

StoreDtype = Literal["float32", "float16", "uint8"]
LEVELS = 255
LARGEST = float(np.finfo(np.float16).max)


class Stored(NDArrayOperatorsMixin):
    """A float32 array over stored values, that proves and decodes what is indexed, nothing else.

    `values` are float32, float16, or uint8 levels between 0 and the largest weight of each row,
    which `scale` holds: float32, the shape without its last axis. Heads that are indexed are
    proven unaltered where there are `seals`. In all else it acts as the whole decoded array.
    """

    def __init__(
        self, values: np.ndarray, scale: np.ndarray | None = None, seals: Seals | None = None
    ) -> None:
        self.values = values
        self.scale = scale
        self.seals = seals
        self.shape = values.shape
        self.ndim = values.ndim
        self.size = values.size
        self.dtype = np.dtype(np.float32)

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """Values and scale, the first axis of each over the heads."""
        return (self.values,) if self.scale is None else (self.values, self.scale)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: Any) -> np.ndarray:
        if self.seals is not None:
            self.seals.prove(index)
        found: np.ndarray = self.values[index].astype(np.float32, copy=False)
        if self.scale is not None:
            found /= np.float32(LEVELS)
            found *= np.broadcast_to(self.scale[..., None], self.shape)[index]
        return found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[...], dtype)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        plain = (np.asarray(one) if isinstance(one, Stored) else one for one in inputs)
        return getattr(ufunc, method)(*plain, **options)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(np.asarray(self), name)


def rounded(maps: np.ndarray, dtype: StoreDtype) -> tuple[Stored, float] | None:
    """The maps (heads, rows, columns) in this dtype, and the largest absolute error that costs.

    None for maps that stay as they are: float32 asked for, or a value that is NaN, negative or
    beyond float16. Takes the memory of the result and of a few heads.
    """
    if dtype == "float32":
        return None
    values = np.empty(maps.shape, dtype)
    scale = np.zeros(maps.shape[:-1], np.float32) if dtype == "uint8" else None
    out = Stored(values, scale)
    error = 0.0
    for head in range(len(maps)):
        exact = np.asarray(maps[head])
        if not (exact.min(initial=0) >= 0 and exact.max(initial=0) <= LARGEST):
            return None
        if scale is None:
            values[head] = exact
        else:
            scale[head] = exact.max(axis=-1, initial=0)
            whole = np.where(scale[head] > 0, scale[head], 1)[:, None]
            values[head] = np.rint(exact / whole * LEVELS)
        off = np.subtract(out[head], exact, dtype=np.float64)
        error = max(error, float(np.abs(off).max(initial=0)))
    return out, error


def rounding_note(rounding: Mapping[str, Any]) -> str:
    """What a picture of rounded maps says: `to` lists the dtypes, `by` is the largest error."""
    names = " and ".join(rounding["to"])
    return (
        f"maps were rounded to {names}: weights are off by up to {upward(rounding['by'])}, "
        "those below may be 0"
    )


def upward(value: float) -> str:
    """The least number with two digits that is not below `value`."""
    if value <= 0:
        return "0"
    unit = 10.0 ** (floor(log10(value)) - 1)
    return f"{ceil(value / unit) * unit:.2g}"
