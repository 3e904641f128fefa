"""One run: a model and an input in, a Capture out."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING

from attnviz.attention.capture import Capture
from attnviz.errors import CaptureError, SelectionError
from attnviz.inputs.text import Text
from attnviz.observe.checks.self_check import IGNORES_PADDING, verdicts
from attnviz.observe.engine import Observation, observe
from attnviz.runs.failures import explained
from attnviz.runs.layers import in_layers, told_layers, validate
from attnviz.runs.plan import Plan
from attnviz.runs.request import RunRequest
from attnviz.runs.retain import Keeper
from attnviz.runs.scope import planned, wanted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from attnviz.attention.capture import AttentionStack, Check, ModelFacts
    from attnviz.attention.selection import Selection
    from attnviz.inputs.encode import ModelInputs
    from attnviz.models.load import LoadedModel
    from attnviz.observe.engine import Wanted

GIVE_TARGET = 'the decoder needs a text: --target "…"'


def run(
    loaded: LoadedModel, inputs: ModelInputs, request: RunRequest = RunRequest()
) -> list[Capture]:
    """One capture per example: the model runs once, observed as the request and plan say."""
    from attnviz.runs.predict import predict

    selection = request.selection
    if inputs.encoder_only and selection.stack in ("decoder", "cross"):
        raise SelectionError(
            f"stack {selection.stack} was not run: the decoder of {loaded.facts.name} has no text",
            GIVE_TARGET,
        )
    seen, keeper = observed(loaded, inputs, request)
    found = stacks_of(seen, inputs, selection, loaded.facts.name)
    checks = verdicts(stack for stacks in found for stack in stacks.values())
    broken = broken_checks(checks)
    if broken and not request.untrusted:
        raise CaptureError(
            f"the capture of {loaded.facts.name} cannot be trusted: {broken}",
            "attnviz check compares it with the model's own eager weights, and "
            "attnviz inspect --untrusted shows it",
        )
    doubts = (f"not to be trusted: {broken}",) if broken else ()
    notes = (*doubts, *loaded.notes, *inputs.notes, *seen.notes, *keeper.notes)
    texts = inputs.texts or [Text("")] * len(found)
    return [
        Capture(
            model=facts_of(loaded.facts, seen),
            stacks=stacks,
            text=text.text,
            pair=text.pair,
            target=text.target,
            prediction=predict(loaded, seen.outputs, inputs, example),
            checks=checks,
            notes=notes,
            plan={
                "budget": keeper.plan.budget,
                "maps": keeper.plan.maps,
                "kept": keeper.used,
                "line": keeper.line(len(found)),
            },
        )
        for example, (stacks, text) in enumerate(zip(found, texts, strict=True))
    ]


def stacks_of(
    seen: Observation, inputs: ModelInputs, selection: Selection, name: str
) -> list[dict[str, AttentionStack]]:
    """The stacks of every example. Raises CaptureError where nothing was kept of one, or nothing of
    the stack that was asked for.
    """
    found = [seen.stacks(example) for example in range(len(inputs.sources))]
    if not all(selection.stack in one if selection.stack else one for one in found):
        why = "; ".join(seen.notes) or (GIVE_TARGET if inputs.encoder_only else "")
        raise CaptureError(f"no attention map of {name} can be shown", why)
    return found


def broken_checks(checks: Iterable[Check]) -> str:
    """The self-checks that failed, in words; what goes to padding is the model's own doing."""
    failed = (one for one in checks if one.ok is False and one.name != IGNORES_PADDING)
    return "; ".join(f"{check.name}: {check.detail}" for check in failed)


def observed(
    loaded: LoadedModel, inputs: ModelInputs, request: RunRequest
) -> tuple[Observation, Keeper]:
    """The observed run, and what chose what was kept of it.

    Where the config told of other layers than the model has, and some are counted from the end, it
    runs once more. Raises SelectionError for what does not exist.
    """
    asked = request.selection
    spare = uncached(inputs) if asked.counts_back else inputs
    first = from_start(loaded, inputs, request)
    seen, keeper = attempt(loaded, inputs, first)
    layers = validate(seen, asked, loaded.facts.name)
    if asked.counts_back and first != (right := in_layers(request, layers)):
        seen, keeper = attempt(loaded, spare, right)
    return seen, keeper


def attempt(
    loaded: LoadedModel, inputs: ModelInputs, request: RunRequest
) -> tuple[Observation, Keeper]:
    """One run, observed as the request and the plan for it say."""
    keeper = Keeper(planned(loaded, inputs, request), request.selection)
    return guarded(loaded, inputs, wanted(inputs, request.selection), keeper), keeper


def from_start(loaded: LoadedModel, inputs: ModelInputs, request: RunRequest) -> RunRequest:
    """The request with layers that count from the end named by their numbers.

    They are those that the config tells of, else those of a run that observes nothing. Raises
    SelectionError for a layer that the model does not have.
    """
    if not request.selection.counts_back:
        return request
    layers = told_layers(loaded, inputs, request.selection)
    if layers is None:
        keeper = Keeper(Plan(budget=0, maps=0))
        seen = guarded(loaded, uncached(inputs), lambda *_: (), keeper)
        layers = validate(seen, request.selection, loaded.facts.name)
    return in_layers(request, layers)


def uncached(inputs: ModelInputs) -> ModelInputs:
    """The inputs with copies of all that a run may change: a cache grows with every run."""
    tensors = {
        name: value if hasattr(value, "dtype") else copy.deepcopy(value)
        for name, value in inputs.tensors.items()
    }
    return replace(inputs, tensors=tensors)


def facts_of(facts: ModelFacts, seen: Observation) -> ModelFacts:
    """The facts with the layers and heads that were really seen, where the config had none."""
    if facts.layers and facts.heads:
        return facts
    layers = len({layer.place.layer for layer in seen.layers})
    return replace(facts, layers=layers, heads=max(layer.n_heads for layer in seen.layers))


def guarded(
    loaded: LoadedModel,
    inputs: ModelInputs,
    wants: Wanted,
    keeper: Keeper,
) -> Observation:
    """The observed run. Raises ModelError, see `explained`."""
    with explained(loaded, inputs, keeper.plan):
        return observe(loaded, inputs.tensors, inputs.sources, inputs.targets, keeper, wants)
