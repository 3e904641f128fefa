"""Saved captures, opened: what is in the file is checked, and read where it is touched."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from attnviz.attention.capture import AttentionStack, Capture, LayerAttention
from attnviz.attention.kept import look_up
from attnviz.attention.store.array_check import check_arrays
from attnviz.attention.store.description import (
    FORMAT,
    KEY,
    MASK,
    SCALE,
    Description,
    Rounding,
    Version,
)
from attnviz.attention.store.mapped import MappedArrays
from attnviz.attention.store.rounded import Stored
from attnviz.attention.store.seal import Seals, altered, seal
from attnviz.attention.store.typed_json import typed
from attnviz.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from attnviz.attention.store.description import StoredLayer


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
        "allowed": mask if mask is None else _read_array(arrays, f"{MASK}{mask}", found.seals),
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
