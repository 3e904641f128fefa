"""Saved captures: one safetensors file that needs no model to be read."""

from __future__ import annotations

import dataclasses
import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

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
from attnviz.errors import InputError, OutputError

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT = 1
KEY = "attnviz"


def save(capture: Capture, path: str | Path) -> None:
    """Write the capture; the file appears whole or not at all. Raises OutputError."""
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    arrays: dict[str, np.ndarray] = {}
    axes: dict[Axis, int] = {}
    stacks: dict[str, list[dict[str, Any]]] = {}
    for name, stack in capture.stacks.items():
        stacks[name] = [_layer(stack.by_layer[n], name, arrays, axes) for n in stack.layers]
    meta = {
        "format": FORMAT,
        "model": dataclasses.asdict(capture.model),
        "text": capture.text,
        "pair": capture.pair,
        "target": capture.target,
        "prediction": dataclasses.asdict(capture.prediction),
        "checks": [dataclasses.asdict(check) for check in capture.checks],
        "notes": capture.notes,
        "plan": dict(capture.plan),
        "axes": [_axis(axis) for axis in axes],
        "stacks": stacks,
    }
    target = Path(path)
    temporary = target.parent / f".{uuid4().hex}.safetensors"
    try:
        temporary.touch()
        mode = temporary.stat().st_mode  # safetensors would make it readable to its owner alone
        save_file(arrays, temporary, metadata={KEY: json.dumps(meta)})
        temporary.chmod(mode)
        temporary.replace(target)
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise OutputError(f"cannot write {target}: {reason}", "choose another place") from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def open_capture(path: str | Path) -> Capture:
    """The capture in a file that `save` wrote. Raises InputError when it holds none."""
    from safetensors import SafetensorError, safe_open

    source = Path(path)
    if not source.is_file():
        raise InputError(f"no saved capture at {source}", "write one with -o FILE.safetensors")
    try:
        with safe_open(str(source), framework="np") as file:
            meta = json.loads((file.metadata() or {}).get(KEY, "null"))
            if not meta:
                raise InputError(f"{source} holds no capture", "it looks like a model's weights")
            if meta["format"] > FORMAT:
                raise InputError(
                    f"{source} has capture format {meta['format']}, "
                    f"this attnviz reads up to {FORMAT}",
                    "upgrade attnviz",
                )
            arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            return _capture(meta, arrays)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{source} is no readable safetensors file: {error}") from error
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise InputError(f"{source} holds a damaged capture: {error}") from error


def _layer(
    layer: LayerAttention, stack: str, arrays: dict[str, np.ndarray], axes: dict[Axis, int]
) -> dict[str, Any]:
    """The description of a layer; its arrays go into `arrays`, its axes into `axes`."""
    prefix = f"{stack}/{layer.layer}/"
    for name, value in layer.kept.items():
        arrays[prefix + name] = np.ascontiguousarray(value)
    if layer.allowed is not None:
        arrays[prefix + "allowed"] = np.ascontiguousarray(layer.allowed)
    return {
        "layer": layer.layer,
        "order": layer.order,
        "path": layer.path,
        "n_heads": layer.n_heads,
        "heads": layer.heads,
        "queries": axes.setdefault(layer.queries, len(axes)),
        "keys": axes.setdefault(layer.keys, len(axes)),
        "causal": layer.causal,
        "cross": layer.cross,
        "kept": list(layer.kept),
    }


def _axis(axis: Axis) -> dict[str, Any]:
    """The axis as JSON; a lone surrogate in a label survives as an escape."""
    return {field.name: getattr(axis, field.name) for field in dataclasses.fields(axis)}


def _capture(meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Capture:
    axes = [_read_axis(one) for one in meta["axes"]]
    stacks = {}
    for name, layers in meta["stacks"].items():
        read = [_read_layer(one, name, arrays, axes) for one in layers]
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
    meta: Mapping[str, Any], stack: str, arrays: Mapping[str, np.ndarray], axes: list[Axis]
) -> LayerAttention:
    prefix = f"{stack}/{meta['layer']}/"
    fields = {**meta, "heads": tuple(meta["heads"])}
    fields |= {"queries": axes[meta["queries"]], "keys": axes[meta["keys"]]}
    fields |= {"kept": {name: arrays[prefix + name] for name in meta["kept"]}}
    return LayerAttention(**fields, allowed=arrays.get(prefix + "allowed"))


def _read_axis(meta: Mapping[str, Any]) -> Axis:
    fields: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in meta.items()
    }
    fields["spans"] = tuple(span and (span[0], span[1]) for span in meta["spans"])
    if meta["grid"]:
        fields["grid"] = (meta["grid"][0], meta["grid"][1])
    return Axis(**fields)
