"""Sub-word tokens merged into words: columns are summed, rows averaged (docs/metrics.md, words)."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from attnviz.attention.axis import Axis

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attnviz.attention.capture import LayerAttention

Groups = tuple[tuple[int, ...], ...]
PIECE_MARK = "##"
BLOCK = 2**18  # weights that are merged together, so that no copy of all is made
BYTES = re.compile(r"(?:\\x[0-9a-f]{2})+")


def word_groups(axis: Axis) -> Groups:
    """The positions of every word, in order; together they cover the axis.

    A word is a run of tokens with one word number in one segment. Special tokens and padding
    stay alone.
    """

    def word(i: int) -> tuple[int, ...]:
        number = axis.words[i]
        if number is None or axis.padding[i] or axis.special[i]:
            return (i,)
        return (-1, axis.segments[i], number)

    return tuple(tuple(run) for _, run in groupby(range(len(axis)), key=word))


def joined_label(labels: Sequence[str]) -> str:
    """The text of a word from the labels of its tokens; bytes that make characters become those."""
    first, *rest = labels
    text = first + "".join(
        label.removeprefix(PIECE_MARK) if len(label) > len(PIECE_MARK) else label for label in rest
    )
    return BYTES.sub(_decoded, text).lstrip(" ") or text


def _decoded(run: re.Match[str]) -> str:
    """The characters that a run of labels like `\\xe4` spells, or the run as it is."""
    try:
        return bytes.fromhex(run[0].replace("\\x", "")).decode()
    except UnicodeDecodeError:
        return run[0]


def word_axis(axis: Axis) -> Axis:
    """The axis with one position per word."""
    groups = word_groups(axis)
    heads = [group[0] for group in groups]
    numbers: list[int | None] = []
    for i in heads:
        alone = axis.special[i] or axis.words[i] is None
        numbers.append(None if alone else sum(n is not None for n in numbers))
    return Axis(
        labels=tuple(joined_label([axis.labels[i] for i in group]) for group in groups),
        kind=axis.kind,
        ids=tuple(axis.ids[g[0]] if len(g) == 1 else -1 for g in groups),
        words=tuple(numbers),
        spans=tuple(joined_span([axis.spans[i] for i in group]) for group in groups),
        special=tuple(axis.special[i] for i in heads),
        segments=tuple(axis.segments[i] for i in heads),
        padding=tuple(axis.padding[i] for i in heads),
    )


def joined_span(spans: Sequence[tuple[int, int] | None]) -> tuple[int, int] | None:
    """The character range from the first to the last of these, or None where there is none."""
    known = [span for span in spans if span is not None]
    return (known[0][0], known[-1][1]) if known else None


def merge_words(weights: np.ndarray, queries: Groups, keys: Groups) -> np.ndarray:
    """Weights (…, queries, keys) between words: columns summed, rows averaged."""
    merged = np.empty((*weights.shape[:-2], len(queries), len(keys)), weights.dtype)
    if weights.size == 0:
        return merged
    size = max(1, BLOCK * len(queries) // weights.size)
    for word in range(0, len(queries), size):
        some = queries[word : word + size]
        start, stop = some[0][0], some[-1][-1] + 1
        columns = np.add.reduceat(weights[..., start:stop, :], starts(keys), axis=-1)
        own = tuple(tuple(i - start for i in group) for group in some)
        merged[..., word : word + size, :] = mean_of_rows(columns, own, axis=-2)
    return merged


def mean_of_rows(values: np.ndarray, groups: Groups, axis: int) -> np.ndarray:
    """The mean of `values` over the positions of every group along `axis`."""
    sums = np.add.reduceat(values, starts(groups), axis=axis)
    shape = [1] * values.ndim
    shape[axis] = len(groups)
    sizes = np.array([len(group) for group in groups], values.dtype)
    return np.asarray(sums / sizes.reshape(shape))


def starts(groups: Groups) -> list[int]:
    """Where every group begins."""
    return [group[0] for group in groups]


def merge_layer(layer: LayerAttention) -> LayerAttention:
    """The layer between words, with all that whole maps give; other pooled maps are left out.

    Head scores stay those of the tokens. A layer without whole maps comes back as it is.
    """
    weights = layer.kept.get("weights")
    if weights is None:
        return layer
    rows, columns = word_groups(layer.queries), word_groups(layer.keys)
    kept = {name: value for name, value in layer.kept.items() if name.startswith("score.")}
    kept["weights"] = merge_words(weights, rows, columns)
    if "row_sums" in layer.kept:
        kept["row_sums"] = mean_of_rows(layer.kept["row_sums"], rows, axis=1)
    if "column_means" in layer.kept:
        kept["column_means"] = np.add.reduceat(layer.kept["column_means"], starts(columns), axis=1)
    if "links" in layer.kept:
        kept["links"] = merge_links(layer.kept["links"], rows, columns)
    allowed = layer.allowed
    if allowed is not None and allowed.size:
        allowed = np.logical_or.reduceat(allowed, starts(columns), axis=1)
        allowed = np.logical_or.reduceat(allowed, starts(rows), axis=0)
    return replace(
        layer,
        queries=word_axis(layer.queries),
        keys=word_axis(layer.keys),
        kept=kept,
        allowed=allowed,
    )


def merge_links(links: np.ndarray, rows: Groups, columns: Groups) -> np.ndarray:
    """The strongest link (head, key, weight, excess) of every word: the best of its tokens."""
    word_of = {i: number for number, group in enumerate(columns) for i in group}
    out = np.full((len(rows), links.shape[1]), np.nan, links.dtype)
    for number, group in enumerate(rows):
        own = links[list(group)]
        known = ~np.isnan(own[:, 3])
        if known.any():
            best = own[known][np.argmax(own[known, 3])].copy()
            best[1] = word_of.get(int(best[1]), np.nan)
            out[number] = best
    return out
