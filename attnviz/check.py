"""Everything `attnviz check` proves about one model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from attnviz.attention.capture import Check
from attnviz.inputs.encode import encode
from attnviz.inputs.tensors import from_tensors
from attnviz.observe.checks import SelfCheck, verdicts
from attnviz.observe.crosscheck import crosscheck, matters
from attnviz.observe.engine import observe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attnviz.models.load import LoadedModel

PADDED = 3  # tokens that padding replaces in the second example


def check_model(loaded: LoadedModel, text: str, target: str | None = None) -> list[Check]:
    """The self-checks, the comparison with eager for every padding, and whether weights matter."""
    if target is None and loaded.model.config.is_encoder_decoder:
        target = text
    tensors = encode(loaded, text, target=target).tensors
    checks: list[Check] = []
    for what, padded in paddings(tensors):
        inputs = from_tensors(loaded.model, padded)
        if not checks:
            seen = observe(
                loaded.model, padded, inputs.sources, inputs.targets, lambda site: [SelfCheck()]
            )
            checks += verdicts(seen.stacks().values())
            checks += [Check("nothing left out", False, note) for note in seen.notes]
        checks += crosscheck(loaded.model, padded, inputs.sources, inputs.targets, what)
    inputs = from_tensors(loaded.model, tensors)
    return checks + matters(loaded.model, tensors, inputs.sources, inputs.targets)


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
