"""What one run of a model left behind: stacks of layers, scores, facts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.attention.ranges import ranges
from attnviz.errors import CaptureError, SelectionError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from attnviz.attention.axis import Axis
    from attnviz.attention.store.rounded import StoreDtype

STACK_ORDER = ("cross", "self", "decoder", "encoder")


@dataclass(frozen=True, repr=False)
class LayerAttention:
    """What was kept of one layer of a stack.

    `heads` are the observed query heads (of `n_heads`), over which the first axis of most arrays in
    `kept` runs. What each array is, by its name, says the table in `attnviz.attention.kept`.
    `allowed`: bool (queries, keys), absent when the maps were not kept.
    """

    layer: int
    order: int
    path: str
    n_heads: int
    heads: tuple[int, ...]
    queries: Axis
    keys: Axis
    causal: bool
    cross: bool
    kept: Mapping[str, np.ndarray]
    allowed: np.ndarray | None = None

    def __repr__(self) -> str:
        size = f"{len(self.heads)} heads, {len(self.queries)} queries, {len(self.keys)} keys"
        return f"<LayerAttention {self.layer}: {size}, kept {', '.join(self.kept)}>"


@dataclass(frozen=True, repr=False)
class AttentionStack:
    """The layers of one stack, by their number in the model."""

    name: str
    by_layer: Mapping[int, LayerAttention]

    def __repr__(self) -> str:
        heads = max((one.n_heads for one in self.by_layer.values()), default=0)
        return f"<AttentionStack {self.name}: layers {ranges(self.layers)}, {heads} heads>"

    @property
    def layers(self) -> list[int]:
        """The layers that have attention, in order; hybrid models leave gaps."""
        return sorted(self.by_layer)

    def layer(self, layer: int) -> LayerAttention:
        """Everything kept of one layer. Raises SelectionError when it does not exist."""
        if layer not in self.by_layer:
            raise SelectionError(
                f"layer {layer} does not exist: stack {self.name} has layers {ranges(self.layers)}"
            )
        return self.by_layer[layer]

    def heads(self, layer: int) -> tuple[int, ...]:
        """The observed heads of a layer."""
        return self.layer(layer).heads

    def queries(self, layer: int) -> Axis:
        """The query axis of a layer."""
        return self.layer(layer).queries

    def keys(self, layer: int) -> Axis:
        """The key axis of a layer."""
        return self.layer(layer).keys

    def allowed(self, layer: int) -> np.ndarray:
        """Bool (queries, keys): False where the mask forbids the key or it is padding."""
        found = self.layer(layer)
        if found.allowed is None:
            return np.ones((len(found.queries), len(found.keys)), bool)
        return found.allowed

    def has_weights(self, layer: int) -> bool:
        """Whether the maps of this layer were kept whole."""
        return "weights" in self.layer(layer).kept

    def weights(self, layer: int, head: int | None = None) -> np.ndarray:
        """The weights of a layer, float32 (heads, queries, keys), or of one head, (queries, keys).

        Raises CaptureError when the plan kept only pooled maps or scores, SelectionError when the
        layer or head was not observed.
        """
        found = self.layer(layer)
        weights = found.kept.get("weights")
        if weights is None:
            raise CaptureError(
                f"the maps of layer {layer} were not kept whole",
                "select fewer layers or heads, or give --memory more",
            )
        return np.asarray(weights if head is None else weights[self.head_index(layer, head)])

    def head_index(self, layer: int, head: int) -> int:
        """Where `head` stands on the head axis of the arrays of `layer`."""
        found = self.layer(layer)
        if head not in found.heads:
            raise SelectionError(
                f"head {head} does not exist: layer {layer} has heads {ranges(found.heads)}"
            )
        return found.heads.index(head)

    def score(self, name: str) -> np.ndarray:
        """One score of every head, (layers, heads); NaN where a layer has no such head."""
        width = max((max(one.heads) + 1 for one in self.by_layer.values() if one.heads), default=0)
        out = np.full((len(self.by_layer), width), np.nan)
        for row, layer in enumerate(self.layers):
            found = self.by_layer[layer]
            values = found.kept.get(f"score.{name}")
            if values is not None:
                out[row, list(found.heads)] = values
        return out

    @property
    def score_names(self) -> list[str]:
        """The scores that some layer has, in the order they were computed."""
        names: dict[str, None] = {}
        for layer in self.layers:
            for key in self.by_layer[layer].kept:
                if key.startswith("score."):
                    names[key.removeprefix("score.")] = None
        return list(names)


@dataclass(frozen=True)
class ModelFacts:
    """What the picture says of the model.

    `layers`, `heads` and `kv_heads` are those of the main stack: where there are fewer key-value
    heads than heads (grouped-query attention), as many heads as it takes share each, in their
    order. 0 stands for unknown.
    """

    name: str
    architecture: str = ""
    revision: str | None = None
    layers: int = 0
    heads: int = 0
    parameters: int = 0
    dtype: str = ""
    device: str = ""
    implementation: str = ""
    kv_heads: int = 0


@dataclass(frozen=True)
class Prediction:
    """What the task head says: `task`, and for each place asked about its best answers.

    `items` holds (where, ((answer, probability), …)), best first; `where` is empty when the model
    predicts one thing for the whole input. `note` explains an absent prediction.
    """

    task: str = ""
    items: tuple[tuple[str, tuple[tuple[str, float], ...]], ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Check:
    """One check of a capture: its name, whether it held, and the figure behind it.

    `ok` is None for what could not be compared or tried; `detail` says why.
    """

    name: str
    ok: bool | None
    detail: str = ""


@dataclass(frozen=True, repr=False)
class Capture:
    """One run of a model on one input, with all that was kept of its attention."""

    model: ModelFacts
    stacks: Mapping[str, AttentionStack]
    text: str = ""
    pair: str | None = None
    target: str | None = None
    prediction: Prediction = field(default_factory=Prediction)
    checks: tuple[Check, ...] = ()
    notes: tuple[str, ...] = ()
    plan: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        text = self.text if len(self.text) <= 40 else f"{self.text[:39]}…"
        stacks = "".join(f"\n  {stack!r}" for stack in self.stacks.values())
        return f"<Capture {self.model.name} {text!r}{stacks}>"

    @property
    def scores(self) -> dict[str, dict[str, np.ndarray]]:
        """`scores[stack][name]`: float (layers, heads), NaN where a layer has no such head."""
        return {
            name: {score: stack.score(score) for score in stack.score_names}
            for name, stack in self.stacks.items()
        }

    @property
    def main_stack(self) -> AttentionStack:
        """The stack to show first: cross attention where there is one, else self attention.

        Raises CaptureError when there is none.
        """
        for name in (*STACK_ORDER, *self.stacks):
            if name in self.stacks:
                return self.stacks[name]
        raise CaptureError("the capture holds no attention", "run the model again")

    def stack(self, name: str | None = None) -> AttentionStack:
        """The stack called `name`, or the main one. Raises SelectionError when there is none."""
        if name is None:
            return self.main_stack
        if name not in self.stacks:
            raise SelectionError(
                f"stack {name} does not exist: {self.model.name} has {', '.join(self.stacks)}"
            )
        return self.stacks[name]

    def save(self, path: str | Path, dtype: StoreDtype = "float32") -> None:
        """Write everything to a safetensors file that `attnviz.open` reads without a model.

        `dtype` float16 or uint8 rounds the maps, and the saved capture notes by how much. Raises
        OutputError.
        """
        from attnviz.attention.store.writer import save

        save(self, path, dtype)
