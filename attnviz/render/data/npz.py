"""Weights and scores as a NumPy archive.

`numpy.load(path)` gives, for every stack S whose wanted layers have the same heads and tokens:

- `S`: float32 (layer, head, query, key), 0 where the mask forbids the key
- `S.allowed`: bool (layer, query, key)
- `S.layers`, `S.heads`: the numbers of the layers and heads
- `S.queries`, `S.keys`: the labels, with `S.query_special`, `S.key_special`, `S.query_padding` and
  `S.key_padding` beside them
- `S.score.NAME`: (layer, head)
- `S.heavy_keys`, `S.slashes`: (layer, head, n, 2), the keys and the diagonals (query − key)
  with most of the head's attention, each with its share; NaN where there are fewer

Where layers differ, each is a stack of one layer named `S/L3`. Where the maps were not kept whole
there is, instead of `S` and `S.allowed`, `S.pooled` (layer, head, query bin, key bin), the
attention that a query of the bin gives the key bin on average, `S.pooled_max`, the largest weight
there, `S.pooled_cells` (layer, query bin, key bin), the cells that the mask allows, and
`S.query_edges` and `S.key_edges`, where the bins begin and, last, end; `S.top_keys` and
`S.top_weights` (layer, head, query, n), the heaviest keys of every query, -1 where there are fewer;
`S.window` (layer, head, row, column), the weights from the query and key `S.window_at` on.
`schema`, `axes`, `model`, `revision`, `text`, `pair`, `target` and `notes` say the rest. No array
needs `allow_pickle`.
"""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.lib import format as npy

from attnviz.attention.kept import look_up
from attnviz.errors import CaptureError
from attnviz.views.maps.heatmap import spans

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from attnviz.attention.axis import Axis
    from attnviz.attention.capture import AttentionStack, Capture, LayerAttention

SCHEMA = 1
MAPS = ("weights", "pooled")  # the first that was kept is the map of the archive
AXES = ("layer", "head", "query", "key")
Heads = tuple[int, ...]
Group = list[tuple["LayerAttention", Heads]]


def write_npz(capture: Capture, wanted: Mapping[str, Mapping[int, Heads]], file: BinaryIO) -> None:
    """Write the wanted heads (stack, layer, heads) into an open file, a head at a time.

    The archive is not compressed, and the same bytes every time.
    """
    with zipfile.ZipFile(file, "w") as archive:
        write = Writer(archive)
        write("schema", np.array(SCHEMA))
        write("axes", texts(AXES))
        for name in ("text", "pair", "target"):
            write(name, texts(getattr(capture, name) or ""))
        write("model", texts(capture.model.name))
        write("revision", texts(capture.model.revision or ""))
        write("notes", texts(capture.notes))
        for name, layers in wanted.items():
            for prefix, group in groups(capture.stacks[name], layers):
                write_group(write, prefix, capture.stacks[name], group)


