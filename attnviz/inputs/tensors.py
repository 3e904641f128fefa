"""Axes for tensors that were made elsewhere."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attnviz.attention.axis import Axis, slots
from attnviz.errors import InputError
from attnviz.inputs.embedded import require_embedded
from attnviz.inputs.encode import ModelInputs
from attnviz.models.anatomy.names import KNOWN
from attnviz.models.loaded import input_device
from attnviz.models.sides import source_side, target_side

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from torch import nn
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from attnviz.models.anatomy.names import Anatomy


def from_tensors(
    model: PreTrainedModel,
    tensors: Mapping[str, Any] | Sequence[Any] | torch.Tensor,
    tokenizer: PreTrainedTokenizerBase | None = None,
    anatomy: Anatomy = KNOWN,
) -> ModelInputs:
    """The tensors moved to the model's device, with one axis per example.

    They have names or stand in the order of the arguments of the model's forward. Without a
    tokenizer the labels are the ids. `attention_mask` and `decoder_attention_mask` tell what is
    padding; see `inputs.wrapped` for modules that are no models of transformers.

    Raises InputError when no tensor says how many positions there are.
    """
    from attnviz.inputs.wrapped import from_arguments
    from attnviz.models.wrapped import PlainModel

    module = model.module if isinstance(model, PlainModel) else model
    placed = moved(called(module, tensors), input_device(model))
    sources = side(placed, "", tokenizer and source_side(tokenizer))
    if sources is None and isinstance(model, PlainModel):
        return from_arguments(module, placed, anatomy)
    if sources is None:
        raise InputError(
            f"no input_ids among the tensors: {', '.join(placed) or 'there are none'}",
            "give at least input_ids of shape (examples, tokens)",
        )
    targets = side(placed, "decoder_", tokenizer and target_side(tokenizer))
    targets = per_example(targets, len(sources))
    name = type(module).__name__
    require_embedded(model, name, sources, anatomy, decoder=False)
    require_embedded(model, name, targets or (), anatomy, decoder=True)
    return ModelInputs(placed, sources, targets)


def per_example(targets: tuple[Axis, ...] | None, examples: int) -> tuple[Axis, ...] | None:
    """One target axis an example; where the decoder reads several rows of ids at once for each
    (MusicGen's codebooks), its positions have no one id and are numbered.

    Raises InputError when there are not as many rows for every example.
    """
    if targets is None or len(targets) == examples:
        return targets
    if len(targets) % examples:
        raise InputError(
            f"input_ids holds {examples} examples, decoder_input_ids {len(targets)}",
            "give both sides of every example",
        )
    return tuple(slots(len(axis)) for axis in targets[:: len(targets) // examples])


def called(
    module: nn.Module, tensors: Mapping[str, Any] | Sequence[Any] | torch.Tensor
) -> dict[str, Any]:
    """The tensors by the names of the arguments of the module's forward; one tensor is the first.

    Raises InputError when it takes fewer, or does not name them.
    """
    if isinstance(tensors, Mapping):
        return dict(tensors)
    given = tensors if isinstance(tensors, (tuple, list)) else (tensors,)
    signature = inspect.signature(module.forward)
    named = all(
        parameter.kind is not parameter.VAR_POSITIONAL
        for parameter in signature.parameters.values()
    )
    try:
        bound = signature.bind_partial(*given).arguments if named else {}
    except TypeError:
        bound = {}
    if not bound:
        raise InputError(
            f"{len(given)} inputs do not fit {type(module).__name__}.forward{signature}",
            "give a mapping of its arguments, or a tuple in their order",
        )
    return bound


def moved(tensors: Mapping[str, Any], device: torch.device) -> dict[str, Any]:
    """The tensors on this device; one that stands there twice stays one."""
    import torch

    there = {
        id(tensor): tensor.to(device)
        for tensor in tensors.values()
        if isinstance(tensor, torch.Tensor)
    }
    return {name: there.get(id(one), one) for name, one in tensors.items()}


def side(
    tensors: Mapping[str, Any], prefix: str, tokenizer: PreTrainedTokenizerBase | None
) -> tuple[Axis, ...] | None:
    """The axes of the encoder's or decoder's side, from its ids or embeddings."""
    ids, embedded = tensors.get(f"{prefix}input_ids"), tensors.get(f"{prefix}inputs_embeds")
    mask = tensors.get(f"{prefix}attention_mask")
    if ids is not None:
        if ids.ndim != 2:
            raise InputError(
                f"{prefix}input_ids has shape {tuple(ids.shape)}", "its shape is (examples, tokens)"
            )
        require_mask(tensors, prefix, tuple(ids.shape))
        rows = [[int(one) for one in row] for row in ids.tolist()]
        return tuple(
            named(row, padding_of(mask, i, len(row)), tokenizer) for i, row in enumerate(rows)
        )
    if embedded is not None:
        require_mask(tensors, prefix, tuple(embedded.shape[:2]))
        return tuple(slots(embedded.shape[1]) for _ in range(embedded.shape[0]))
    return None


def require_mask(tensors: Mapping[str, Any], prefix: str, shape: tuple[int, int]) -> None:
    """Raise InputError for a mask that does not fit the (examples, tokens) of this side.

    It is (examples, keys), or has the queries before the keys and perhaps heads before these. With
    a cache there are more keys than tokens.
    """
    examples, tokens = shape
    cached = tensors.get("past_key_values") is not None
    for name in (f"{prefix}attention_mask", *(["global_attention_mask"] if not prefix else [])):
        found = getattr(tensors.get(name), "shape", None)
        if found is None:
            continue
        one_a_batch = found[0] == examples or (found[0] == 1 and len(found) == 4)
        fits = 2 <= len(found) <= 4 and one_a_batch
        fits = fits and (found[-1] == tokens or (cached and found[-1] > tokens))
        if not fits or (len(found) > 2 and found[-2] not in (1, tokens)):
            raise InputError(
                f"{name} has shape {tuple(found)}, {prefix}input_ids {shape}",
                f"{name} has one number for every token: (examples, tokens)",
            )


def padding_of(mask: torch.Tensor | None, example: int, length: int) -> tuple[bool, ...]:
    """Which positions of an example only fill the batch."""
    if mask is None or mask.ndim != 2 or mask.shape[1] != length:
        return (False,) * length
    return tuple(not one for one in mask[example].tolist())


def named(
    ids: list[int], padding: tuple[bool, ...], tokenizer: PreTrainedTokenizerBase | None
) -> Axis:
    """The axis of one example."""
    if tokenizer is None:
        return Axis(labels=tuple(str(one) for one in ids), ids=tuple(ids), padding=padding)
    from attnviz.inputs.axes import reserved_ids
    from attnviz.models.labels import labels

    reserved = reserved_ids(tokenizer)
    special = tuple(one in reserved for one in ids)
    return Axis(
        labels=labels(tokenizer, ids),
        ids=tuple(ids),
        words=tuple(None if one else place for place, one in enumerate(special)),
        special=special,
        padding=padding,
    )
