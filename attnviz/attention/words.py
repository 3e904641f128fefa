"""Sub-word tokens merged into words: columns are summed, rows averaged (docs/metrics.md, words)."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from attnviz.attention.axis import Axis
from attnviz.attention.kept import ALLOWED, look_up, renumbered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attnviz.attention.capture import LayerAttention
    from attnviz.attention.kept import KeptArray, Reduction

Groups = tuple[tuple[int, ...], ...]
PIECE_MARK = "##"
BLOCK = 2**18  # weights that are merged together, so that no copy of all is made
UFUNCS = {"sum": np.add, "max": np.maximum, "any": np.logical_or}
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


def merge_layer(layer: LayerAttention) -> LayerAttention:
    """The layer between words, with the arrays whose entries can be joined; others are left out.

    Head scores stay those of the tokens. A layer without whole maps comes back as it is.
    """
    if "weights" not in layer.kept:
        return layer
    queries, keys = word_groups(layer.queries), word_groups(layer.keys)
    kept = {
        name: merge_array(values, array, queries, keys)
        for name, values in layer.kept.items()
        if (array := look_up(name)).words is not None
    }
    allowed = layer.allowed
    return replace(
        layer,
        queries=word_axis(layer.queries),
        keys=word_axis(layer.keys),
        kept=kept,
        allowed=None if allowed is None else merge_array(allowed, ALLOWED, queries, keys),
    )


def merge_array(values: np.ndarray, array: KeptArray, queries: Groups, keys: Groups) -> np.ndarray:
    """An array between words, joined along queries and keys as the table of kept arrays says.

    Queries and keys that it names become the words that hold them.
    """
    ways, groups = array.words or {}, {"query": queries, "key": keys}
    if {*ways} == {*groups}:
        return merge_words(values, queries, keys, ways["query"], ways["key"])
    merged = np.asarray(values)
    for axis, way in ways.items():
        merged = join(merged, groups[axis], array.axes.index(axis), way)
    words = {axis: word_numbers(groups[axis]) for axis in groups}
    return renumbered(merged, array, words)


def word_numbers(groups: Groups) -> np.ndarray:
    """Int (positions,): the number of the word that holds each."""
    return np.repeat(np.arange(len(groups)), [len(group) for group in groups])


def merge_words(
    values: np.ndarray,
    queries: Groups,
    keys: Groups,
    over_queries: Reduction = "mean",
    over_keys: Reduction = "sum",
) -> np.ndarray:
    """Values (…, queries, keys) between words: of weights columns are summed, rows averaged."""
    merged = np.empty((*values.shape[:-2], len(queries), len(keys)), values.dtype)
    if values.size == 0:
        return merged
    size = max(1, BLOCK * len(queries) // values.size)
    for word in range(0, len(queries), size):
        some = queries[word : word + size]
        start, stop = some[0][0], some[-1][-1] + 1
        columns = join(values[..., start:stop, :], keys, -1, over_keys)
        own = tuple(tuple(i - start for i in group) for group in some)
        merged[..., word : word + size, :] = join(columns, own, -2, over_queries)
    return merged


def join(values: np.ndarray, groups: Groups, axis: int, way: Reduction) -> np.ndarray:
    """The values with one entry for every group along `axis`."""
    if way == "strongest":
        return strongest(values, groups, axis)
    starts = np.array([group[0] for group in groups], int)
    if way != "mean":
        return np.asarray(UFUNCS[way].reduceat(values, starts, axis=axis))
    sums = np.add.reduceat(values, starts, axis=axis)
    shape = [1] * values.ndim
    shape[axis] = len(groups)
    sizes = np.array([len(group) for group in groups], values.dtype)
    return np.asarray(sums / sizes.reshape(shape))


def strongest(records: np.ndarray, groups: Groups, axis: int) -> np.ndarray:
    """Of every group along `axis` the record, along the last, whose last field is the largest.

    NaN where no record of the group has one.
    """
    rows = np.moveaxis(np.asarray(records), axis, -2)  # (…, positions, fields)
    strength = np.where(np.isnan(rows[..., -1]), -np.inf, rows[..., -1])
    best = [strength[..., list(group)].argmax(axis=-1) + group[0] for group in groups]
    places = np.stack(best, axis=-1) if best else np.empty((*rows.shape[:-2], 0), int)
    picked = np.take_along_axis(rows, places[..., None], axis=-2)
    picked[np.isnan(picked[..., -1])] = np.nan
    return np.moveaxis(picked, -2, axis)
