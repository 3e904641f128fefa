"""Everything `attnviz check` proves about one model."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from attnviz.attention.capture import Check
from attnviz.inputs.encode import encode
from attnviz.inputs.tensors import from_tensors
from attnviz.models.placement import is_quantized
from attnviz.models.quiet import hushed
from attnviz.observe.checks.crosscheck import crosscheck, matters
from attnviz.observe.checks.self_check import SelfCheck, verdicts
from attnviz.observe.engine import observe
from attnviz.runs.failures import explained
from attnviz.runs.memory import human
from attnviz.runs.request import RunRequest
from attnviz.runs.scope import planned

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attnviz.inputs.encode import ModelInputs
    from attnviz.models.load import LoadedModel
    from attnviz.runs.plan import Plan

PADDED = 3  # tokens that padding replaces in the second example


def check_model(
    loaded: LoadedModel,
    text: str,
    target: str | None = None,
    request: RunRequest = RunRequest(),
    source_lang: str | None = None,
    target_lang: str | None = None,
) -> list[Check]:
    """Everything that is proved of a model on this text.

    Raises UsageError when the memory is not enough, ModelError when the model cannot be run.
    """
    return check_inputs(loaded, read(loaded, text, target, source_lang, target_lang), request)


def check_inputs(
    loaded: LoadedModel, inputs: ModelInputs, request: RunRequest = RunRequest()
) -> list[Check]:
    """What `check_model` gives, on a text that was read already."""
    plan, why = beside_eager(loaded, inputs.tensors, request)
    with hushed(), explained(loaded, inputs, plan):
        return proofs(loaded, inputs.tensors, why)


def proofs(loaded: LoadedModel, tensors: dict[str, Any], why: str) -> list[Check]:
    """The self-checks, the comparison with eager for every padding, and whether weights matter.

    `why` says why there is no comparison, where there is none.
    """
    checks: list[Check] = []
    for what, padded in paddings(tensors):
        inputs = from_tensors(loaded.model, padded, anatomy=loaded.anatomy)
        if not checks:
            seen = observe(
                loaded, padded, inputs.sources, inputs.targets, lambda site: [SelfCheck()]
            )
            checks += verdicts(seen.stacks().values())
            checks += [Check("nothing left out", False, note) for note in seen.notes]
        if why:
            checks.append(Check(f"equal to eager, {what}", None, f"not compared: {why}"))
            break
        checks += crosscheck(loaded, padded, inputs.sources, inputs.targets, what)
    inputs = from_tensors(loaded.model, tensors, anatomy=loaded.anatomy)
    return checks + matters(loaded, tensors, inputs.sources, inputs.targets)


def read(
    loaded: LoadedModel,
    text: str,
    target: str | None,
    source_lang: str | None = None,
    target_lang: str | None = None,
) -> ModelInputs:
    """The text as it is checked: a decoder reads it too, where it has no target."""
    if target is None and loaded.model.config.is_encoder_decoder:
        target = text
    return encode(loaded, text, target=target, source_lang=source_lang, target_lang=target_lang)


def beside_eager(
    loaded: LoadedModel, tensors: dict[str, Any], request: RunRequest
) -> tuple[Plan, str]:
    """The plan of the maps that are compared with those of eager, and why none are, else empty.

    Both are held at once, of one example or two. Raises UsageError like any run.
    """
    inputs = from_tensors(loaded.model, tensors, anatomy=loaded.anatomy)
    plan = planned(loaded, inputs, request)
    kept = 2 * plan.maps * max(examples(tensors))
    why = ""
    if is_quantized(loaded.model):
        why = "quantized weights cannot be shared with an eager twin"
    elif kept > plan.budget:
        both = f"whole maps beside those of eager take {human(kept)}"
        why = f"{both}, --memory allows {human(plan.budget)}"
    return replace(plan, keeps="scores" if why else "whole", kept=0 if why else kept), why


def runs_of(tensors: dict[str, Any], layers: int, compared: bool) -> int:
    """How often the checks read this text: every padding observed, plain and eager if compared."""
    return 1 + (3 * sum(examples(tensors)) if compared else 0) + 2 + layers


def examples(tensors: dict[str, Any]) -> list[int]:
    """How many there are of every padding."""
    return [len(next(iter(padded.values()))) for _, padded in paddings(tensors)]


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
