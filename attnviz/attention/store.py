"""Saved captures: one safetensors file that needs no model to be read."""

from __future__ import annotations

import dataclasses
import json
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from attnviz.attention.axis import Axis
from attnviz.attention.capture import (
    AttentionStack,
    Capture,
    Check,
    LayerAttention,
    ModelFacts,
    Prediction,
)
from attnviz.attention.mapped import MappedArrays
from attnviz.attention.rounded import Stored, rounded, rounding_note
from attnviz.attention.seal import Seals, altered, head_seals, seal
from attnviz.errors import InputError, OutputError
from attnviz.files import written

if TYPE_CHECKING:
    from collections.abc import Mapping

    from attnviz.attention.rounded import StoreDtype

FORMAT = 1
KEY = "attnviz"
MAPS = ("weights", "pooled", "pooled_max")
ALLOWED = "allowed/"
SCALE = ".scale"


def save(capture: Capture, path: str | Path, dtype: StoreDtype = "float32") -> None:
    """Write the capture; the file appears whole or not at all.

    With `dtype` float16 or uint8 the maps (`weights`, `pooled`, `pooled_max`) are rounded, uint8
    linearly between 0 and the largest weight of each row; the capture in the file notes the largest
    error.
    Maps of a layer with a NaN or negative value stay as they are. What is rounded takes its new
    size in memory beside the capture. Raises OutputError.
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
        if not meta:
            raise InputError(f"{source} holds no capture", "it looks like a model's weights")
        if meta["format_version"] > FORMAT:
            raise InputError(
                f"{source} has capture format {meta['format_version']}, "
                f"this attnviz reads up to {FORMAT}",
                "upgrade attnviz",
            )
        given = meta.pop("seal", None)
        if given is not None and given != seal(json.dumps(meta).encode()):
            raise altered("its description")
        return _capture(meta, arrays)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{source} is no readable safetensors file: {error}") from error
    except (ValueError, TypeError, LookupError, AttributeError) as error:
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
            self.array(f"{stack}/{layer.layer}/{name}", value, name in MAPS)
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
            plain = self.arrays[name] = np.ascontiguousarray(value)
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


def _capture(meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Capture:
    axes = [_read_axis(one) for one in meta["axes"]]
    stacks = {}
    for name, layers in meta["stacks"].items():
        read = [_read_layer(one, name, arrays, axes, meta["seals"]) for one in layers]
        stacks[name] = AttentionStack(name, {layer.layer: layer for layer in read})
    items = tuple(
        (where, tuple((answer, probability) for answer, probability in answers))
        for where, answers in meta["prediction"]["items"]
    )
    return Capture(
        model=ModelFacts(**meta["model"]),
        stacks=stacks,
        text=meta["text"],
        pair=meta["pair"],
        target=meta["target"],
        prediction=Prediction(meta["prediction"]["task"], items, meta["prediction"]["note"]),
        checks=tuple(Check(**check) for check in meta["checks"]),
        notes=tuple(meta["notes"]),
        plan=meta["plan"],
    )


def _read_layer(
    meta: Mapping[str, Any],
    stack: str,
    arrays: Mapping[str, np.ndarray],
    axes: list[Axis],
    seals: Mapping[str, list[int]],
) -> LayerAttention:
    prefix, mask = f"{stack}/{meta['layer']}/", meta["allowed"]
    fields = {**meta, "heads": tuple(meta["heads"])}
    fields |= {"queries": axes[meta["queries"]], "keys": axes[meta["keys"]]}
    fields |= {"kept": {name: _read_array(arrays, prefix + name, seals) for name in meta["kept"]}}
    fields |= {"allowed": None if mask is None else _read_array(arrays, f"{ALLOWED}{mask}", seals)}
    layer = LayerAttention(**fields)
    _check_shapes(layer)
    return layer


def _read_array(
    arrays: Mapping[str, np.ndarray], name: str, seals: Mapping[str, list[int]]
) -> np.ndarray:
    """The array as it was saved; maps are proven and decoded where they are indexed."""
    values, expected = arrays[name], seals[name]
    if name.rpartition("/")[2] not in MAPS:
        if [seal(values)] != expected:
            raise altered(name)
        return values
    scale = arrays[name + SCALE] if values.dtype == np.uint8 else None
    if scale is not None and scale.shape != values.shape[:-1]:
        raise ValueError(f"{name} has shape {values.shape}, its scale {scale.shape}")
    found = Stored(values, scale)
    found.seals = Seals(name, expected, *found.arrays)
    return cast("np.ndarray", found)


def _check_shapes(layer: LayerAttention) -> None:
    """Nothing. Raises ValueError for arrays that do not fit the heads and axes of the layer."""
    if len({*layer.heads} & {*range(layer.n_heads)}) != len(layer.heads):
        raise ValueError(f"layer {layer.layer} of {layer.n_heads} heads names {layer.heads}")
    heads, queries, keys = len(layer.heads), len(layer.queries), len(layer.keys)
    shapes: dict[str, tuple[int | None, ...]] = {
        "weights": (heads, queries, keys),
        "pooled": (heads, None, None),
        "pooled_max": (heads, None, None),
        "pooled_cells": (None, None),
        "top_keys": (heads, queries, None),
        "top_weights": (heads, queries, None),
        "window": (heads, None, None),
        "window_allowed": (None, None),
        "window_at": (2,),
        "heavy_keys": (heads, None, 2),
        "slashes": (heads, None, 2),
        "row_sums": (heads, queries),
        "column_means": (heads, keys),
        "links": (queries, 4),
        "allowed": (queries, keys),
    }
    given = {"allowed": layer.allowed, **layer.kept}
    for name, value in given.items():
        expected = (heads,) if name.startswith("score.") else shapes.get(name)
        if value is None or expected is None:
            continue
        fits = (want in (None, have) for want, have in zip(expected, value.shape, strict=False))
        if len(value.shape) != len(expected) or not all(fits):
            raise ValueError(
                f"{name} of layer {layer.layer} has shape {value.shape}, "
                f"its {heads} heads, {queries} queries and {keys} keys say otherwise"
            )


def _read_axis(meta: Mapping[str, Any]) -> Axis:
    fields: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in meta.items()
    }
    fields["spans"] = tuple(span and (span[0], span[1]) for span in meta["spans"])
    if meta["grid"]:
        fields["grid"] = (meta["grid"][0], meta["grid"][1])
    return Axis(**fields)
