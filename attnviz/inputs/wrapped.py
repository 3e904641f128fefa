"""Axes for the inputs of modules that are no models of transformers.

Their arguments have any name; torch's own modules say which is the source and which the target.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from attnviz.attention.axis import Axis
from attnviz.errors import InputError
from attnviz.inputs.encode import ModelInputs
from attnviz.models.anatomy.calls import argument
from attnviz.models.wrapped import batch_first

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn

    from attnviz.models.anatomy.names import Anatomy, Names


def from_arguments(module: nn.Module, tensors: Mapping[str, Any], anatomy: Anatomy) -> ModelInputs:
    """The arguments with one axis per example for each side.

    The source is the argument that is called so, else the first tensor. It is (examples, tokens,
    …), or where the module's attention is not `batch_first` (tokens, examples, …); floating point
    tensors of two axes and ids of one are a single example. Ids are the labels of their positions.

    Raises InputError when there is no tensor.
    """
    given = {name: one for name, one in tensors.items() if isinstance(one, torch.Tensor)}
    if not given:
        raise InputError("no tensor among the inputs", "give what the module's forward takes")
    source = argument(anatomy.sources, given)
    source = next(iter(given.values())) if source is None else source
    target = argument(anatomy.targets, given)
    first = batch_first(module)
    sources = axes(source, padding(given, anatomy.source_padding), first)
    targets = None
    if target is not None and target is not source:
        targets = axes(target, padding(given, anatomy.target_padding), first)
    return ModelInputs(dict(tensors), sources, targets)


def padding(given: Mapping[str, Tensor], names: Names) -> Tensor | None:
    """bool (examples, tokens) or (tokens): True where a position only fills the batch."""
    mask: Tensor | None = argument(names, given)
    return mask if mask is None or mask.dtype == torch.bool else mask < 0


def axes(tensor: Tensor, padded: Tensor | None, first: bool) -> tuple[Axis, ...]:
    """One axis per example; images and the like have positions that only the model knows."""
    own = tensor.ndim - tensor.is_floating_point()  # without the axis of features
    if own not in (1, 2):
        return (axis(torch.zeros(1), None),) * len(tensor)
    rows = tensor if own == 2 else tensor.unsqueeze(0 if first else 1)
    rows = rows if first else rows.transpose(0, 1)
    masks = None if padded is None else padded.view(len(rows), -1)
    return tuple(axis(row, None if masks is None else masks[i]) for i, row in enumerate(rows))


def axis(row: Tensor, padded: Tensor | None) -> Axis:
    """The axis of (tokens) ids, or of (tokens, features)."""
    count = len(row)
    fill = () if padded is None or len(padded) != count else tuple(padded.tolist())
    if row.is_floating_point():
        return Axis(labels=tuple(str(i) for i in range(count)), kind="slot", padding=fill)
    ids = tuple(row.tolist())
    return Axis(labels=tuple(str(one) for one in ids), ids=ids, padding=fill)
