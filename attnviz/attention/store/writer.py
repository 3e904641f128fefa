"""Captures written to safetensors files that need no model to be read."""

from __future__ import annotations

import dataclasses
import json
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.attention.kept import look_up
from attnviz.attention.store.description import FORMAT, KEY, MASK, SCALE
from attnviz.attention.store.rounded import rounded, rounding_note
from attnviz.attention.store.seal import head_seals, seal
from attnviz.errors import OutputError
from attnviz.files import written

if TYPE_CHECKING:
    from attnviz.attention.axis import Axis
    from attnviz.attention.capture import Capture, LayerAttention
    from attnviz.attention.store.rounded import StoreDtype


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
    notes = (
        *(note for note in capture.notes if note != rounding_note(before)),
        rounding_note(after),
    )
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
        self.arrays.setdefault(f"{MASK}{number}", np.ascontiguousarray(allowed))
        self.seals.setdefault(f"{MASK}{number}", [seal(allowed)])
        return number


def _axis(axis: Axis) -> dict[str, Any]:
    """The axis as JSON; a lone surrogate in a label survives as an escape."""
    return {field.name: getattr(axis, field.name) for field in dataclasses.fields(axis)}
