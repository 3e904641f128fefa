"""How one query of one head of a model comes to its weights and its output."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from attnviz.errors import CaptureError
from attnviz.mechanisms import dot, soft
from attnviz.mechanisms.attention import close
from attnviz.models.anatomy.handed import missing
from attnviz.models.placement import is_quantized
from attnviz.observe.engine import observe
from attnviz.observe.head_call import HeadCall, KeepCall
from attnviz.tracing.recurrent import decoder_call

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from torch import Tensor

    from attnviz.attention.capture import LayerAttention
    from attnviz.inputs.encode import ModelInputs
    from attnviz.models.loaded import LoadedModel
    from attnviz.observe.engine import Observation

UNPROVEN = "no projection was seen to get just what the heads mixed"
CLOSE = 1e-5  # how far recomputed weights may be from the model's, in float32


@dataclass(frozen=True)
class HeadSteps:
    """Every step of one query of one head, float64, in the order in which they are computed.

    query: (d), key: (keys, d), value: (keys, d_v). `scores`, `scaled`, `capped`, `biased` and
    `masked`, (keys), lead to `weights`, (keys); a step that the model does not have is None.
    `sink` is the (score, weight) of a learned sink. `output` is (d_v). `written`, (keys), is
    ‖weight · v · W_O‖ of every key and `written_output` that of their sum; None where the output
    projection is not known, and `unwritten` says why. `difference` is how far `weights` are from
    those of the model. `group` is the key-value head out of `groups`, `heads` how many query heads
    there are. `family` names the score: where it is no dot product, `query` and `key` hold what it
    multiplies.
    """

    query: np.ndarray
    key: np.ndarray
    value: np.ndarray
    scores: np.ndarray
    scaled: np.ndarray
    capped: np.ndarray | None
    biased: np.ndarray | None
    masked: np.ndarray
    weights: np.ndarray
    output: np.ndarray
    written: np.ndarray | None
    written_output: float | None
    scale: float
    softcap: float | None
    sink: tuple[float, float] | None
    group: int
    groups: int
    heads: int
    difference: float
    family: str = "dot"
    unwritten: str = UNPROVEN


def head_steps(
    loaded: LoadedModel, inputs: ModelInputs, layer: LayerAttention, head: int, row: int
) -> HeadSteps:
    """Run the model once more and recompute one query of one head by plain arithmetic.

    Raises CaptureError where queries and keys cannot be seen, and where the steps do not give the
    weights that the model uses.
    """
    name, label = loaded.facts.name, f"L{layer.layer}H{head}"
    step = decoder_call(loaded.model, inputs.tensors, layer.path, row)
    if step is not None:
        return computed(step, layer.n_heads, False, f"{label} of {name}")
    keeper = KeepCall(layer, head, row)

    def wanted(role: str, number: int, heads: int) -> Sequence[int]:
        return (head,) if number == layer.layer and head < heads else ()

    seen = observe(
        loaded, inputs.tensors, inputs.sources, inputs.targets, lambda _: [keeper], wanted
    )
    if keeper.found is None:
        raise CaptureError(
            f"the queries and keys of {label} cannot be seen: {name} computes attention itself",
            f'its weights can be shown: attnviz inspect "…" --head {label}',
        )
    steps = computed(keeper.found, layer.n_heads, proven(seen, layer), f"{label} of {name}")
    if keeper.found.projection is None and not is_quantized(loaded.model):
        return replace(steps, unwritten=f"its module is not known; {missing('output_projection')}")
    return steps


def proven(seen: Observation, layer: LayerAttention) -> bool:
    """Whether the output projection of this layer was seen to get what its heads mixed."""
    return any(
        one.proof is not None and one.proof.holds
        for one in seen.layers
        if (one.place.path, one.place.order) == (layer.path, layer.order)
    )


def computed(call: HeadCall, heads: int, projected: bool, name: str) -> HeadSteps:
    """The steps of a call. Raises CaptureError when they do not give its weights."""
    scores = dot(call.query[None], call.key)[0]
    scaled = scores * call.scale
    capped = None if call.softcap is None else call.softcap * torch.tanh(scaled / call.softcap)
    last = scaled if capped is None else capped
    biased = None if call.bias is None else last + call.bias
    masked = close(last if biased is None else biased, call.allowed)
    weights, sink = weighed(masked, call.sink)
    difference = float((weights - call.weights).abs().max())
    largest = float(scaled[call.allowed].abs().max()) if bool(call.allowed.any()) else 0.0
    if not difference <= max(CLOSE, call.rounding * largest):
        raise CaptureError(
            f"the steps of {name} cannot be shown: scale, mask and softmax give weights that are "
            f"up to {difference:.2g} from the model's own, so that it does something else besides",
            "attnviz inspect shows the weights themselves",
        )
    added = weights[:, None] * call.value  # (keys, d_v)
    output = added.sum(dim=0)
    projection = call.projection if projected else None
    written = None if projection is None else (added @ projection).norm(dim=-1)
    return HeadSteps(
        query=array(call.query),
        key=array(call.key),
        value=array(call.value),
        scores=array(scores),
        scaled=array(scaled),
        capped=None if capped is None else array(capped),
        biased=None if biased is None else array(biased),
        masked=array(masked),
        weights=array(weights),
        output=array(output),
        written=None if written is None else array(written),
        written_output=None if projection is None else float((output @ projection).norm()),
        scale=call.scale,
        softcap=call.softcap,
        sink=sink,
        group=call.group,
        groups=call.groups,
        heads=heads,
        difference=difference,
        family=call.family,
    )


def weighed(masked: Tensor, sink: float | None) -> tuple[Tensor, tuple[float, float] | None]:
    """The weights (keys) of one query, and score and weight of a sink beside the keys."""
    if sink is None:
        return soft(masked[None])[0], None
    weights = soft(torch.cat([masked, masked.new_tensor([sink])])[None])[0]
    return weights[:-1], (sink, float(weights[-1]))


def array(tensor: Tensor) -> np.ndarray:
    """The tensor as a NumPy array."""
    found: np.ndarray = tensor.detach().cpu().numpy()
    return found
