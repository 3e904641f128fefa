"""Which words of the source a translation aligns to, in the Pharaoh format."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnviz.attention.words import merge_words, word_groups
from attnviz.errors import SelectionError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from attnviz.attention.axis import Axis
    from attnviz.attention.capture import AttentionStack
    from attnviz.attention.words import Groups

LEAST = 0.1


def alignment(
    stack: AttentionStack,
    wanted: Mapping[int, tuple[int, ...]],
    soft: bool = False,
    least: float | None = None,
) -> str:
    """`0-0 1-2 …`: for every word of the target the word of the source with most attention.

    Numbers count words from 0, source first, special tokens and padding left out; punctuation
    counts as words. The maps are averaged over the wanted heads (layer, heads), keys summed and
    queries averaged over the tokens of a word (docs/metrics.md, pharaoh). The row of a token is the
    one that predicts it, whose input is the token before: align with output, as fairseq's
    `extract_hard_alignment` does.

    `soft` gives every pair `i-j:weight`, the share of the attention of all keys. Pairs below
    `least` are left out; without it, soft ones below 0.1. A target word with no weight on words
    of the source aligns to none. Raises SelectionError for a stack that is not cross attention,
    maps that were not kept whole, and layers that differ in their tokens.
    """
    weights = word_weights(stack, wanted)
    if soft:
        shown = weights >= (LEAST if least is None else least)
    else:
        shown = np.zeros(weights.shape, bool)
        if weights.size:
            shown[np.arange(len(weights)), weights.argmax(axis=1)] = True
        shown &= weights >= (least or 0.0)
    shown &= weights > 0
    return " ".join(
        f"{source}-{target}" + (f":{weights[target, source]:.4g}" if soft else "")
        for source, target in np.argwhere(shown.T).tolist()
    )


def word_weights(stack: AttentionStack, wanted: Mapping[int, tuple[int, ...]]) -> np.ndarray:
    """Float (target words, source words): the mean over the wanted heads. Raises SelectionError."""
    maps = mean_map(stack, wanted)
    layer = stack.layer(next(iter(wanted)))
    said = layer.queries.take(range(1, len(layer.queries)))  # what the rows but the last predict
    rows = np.where(np.array(layer.queries.padding, bool)[:, None], 0, np.nan_to_num(maps))[:-1]
    targets, sources = word_groups(said), word_groups(layer.keys)
    merged = merge_words(rows, targets, sources)
    return np.asarray(merged[np.ix_(real_words(said, targets), real_words(layer.keys, sources))])


def mean_map(stack: AttentionStack, wanted: Mapping[int, tuple[int, ...]]) -> np.ndarray:
    """Float64 (queries, keys): the mean over the wanted heads. Raises SelectionError."""
    layers = [stack.layer(number) for number in wanted]
    for layer in layers:
        if not layer.cross:
            raise SelectionError(
                f"stack {stack.name} does not look from a target at a source",
                "alignments come from --stack cross of an encoder-decoder",
            )
        if "weights" not in layer.kept:
            raise SelectionError(
                f"the maps of layer {layer.layer} were not kept whole",
                "select fewer layers or heads, or give --memory more",
            )
        if layer.queries != layers[0].queries or layer.keys != layers[0].keys:
            raise SelectionError(
                f"layers {layers[0].layer} and {layer.layer} differ in their tokens",
                "select one layer",
            )
    total = np.zeros((len(layers[0].queries), len(layers[0].keys)))
    for layer in layers:
        for head in wanted[layer.layer]:
            total += stack.weights(layer.layer, head)
    return np.asarray(total / sum(len(heads) for heads in wanted.values()))


def real_words(axis: Axis, groups: Groups) -> list[int]:
    """Which of these words are words of the text: no special tokens, no padding."""
    return [
        number
        for number, (first, *_) in enumerate(groups)
        if not axis.special[first] and not axis.padding[first] and axis.words[first] is not None
    ]
