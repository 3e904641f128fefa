"""What a saved capture says of the arrays in it: JSON in the metadata of one safetensors file.

It is read as `Description` and nothing else. A field, an array or a meaning that is added, changed
or taken away makes a new `FORMAT`; files of the older ones stay readable, so that what is added to
`Description` has a default.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from attnviz.attention.axis import Axis  # noqa: TC001 - hints of Description
from attnviz.attention.capture import Check, ModelFacts, Prediction  # noqa: TC001

FORMAT = 1
KEY = "attnviz"  # of the description, in the metadata
MASK = "allowed/"  # a mask is stored by this and its number
SCALE = ".scale"  # behind the name of a map: the scale of its levels

Version = Annotated[int, range(1, 2**31)]
Number = Annotated[int, range(2**20)]


@dataclass(frozen=True)
class StoredLayer:
    """A layer as the file describes it: axes and mask by number, arrays by name."""

    layer: Number
    order: Number
    path: str
    n_heads: Number
    heads: tuple[Number, ...]
    queries: Number
    keys: Number
    causal: bool
    cross: bool
    kept: tuple[str, ...]
    allowed: Number | None


@dataclass(frozen=True)
class Rounding:
    """What rounding the maps has cost: to which dtypes, and by how much at most."""

    to: tuple[str, ...]
    by: float


@dataclass(frozen=True)
class Description:
    """What the file says of its arrays; `seals` are their checksums, of maps one per head."""

    format_version: Version
    dtype: str
    model: ModelFacts
    text: str
    pair: str | None
    target: str | None
    prediction: Prediction
    checks: tuple[Check, ...]
    notes: tuple[str, ...]
    plan: dict[str, Any]
    axes: tuple[Axis, ...]
    stacks: dict[str, tuple[StoredLayer, ...]]
    seals: dict[str, tuple[int, ...]]
