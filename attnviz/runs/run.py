"""One run: a model and an input in, a Capture out."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from attnviz.attention.capture import Capture
from attnviz.attention.selection import Range, Selection
from attnviz.errors import CaptureError, InputError, SelectionError
from attnviz.inputs.text import Text
from attnviz.observe.checks.self_check import IGNORES_PADDING, verdicts
from attnviz.observe.engine import Observation, observe
from attnviz.runs.failures import explained
from attnviz.runs.plan import Plan
from attnviz.runs.retain import Keeper, planned, wanted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from torch import Tensor, nn

    from attnviz.attention.capture import AttentionStack, Check, ModelFacts
    from attnviz.inputs.encode import ModelInputs
    from attnviz.models.load import LoadedModel
    from attnviz.observe.engine import Wanted

GIVE_TARGET = 'the decoder needs a text: --target "…"'


def capture(
    model: LoadedModel | nn.Module,
    inputs: str | Mapping[str, Any] | tuple[Any, ...] | Tensor,
    *,
    pair: str | None = None,
    target: str | None = None,
    source_lang: str | None = None,
    target_lang: str | None = None,
    layers: Sequence[int] | None = None,
    heads: Sequence[int] | None = None,
    memory: str | None = None,
    untrusted: bool = False,
) -> Capture:
    """The attention of one text, or of one example given as tensors.

    `model` comes from `attnviz.load`, or is any transformers model or module of PyTorch; then
    `inputs` is what its forward takes: a mapping, a tuple, or one tensor. Modules are seen where
    they call `nn.MultiheadAttention` or `F.scaled_dot_product_attention`. `pair` is the second
    text of a pair, `target` the decoder's text, `source_lang` and `target_lang` the codes of their
    languages for models that mark them. `layers` and `heads` restrict what is observed:
    the rest costs nothing. `memory` (such as "4GiB") bounds the maps that are kept; what does not
    fit is pooled. A capture that fails its self-checks (weights that are not finite, rows that do
    not sum to 1) is an error, unless `untrusted`: then its `checks` and `notes` say what failed.

    Raises InputError, SelectionError, CaptureError or ModelError.
    """
    selection = Selection.parse(layer=_listed(layers), head=_listed(heads))
    if isinstance(inputs, str):
        from attnviz.inputs.encode import encode
        from attnviz.models.load import wrap

        loaded = wrap(model)
        encoded = encode(
            loaded,
            inputs,
            pair=pair,
            target=target,
            source_lang=source_lang,
            target_lang=target_lang,
        )
        return run(loaded, encoded, selection, memory, untrusted)[0]
    if any(one is not None for one in (pair, target, source_lang, target_lang)):
        raise InputError(
            "tensors are given whole", "leave pair, target, source_lang and target_lang out"
        )
    found = captures(model, inputs, selection=selection, memory=memory, untrusted=untrusted)
    if len(found) > 1:
        raise InputError(
            f"the tensors hold {len(found)} examples, a capture holds one",
            "attnviz.captures gives a list",
        )
    return found[0]


def captures(
    model: LoadedModel | nn.Module,
    tensors: Mapping[str, Any] | tuple[Any, ...] | Tensor,
    *,
    selection: Selection | None = None,
    memory: str | None = None,
    untrusted: bool = False,
) -> list[Capture]:
    """The attention of every example of a batch of tensors, padded on either side."""
    from attnviz.inputs.tensors import from_tensors
    from attnviz.models.load import wrap

    loaded = wrap(model)
    inputs = from_tensors(loaded.model, tensors, loaded.tokenizer, loaded.anatomy)
    return run(loaded, inputs, selection or Selection(), memory, untrusted)


def run(
    loaded: LoadedModel,
    inputs: ModelInputs,
    selection: Selection | None = None,
    memory: str | None = None,
    untrusted: bool = False,
) -> list[Capture]:
    """One capture per example: the model runs once, observed as the selection and plan say."""
    from attnviz.models.predict import predict

    selection = selection or Selection()
    if inputs.encoder_only and selection.stack in ("decoder", "cross"):
        raise SelectionError(
            f"stack {selection.stack} was not run: the decoder of {loaded.facts.name} has no text",
            GIVE_TARGET,
        )
    selection = counted(loaded, inputs, selection)
    wants = wanted(inputs, selection)
    keeper = Keeper(planned(loaded, inputs, selection, memory), selection)
    seen = guarded(loaded, inputs, wants, keeper)
    validate(seen, selection, loaded.facts.name)
    found = stacks_of(seen, inputs, selection, loaded.facts.name)
    checks = verdicts(stack for stacks in found for stack in stacks.values())
    broken = broken_checks(checks)
    if broken and not untrusted:
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


def counted(loaded: LoadedModel, inputs: ModelInputs, selection: Selection) -> Selection:
    """The selection with its layers counted from the start.

    Layers that count from the end take a run that observes nothing, to see which there are.
    Raises SelectionError for a layer that the model does not have.
    """
    if not selection.counts_back:
        return selection
    tensors = {  # a cache grows with every run
        name: value if hasattr(value, "dtype") else copy.deepcopy(value)
        for name, value in inputs.tensors.items()
    }
    keeper = Keeper(Plan(budget=0, maps=0))
    seen = guarded(loaded, replace(inputs, tensors=tensors), lambda *_: (), keeper)
    numbers = validate(seen, selection, loaded.facts.name)
    return replace(selection, layers=tuple(Range(number, number) for number in numbers))


def validate(seen: Observation, selection: Selection, name: str) -> list[int]:
    """The layers asked for. Raises SelectionError for a layer, head or stack that is not there."""
    names = seen.stack_names
    layers = [layer for layer in seen.layers if layer.parts == 1]
    if selection.stack is not None:
        if selection.stack not in names.values():
            known = ", ".join(dict.fromkeys(names.values()))
            raise SelectionError(f"stack {selection.stack} does not exist: {name} has {known}")
        layers = [
            one for one in layers if names[one.place.role, one.place.pattern] == selection.stack
        ]
    available = sorted({layer.place.layer for layer in layers})
    numbers = selection.layer_numbers(available, name)
    for number in numbers:
        heads = max(one.n_heads for one in layers if one.place.layer == number)
        selection.heads_of(number, heads, name)
    return numbers


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


def _listed(numbers: Sequence[int] | None) -> str | None:
    return None if numbers is None else ",".join(str(n) for n in numbers)