class Writer:
    """Puts arrays into an archive, one entry each."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive

    def __call__(self, name: str, array: np.ndarray) -> None:
        """Write one array."""
        self.parts(name, array.dtype, array.shape, [array])

    def parts(
        self, name: str, dtype: np.dtype, shape: tuple[int, ...], arrays: Iterable[np.ndarray]
    ) -> None:
        """Write one array of this type and shape that comes in parts."""
        entry = zipfile.ZipInfo(f"{name}.npy")  # dated 1980, whatever the clock says
        header = {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        with self.archive.open(entry, "w", force_zip64=True) as file:
            npy.write_array_header_2_0(file, header)
            for array in arrays:
                file.write(np.ascontiguousarray(array, dtype).data)


def groups(stack: AttentionStack, wanted: Mapping[int, Heads]) -> list[tuple[str, Group]]:
    """The wanted layers under the name of the stack where they agree, else each by itself."""
    layers = [(stack.layer(number), heads) for number, heads in wanted.items()]
    if all(agree(one, layers[0]) for one in layers[1:]):
        return [(stack.name, layers)] if layers else []
    return [(f"{stack.name}/L{layer.layer}", [(layer, heads)]) for layer, heads in layers]


def agree(one: tuple[LayerAttention, Heads], other: tuple[LayerAttention, Heads]) -> bool:
    """Whether two layers have the same heads, tokens, and kind and size of maps."""
    (a, heads), (b, others) = one, other
    same_tokens = a.queries == b.queries and a.keys == b.keys
    same_maps = maps_of(a)[0] == maps_of(b)[0] and maps_of(a)[1].shape == maps_of(b)[1].shape
    same_names = score_names(a) == score_names(b)
    return heads == others and same_tokens and same_maps and same_names and fit(a, b)


def fit(layer: LayerAttention, other: LayerAttention) -> bool:
    """Whether the arrays that both layers kept make one: of the same sizes, shared ones equal."""
    names = {name for name in layer.kept if name in other.kept and look_up(name).archived != "no"}
    shared = (name for name in names if look_up(name).archived == "shared")
    return all(layer.kept[name].shape == other.kept[name].shape for name in names) and all(
        np.array_equal(layer.kept[name], other.kept[name]) for name in shared
    )


def maps_of(layer: LayerAttention) -> tuple[str, np.ndarray]:
    """`weights` or `pooled`, and that array. Raises CaptureError when neither was kept."""
    for name in MAPS:
        if name in layer.kept:
            return name, layer.kept[name]
    raise CaptureError(f"no map of layer {layer.layer} was kept", "give --memory more")


def score_names(layer: LayerAttention) -> list[str]:
    """The scores that this layer has, sorted."""
    return sorted(filter(is_score, layer.kept))


def is_score(name: str) -> bool:
    """Whether a kept array is one score of every head."""
    return name.startswith("score.")


def write_group(write: Writer, prefix: str, stack: AttentionStack, group: Group) -> None:
    """Write layers that agree as one stack."""
    first, heads = group[0]
    kind, maps = maps_of(first)
    write_array(write, prefix if kind == "weights" else f"{prefix}.pooled", kind, group)
    if kind == "weights":
        masks = (stack.allowed(layer.layer) for layer, _ in group)
        write.parts(f"{prefix}.allowed", np.dtype(bool), (len(group), *maps.shape[1:]), masks)
    else:
        for side, axis, bins in zip(("query", "key"), (first.queries, first.keys), maps.shape[1:],
                                    strict=True):  # fmt: skip
            found = spans(axis, bins)
            edges = [found[0][0], *(stop for _, stop in found)]
            write(f"{prefix}.{side}_edges", np.array(edges, np.int64))
    for name in names_beside(group):
        write_array(write, f"{prefix}.{name}", name, group)
    write(f"{prefix}.layers", np.array([layer.layer for layer, _ in group], np.int64))
    write(f"{prefix}.heads", np.array(heads, np.int64))
    write_axis(write, prefix, "queries", "query", first.queries)
    write_axis(write, prefix, "keys", "key", first.keys)
    for score in score_names(first):
        write_array(write, f"{prefix}.{score}", score, group)


def names_beside(group: Group) -> list[str]:
    """The arrays that all layers kept beside maps and scores, those with heads first."""
    kept = set.intersection(*({*layer.kept} for layer, _ in group)).difference(MAPS)
    names = (name for name in kept if look_up(name).archived != "no" and not is_score(name))
    return sorted(names, key=lambda name: (look_up(name).axes[:1] != ("head",), name))


def write_array(write: Writer, name: str, kept: str, group: Group) -> None:
    """Write a kept array of all layers under a name: (layer, head, …) a head at a time,
    (layer, …), or as it is where layers share it.
    """
    first, heads = group[0]
    array, shape = look_up(kept), first.kept[kept].shape
    if array.archived == "shared":
        write(name, np.asarray(first.kept[kept], array.archive_dtype))
    elif array.axes[:1] == ("head",):
        rows = (layer.kept[kept][layer.heads.index(h)] for layer, _ in group for h in heads)
        write.parts(name, array.archive_dtype, (len(group), len(heads), *shape[1:]), rows)
    else:
        layers = (layer.kept[kept] for layer, _ in group)
        write.parts(name, array.archive_dtype, (len(group), *shape), layers)


def write_axis(write: Writer, prefix: str, labels: str, side: str, axis: Axis) -> None:
    """Write the labels of an axis, and which positions are special or padding."""
    write(f"{prefix}.{labels}", texts(axis.labels))
    write(f"{prefix}.{side}_special", np.array(axis.special, bool))
    write(f"{prefix}.{side}_padding", np.array(axis.padding, bool))


def texts(values: str | Sequence[str]) -> np.ndarray:
    """A text or a list of texts as an array; lone surrogates and NUL are written as escapes."""
    if isinstance(values, str):
        return np.array(readable(values), np.str_)
    return np.array([readable(value) for value in values], np.str_)


def readable(text: str) -> str:
    """The text as any reader can print it; NumPy cuts NUL off the end of texts."""
    return text.replace("\0", r"\x00").encode("utf-8", "backslashreplace").decode("utf-8")
