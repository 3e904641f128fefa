"""Axes for tensors that were made elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnviz.attention.axis import Axis, slots
from attnviz.errors import InputError
from attnviz.inputs.encode import ModelInputs
from attnviz.models.loaded import input_device

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def from_tensors(
    model: PreTrainedModel,
    tensors: Mapping[str, Any],
    tokenizer: PreTrainedTokenizerBase | None = None,
) -> ModelInputs:
    """The tensors moved to the model's device, with one axis per example.

    Without a tokenizer the labels are the ids. `attention_mask` and `decoder_attention_mask` tell
    what is padding. Raises InputError when no tensor says how many positions there are.
    """
    import torch

    placed = {
        name: value.to(input_device(model)) if isinstance(value, torch.Tensor) else value
        for name, value in tensors.items()
    }
    sources = side(placed, "", tokenizer)
    if sources is None:
        raise InputError(
            f"no input_ids among the tensors: {', '.join(tensors) or 'there are none'}",
            "give at least input_ids of shape (examples, tokens)",
        )
    return ModelInputs(placed, sources, side(placed, "decoder_", tokenizer))


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
        rows = [[int(one) for one in row] for row in ids.tolist()]
        return tuple(
            named(row, padding_of(mask, i, len(row)), tokenizer) for i, row in enumerate(rows)
        )
    if embedded is not None:
        return tuple(slots(embedded.shape[1]) for _ in range(embedded.shape[0]))
    return None


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
