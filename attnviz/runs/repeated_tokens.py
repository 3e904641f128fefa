"""Probes: inputs made for what they show of a head, run like any other."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from attnviz.errors import InputError
from attnviz.inputs.repeated import repeated_tokens
from attnviz.runs.request import RunRequest
from attnviz.runs.run import run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attnviz.attention.capture import AttentionStack, Capture, LayerAttention
    from attnviz.models.loaded import LoadedModel

SEEDS = 5
PREFIX_MATCHING = "prefix_matching"


def on_repeated_tokens(
    loaded: LoadedModel, request: RunRequest = RunRequest()
) -> Iterator[Capture]:
    """The captures of SEEDS draws of repeated random tokens, with the score `prefix_matching`.

    That is the weight that queries from the second copy on give to the tokens that followed their
    earlier copies, in [0, 1] (docs/metrics.md, prefix_matching). Raises InputError for a model
    whose self-attention looks ahead, or that cannot take the input (see `repeated_tokens`).
    """
    if loaded.encoder_decoder:
        raise InputError(*no_decoder(loaded))
    for seed in range(SEEDS):
        inputs = repeated_tokens(loaded, seed, request.bos)
        capture = run(loaded, inputs, request)[0]
        if not any(layer.causal for stack in capture.stacks.values() for layer in layers(stack)):
            raise InputError(*no_decoder(loaded))
        stacks = {name: with_prefix_matching(stack) for name, stack in capture.stacks.items()}
        yield replace(capture, stacks=stacks)


def with_prefix_matching(stack: AttentionStack) -> AttentionStack:
    """The stack of a run on repeated distinct tokens, with the score in its causal layers.

    There `induction` is prefix matching: the queries that it averages over, those with an earlier
    copy, are those from the second copy on.
    """
    found = {layer.layer: scored(layer) if layer.causal else layer for layer in layers(stack)}
    return replace(stack, by_layer=found)


def scored(layer: LayerAttention) -> LayerAttention:
    """The layer with `score.prefix_matching`, in front of the other scores."""
    found = {f"score.{PREFIX_MATCHING}": layer.kept["score.induction"]}
    return replace(layer, kept=found | dict(layer.kept))


def layers(stack: AttentionStack) -> Iterator[LayerAttention]:
    """The layers of the stack, in order."""
    return (stack.by_layer[number] for number in stack.layers)


def no_decoder(loaded: LoadedModel) -> tuple[str, str]:
    """What to say of a model in which copies are not looked for from left to right."""
    return (
        f"{loaded.facts.name} is no decoder language model: prefix matching is defined for those",
        'rank its heads on a text: attnviz heads "…" --sort duplicate',
    )
