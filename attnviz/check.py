"""Everything `attnviz check` proves about one model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from attnviz.attention.capture import Check
from attnviz.inputs.encode import encode
from attnviz.inputs.tensors import from_tensors
from attnviz.models.placement import is_quantized
from attnviz.observe.checks import SelfCheck, verdicts
from attnviz.observe.crosscheck import crosscheck, matters
from attnviz.observe.engine import observe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attnviz.inputs.encode import ModelInputs
    from attnviz.models.load import LoadedModel

PADDED = 3  # tokens that padding replaces in the second example


def check_model(loaded: LoadedModel, text: str, target: str | None = None) -> list[Check]:
    """The self-checks, the comparison with eager for every padding, and whether weights matter."""
    tensors = read(loaded, text, target).tensors
    checks: list[Check] = []
    for what, padded in paddings(tensors):
        inputs = from_tensors(loaded.model, padded)
        if not checks:
            seen = observe(
                loaded.model, padded, inputs.sources, inputs.targets, lambda site: [SelfCheck()]
            )
            checks += verdicts(seen.stacks().values())
            checks += [Check("nothing left out", False, note) for note in seen.notes]
        if is_quantized(loaded.model):
            why = "not compared: quantized weights cannot be shared with an eager twin"
            checks.append(Check(f"equal to eager, {what}", None, why))
            break
        checks += crosscheck(loaded.model, padded, inputs.sources, inputs.targets, what)
    inputs = from_tensors(loaded.model, tensors)
    return checks + matters(loaded.model, tensors, inputs.sources, inputs.targets)


def read(loaded: LoadedModel, text: str, target: str | None) -> ModelInputs:
    """The text as it is checked: a decoder reads it too, where it has no target."""
    if target is None and loaded.model.config.is_encoder_decoder:
        target = text
    return encode(loaded, text, target=target)


def effort(loaded: LoadedModel, tensors: dict[str, Any], layers: int) -> tuple[int, int]:
    """How often the checks read this text, and how many sets of all its maps they hold at once.

    Every padding of one or two examples is run observed, plain and eager, with both maps kept.
    """
    if is_quantized(loaded.model):
        return 1 + 2 + layers, 0
    examples = [len(next(iter(padded.values()))) for _, padded in paddings(tensors)]
    return 1 + 3 * sum(examples) + 2 + layers, 2 * max(examples)


def paddings(tensors: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The input alone, and twice with the second one shortened on either side."""
    yield "no padding", tensors
    mask = tensors.get("attention_mask")
    if mask is None or mask.shape[1] <= PADDED + 2:
        return
    for side, cut in (("right", slice(-PADDED, None)), ("left", slice(0, PADDED))):
        double = {
            name: torch.cat([value, value]) if isinstance(value, torch.Tensor) else value
            for name, value in tensors.items()
        }
        double["attention_mask"][1, cut] = 0
        yield f"padded {side}", double
