"""What the decoder of an encoder-decoder reads: the target, moved one place to the right."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from attnviz.errors import InputError
from attnviz.inputs.tokenized import Row, tokenize
from attnviz.models.sides import target_side

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from transformers import PreTrainedTokenizerBase

    from attnviz.models.loaded import LoadedModel

# Heads that read the source once more in the decoder, and answer about the source.
READERS = ("ForSequenceClassification", "ForQuestionAnswering")


def rereads_source(loaded: LoadedModel) -> bool:
    """Whether the decoder of this model reads the source, so that a target has no place."""
    return type(loaded.model).__name__.endswith(READERS)


def target_row(
    loaded: LoadedModel, tokenizer: PreTrainedTokenizerBase, text: str, limit: int | None = None
) -> Row:
    """The tokens that the decoder reads while it says the text: a start token, then the text.

    `tokenizer` is that of the target's side.
    """
    row = tokenize(tokenizer, text, limit=limit)
    if all(row.added):
        raise InputError("the tokenizer makes no tokens of the target", "give --target some words")
    end = tokenizer.eos_token_id
    if end is not None and row.ids[-1] != end and row.ids[-2:-1] != (end,):
        row = Row(
            (*row.ids, end),
            (*row.spans, None),
            (*row.added, True),
            (*row.segments, None),
        )
    return shifted_row(loaded, row)


def start_row(loaded: LoadedModel) -> Row:
    """The one token that a decoder starts with."""
    return Row((start_token(loaded),), (None,), (True,), (None,))


def shifted_row(loaded: LoadedModel, row: Row) -> Row:
    """The row one place to the right, the way the model does it in training."""
    ids = shifted(loaded, row.ids)
    if ids[1:] == row.ids[:-1]:
        return Row(
            ids,
            (None, *row.spans[:-1]),
            (True, *row.added[:-1]),
            (None, *row.segments[:-1]),
        )
    return Row(ids, (None,) * len(ids), (False,) * len(ids), (None,) * len(ids))


def shifted(loaded: LoadedModel, ids: Sequence[int]) -> tuple[int, ...]:
    """The ids that the model's own shift makes of these labels."""
    import torch

    labels = torch.tensor([list(ids)])
    moved = own_shift(loaded, labels)
    if moved is None:
        return (start_token(loaded), *ids[:-1])
    return tuple(int(one) for one in moved[0].tolist())


def own_shift(loaded: LoadedModel, labels: torch.Tensor) -> torch.Tensor | None:
    """What the model's own function gives back; None where it has none."""
    model: Any = loaded.model
    config = model.config
    prepare = getattr(model, "prepare_decoder_input_ids_from_labels", None)
    prepare = prepare or getattr(model, "_shift_right", None)
    moved: torch.Tensor
    if prepare is not None:
        try:
            moved = prepare(labels)
        except (ValueError, TypeError):
            return None
        return moved
    function = getattr(sys.modules[type(model).__module__], "shift_tokens_right", None)
    if function is None:
        return None
    start = getattr(config, "decoder_start_token_id", None)
    wanted = [labels, config.pad_token_id]
    if function.__code__.co_argcount > 2:
        wanted.append(start)
    if None in wanted[1:]:
        return None
    moved = function(*wanted)
    return moved


def start_token(loaded: LoadedModel) -> int:
    """The id that the decoder starts with."""
    model = loaded.model
    tokenizer = loaded.tokenizer and target_side(loaded.tokenizer)
    generation = getattr(model, "generation_config", None)
    for holder, names in (
        (model.config, ("decoder_start_token_id",)),
        (generation, ("decoder_start_token_id",)),
        (model.config, ("bos_token_id", "pad_token_id")),
        (tokenizer, ("bos_token_id", "cls_token_id", "pad_token_id")),
    ):
        for name in names:
            value = getattr(holder, name, None)
            if isinstance(value, int):
                return value
    raise InputError(
        f"{loaded.facts.name} does not say which token its decoder starts with",
        "its config.json needs decoder_start_token_id",
    )
