"""Saved captures: one safetensors file that needs no model to be read.

What the file says of the arrays in it is read as `Description` and nothing else. A field, an array
or a meaning that is added, changed or taken away makes a new `FORMAT`; files of the older ones stay
readable, so that what is added to `Description` has a default.
"""

from __future__ import annotations

import dataclasses
import json
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import numpy as np

from attnviz.attention.axis import Axis  # noqa: TC001 - a hint of Description
from attnviz.attention.capture import (
    AttentionStack,
    Capture,
    Check,
    LayerAttention,
    ModelFacts,
    Prediction,
)
from attnviz.attention.kept import look_up
from attnviz.attention.store.fitting import check_arrays
from attnviz.attention.store.mapped import MappedArrays
from attnviz.attention.store.rounded import Stored, rounded, rounding_note
from attnviz.attention.store.seal import Seals, altered, head_seals, seal
from attnviz.attention.store.typed import typed
from attnviz.errors import InputError, OutputError
from attnviz.files import written

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from attnviz.attention.store.rounded import StoreDtype

FORMAT = 1
KEY = "attnviz"
ALLOWED = "allowed/"
SCALE = ".scale"

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


def save(capture: Capture, path: str | Path, dtype: StoreDtype = "float32") -> None:
    """Write the capture; the file appears whole or not at all.

    With `dtype` float16 or uint8 maps are rounded (the kept arrays that may be, by their entry),
    uint8 linearly between 0 and the largest weight of each row; the capture in the file notes the
    largest error. Maps of a layer with a NaN or negative value stay as they are. What is rounded
    takes its new size in memory beside the capture. Raises OutputError.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    if dtype not in ("float32", "float16", "uint8"):
        raise OutputError(f"maps cannot be stored as {dtype}", "float32, float16 or uint8")
    parts = _Parts(dtype)
    stacks = {
        name: [parts.layer(stack.by_layer[n], name) for n in stack.layers]
        for name, stack in capture.stacks.items()
    }
    if parts.error:
        capture = _noted(capture, dtype, parts.error)
    meta = {
        "format_version": FORMAT,
        "dtype": dtype,
        "model": dataclasses.asdict(capture.model),
        "text": capture.text,
        "pair": capture.pair,
        "target": capture.target,
        "prediction": dataclasses.asdict(capture.prediction),
        "checks": [dataclasses.asdict(check) for check in capture.checks],
        "notes": capture.notes,
        "plan": {"versions": versions(), **capture.plan},
        "axes": [_axis(axis) for axis in parts.axes],
        "stacks": stacks,
        "seals": parts.seals,
    }
    meta["seal"] = seal(json.dumps(meta).encode())
    target = Path(path)
    try:
        with written(target) as file:
            save_file(parts.arrays, file, metadata={KEY: json.dumps(meta)})
    except SafetensorError as error:
        raise OutputError(f"cannot write {target}: {error}", "choose another place") from error


def open_capture(path: str | Path) -> Capture:
    """The capture in a file that `save` wrote; its arrays are read where they are touched.

    Maps that were rounded come back as float32, decoded where they are indexed. The file may be
    deleted or replaced meanwhile. Raises InputError when it holds no capture.
    """
    from safetensors import SafetensorError

    source = Path(path)
    if source.is_dir():
        raise InputError(f"{source} is a folder", "name a saved capture in it")
    if not source.is_file():
        raise InputError(f"no saved capture at {source}", "write one with -o FILE.safetensors")
    try:
        arrays = MappedArrays(source)
        meta = json.loads(arrays.metadata.get(KEY, "null"))
        if meta is None:
            raise InputError(f"{source} holds no capture", "it looks like a model's weights")
        meta = typed(meta, dict[str, Any], KEY)
        version = typed(meta["format_version"], Version, "format_version")
        if version > FORMAT:
            raise InputError(
                f"{source} has capture format {version}, this attnviz reads up to {FORMAT}",
                "upgrade attnviz",
            )
        given = typed(meta.pop("seal"), int, "seal")
        if given != seal(json.dumps(meta).encode()):
            raise altered("its description")
        return _capture(typed(meta, Description, KEY), arrays)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{source} is no readable safetensors file: {error}") from error
    except RecursionError:
        raise InputError(f"{source} holds a damaged capture: it is nested too deeply") from None
    except (ValueError, LookupError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else error
        raise InputError(f"{source} holds a damaged capture: {reason}") from error


def versions() -> dict[str, str]:
    """The versions that a capture depends on, without importing the packages."""
    from importlib.metadata import PackageNotFoundError, version

    from attnviz import __version__

    found = {"attnviz": __version__}
    for name in ("torch", "transformers"):
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _noted(capture: Capture, dtype: StoreDtype, error: float) -> Capture:
    """The capture with what rounding its maps costs, on top of what an earlier rounding cost."""
    before = capture.plan.get("rounding", {"to": [], "by": 0.0})
    after = {"to": [*dict.fromkeys([*before["to"], dtype])], "by": before["by"] + error}
    notes = (*(one for one in capture.notes if one != rounding_note(before)), rounding_note(after))
    return dataclasses.replace(capture, notes=notes, plan={**capture.plan, "rounding": after})


@dataclass
class _Parts:
    """What goes into the file beside the description: arrays by name, axes by number."""

    dtype: StoreDtype
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    axes: dict[Axis, int] = field(default_factory=dict)
    masks: dict[tuple[tuple[int, ...], bytes], int] = field(default_factory=dict)
    seals: dict[str, list[int]] = field(default_factory=dict)
    error: float = 0.0

    def layer(self, layer: LayerAttention, stack: str) -> dict[str, Any]:
        """Take the arrays and axes of a layer, and give its description."""
        for name, value in layer.kept.items():
            self.array(f"{stack}/{layer.layer}/{name}", value, look_up(name).rounds)
        return {
            "layer": layer.layer,
            "order": layer.order,
            "path": layer.path,
            "n_heads": layer.n_heads,
            "heads": layer.heads,
            "queries": self.axes.setdefault(layer.queries, len(self.axes)),
            "keys": self.axes.setdefault(layer.keys, len(self.axes)),
            "causal": layer.causal,
            "cross": layer.cross,
            "kept": list(layer.kept),
            "allowed": None if layer.allowed is None else self.mask(layer.allowed),
        }

    def array(self, name: str, value: np.ndarray, is_map: bool) -> None:
        """Take one array, rounded where it is a map."""
        found = rounded(value, self.dtype) if is_map else None
        if found is None:
            plain = self.arrays[name] = np.asarray(value, order="C")  # of no axes stays so
            self.seals[name] = head_seals(plain) if is_map else [seal(plain)]
            return
        coded, error = found
        self.arrays[name] = coded.values
        self.seals[name] = head_seals(*coded.arrays)
        if coded.scale is not None:
            self.arrays[name + SCALE] = coded.scale
        self.error = max(self.error, error)

    def mask(self, allowed: np.ndarray) -> int:
        """The number of this mask; layers with the same one share it."""
        packed = np.packbits(allowed).tobytes()
        number = self.masks.setdefault((allowed.shape, packed), len(self.masks))
        self.arrays.setdefault(f"{ALLOWED}{number}", np.ascontiguousarray(allowed))
        self.seals.setdefault(f"{ALLOWED}{number}", [seal(allowed)])
        return number


def _axis(axis: Axis) -> dict[str, Any]:
    """The axis as JSON; a lone surrogate in a label survives as an escape."""
    return {field.name: getattr(axis, field.name) for field in dataclasses.fields(axis)}


def _capture(found: Description, arrays: Mapping[str, np.ndarray]) -> Capture:
    rounding = found.plan.get("rounding")
    if rounding is not None and not typed(rounding, Rounding, "rounding").by < np.inf:
        raise ValueError(f"rounding costs {rounding['by']}")
    stacks = {}
    for name, layers in found.stacks.items():
        read = [_read_layer(one, name, arrays, found) for one in layers]
        by_layer = {layer.layer: layer for layer in read}
        if len(by_layer) != len(read) or not read:
            raise ValueError(f"stack {name} has layers {[layer.layer for layer in read]}")
        stacks[name] = AttentionStack(name, by_layer)
    same = {field.name: getattr(found, field.name) for field in dataclasses.fields(Capture)}
    return Capture(**same | {"stacks": stacks})


def _read_layer(
    stored: StoredLayer, stack: str, arrays: Mapping[str, np.ndarray], found: Description
) -> LayerAttention:
    prefix, mask = f"{stack}/{stored.layer}/", stored.allowed
    fields = vars(stored) | {
        "queries": found.axes[stored.queries],
        "keys": found.axes[stored.keys],
        "kept": {name: _read_array(arrays, prefix + name, found.seals) for name in stored.kept},
        "allowed": mask if mask is None else _read_array(arrays, f"{ALLOWED}{mask}", found.seals),
    }
    layer = LayerAttention(**fields)
    check_arrays(layer)
    return layer


def _read_array(
    arrays: Mapping[str, np.ndarray], name: str, seals: Mapping[str, Sequence[int]]
) -> np.ndarray:
    """The array as it was saved; maps are proven and decoded where they are indexed."""
    values, expected = arrays[name], seals[name]
    if not look_up(name.rpartition("/")[2]).rounds:
        if expected != (seal(values),):
            raise altered(name)
        return values
    scale = arrays[name + SCALE] if values.dtype == np.uint8 else None
    if scale is not None and (scale.shape != values.shape[:-1] or scale.dtype != np.float32):
        raise ValueError(f"{name} has shape {values.shape}, its scale {scale.shape} {scale.dtype}")
    if scale is not None and not ((scale >= 0) & (scale < np.inf)).all():
        raise ValueError(f"{name} has a scale that is no weight")
    if scale is None and values.dtype.kind != "f":
        raise ValueError(f"{name} holds {values.dtype}")
    if values.ndim != 3 or len(expected) != len(values):
        raise ValueError(f"{name} has shape {values.shape} and {len(expected)} checksums")
    found = Stored(values, scale)
    found.seals = Seals(name, expected, *found.arrays)
    return cast("np.ndarray", found)
