"""Proof that a capture shows what the model uses: the eager twin, and changed attention."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from attnviz.attention.capture import Check
from attnviz.models.adapter import adapted_layers
from attnviz.observe.checks.evened import flattened
from attnviz.observe.checks.self_check import tolerance
from attnviz.observe.engine import Layer, observe
from attnviz.observe.module_calls import evaluating
from attnviz.observe.retained import WholeMaps

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

    from attnviz.attention.axis import Axis
    from attnviz.models.loaded import LoadedModel

FIELDS = {
    "attentions": "self",
    "encoder_attentions": "encoder",
    "decoder_attentions": "decoder",
    "cross_attentions": "cross",
}


def crosscheck(
    loaded: LoadedModel,
    tensors: Mapping[str, Any],
    sources: Sequence[Axis],
    targets: Sequence[Axis] | None,
    what: str,
) -> list[Check]:
    """Our weights against the eager twin's, and our run against an unobserved one.

    `what` names the input in the checks ("no padding", "padded left", …). Padded queries are not
    compared: their rows mean nothing.
    """
    model = loaded.model
    with seeded(model):
        seen = observe(loaded, tensors, sources, targets, lambda site: [WholeMaps()])
    with seeded(model), torch.no_grad():
        plain = model(**tensors)
    same = all(identical(a, b) for a, b in zip(flat(seen.outputs), flat(plain), strict=True))
    own = [layer for layer in seen.layers if layer.kept]
    return [
        Check(f"outputs unchanged, {what}", same, "bit-identical" if same else "they differ"),
        *compared(own, eager_maps(model, tensors), tolerance(model.dtype, 16), what),
    ]


def compared(
    layers: Sequence[Layer], eager: Mapping[str, Sequence[Tensor]], limit: float, what: str
) -> list[Check]:
    """One check per output field of the eager twin."""
    name = f"equal to eager, {what}"
    if not eager:
        return [Check(name, None, "not compared: eager returns no attention for this model")]
    checks = []
    for field, maps in eager.items():
        same_role = [layer for layer in layers if layer.place.role == FIELDS[field]]
        own = same_role or ([*layers] if len(eager) == 1 else [])
        if [shape_of(one) for one in own] != [tuple(m.shape) for m in maps]:
            detail = f"not compared: eager returns {len(maps)} {field}, {len(own)} layers were seen"
            checks.append(Check(name, None, detail))
            continue
        if any(float(m.min()) < 0 for m in maps):
            checks.append(Check(name, None, f"not compared: eager {field} are raw scores"))
            continue
        worst = max(difference(one, m) for one, m in zip(own, maps, strict=True))
        detail = f"{field}: {counted(maps)}, largest difference {worst:.1e}"
        checks.append(Check(name, worst <= limit, detail))
    return checks


def counted(found: Sized) -> str:
    """`1 layer`, `12 layers`."""
    return f"{len(found)} layer{'' if len(found) == 1 else 's'}"


def shape_of(layer: Layer) -> tuple[int, ...]:
    """(examples, heads, queries, keys) of a layer's maps."""
    return (len(layer.kept), *layer.kept[0].kept["weights"].shape)


def difference(layer: Layer, eager: Tensor) -> float:
    """The largest absolute difference in any row that is not padding; infinite where one of both is
    NaN.
    """
    worst = 0.0
    for example, kept in enumerate(layer.kept):
        real = ~torch.tensor(kept.queries.padding)
        own = torch.from_numpy(kept.kept["weights"])[:, real]
        other = eager[example].float().cpu()[:, real]
        apart = (own - other).abs().nan_to_num(nan=torch.inf)
        apart[own.isnan() & other.isnan()] = 0
        worst = max(worst, float(apart.amax()) if apart.numel() else 0.0)
    return worst


def eager_maps(model: PreTrainedModel, tensors: Mapping[str, Any]) -> dict[str, list[Tensor]]:
    """What the model's own eager attention returns, (examples, heads, queries, keys) per layer."""
    twin = eager_twin(model)
    with evaluating(model), warnings.catch_warnings():  # layers with adapters are the model's own
        warnings.simplefilter("ignore")
        output = twin(**tensors, output_attentions=True, return_dict=True)
    found = {}
    for field in FIELDS:
        entries = getattr(output, field, None) or ()
        maps = [m for m in entries if isinstance(m, torch.Tensor) and m.ndim == 4]
        if maps:
            found[field] = maps
    return found


def eager_twin(model: PreTrainedModel) -> PreTrainedModel:
    """The same model with eager attention, sharing its weights.

    It is built anew because some models choose their attention class when they are built.
    """
    config = copy.deepcopy(model.config)
    config._attn_implementation = "eager"
    with torch.device("meta"):
        twin: PreTrainedModel = type(model)(config)
    twin.load_state_dict(model.state_dict(), assign=True, strict=False)
    own = dict(model.named_buffers())
    for name, _ in list(twin.named_buffers()):
        parent, _, leaf = name.rpartition(".")
        twin.get_submodule(parent)._buffers[leaf] = own[name]
    twin.tie_weights()
    nn.Module.eval(twin)
    for name, layer in adapted_layers(model):
        twin.set_submodule(name, layer)
    return twin


def matters(
    loaded: LoadedModel,
    tensors: Mapping[str, Any],
    sources: Sequence[Axis],
    targets: Sequence[Axis] | None,
) -> list[Check]:
    """Whether the outputs change when the attention of a layer is made even."""
    name, model = "changed weights change the output", loaded.model
    if "flash" in str(model.config._attn_implementation):
        return [Check(name, None, "not tried: flash kernels cannot be changed from outside")]
    paths = {
        layer.place.path: layer.place
        for layer in observe(loaded, tensors, sources, targets, lambda site: []).layers
    }
    idle = []
    with torch.no_grad():
        with seeded(model):
            before = list(flat(model(**tensors)))
        for path, place in paths.items():
            with seeded(model), flattened(model.get_submodule(path)):
                after = list(flat(model(**tensors)))
            if all(identical(a, b) for a, b in zip(before, after, strict=True)):
                idle.append(f"{place.role} L{place.layer}")
    detail = f"unused: {', '.join(idle)}" if idle else f"in each of {counted(paths)}"
    return [Check(name, not idle, detail)]


@contextmanager
def seeded(model: PreTrainedModel) -> Iterator[None]:
    """Random numbers inside are those of one seed; the caller's go on behind it as before."""
    devices = [model.device] if model.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(0)
        yield


def identical(tensor: Tensor, other: Tensor) -> bool:
    """Whether two tensors hold the same numbers, NaN in the same places."""
    if tensor.shape != other.shape or not tensor.is_floating_point():
        return torch.equal(tensor, other)
    return bool(((tensor == other) | (tensor.isnan() & other.isnan())).all())


def flat(outputs: Any) -> Iterator[Tensor]:
    """Every tensor of a model output, caches left out."""
    if isinstance(outputs, torch.Tensor):
        yield outputs
    elif isinstance(outputs, Mapping):
        for name, value in outputs.items():
            if name != "past_key_values":
                yield from flat(value)
    elif isinstance(outputs, (tuple, list)):
        for value in outputs:
            yield from flat(value)
