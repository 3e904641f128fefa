"""Whether a model has an embedding for every token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnviz.errors import InputError
from attnviz.models.anatomy.counts import media_tokens
from attnviz.models.anatomy.names import KNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from transformers import PreTrainedModel

    from attnviz.attention.axis import Axis
    from attnviz.models.anatomy.names import Anatomy


def require_embedded(
    model: PreTrainedModel,
    name: str,
    axes: Iterable[Axis],
    anatomy: Anatomy = KNOWN,
    *,
    decoder: bool,
) -> None:
    """Raise InputError for a token of these axes that the model has no embedding for, as one that
    was added to the tokenizer alone. Tokens that stand for pictures and sounds need none.
    """
    size = embeddings(model, anatomy, decoder=decoder)
    if size is None:
        return
    free = {-1, *media_tokens(model.config, anatomy)}  # an axis has −1 where the id is not known
    for axis in axes:
        for label, number in zip(axis.labels, axis.ids, strict=True):
            if not 0 <= number < size and number not in free:
                token = f"token {label!r} (id {number})" if label != str(number) else f"id {number}"
                raise InputError(
                    f"{name} has no embedding for {token}: it has {size}",
                    "use the tokenizer it was trained with, or resize its embeddings to the "
                    "tokenizer (resize_token_embeddings) and save it",
                )


def embeddings(model: PreTrainedModel, anatomy: Anatomy = KNOWN, *, decoder: bool) -> int | None:
    """How many tokens the model, or its decoder, has embeddings for; None where that is not known:
    some compute them from bytes or hashes.
    """
    from torch import nn

    part: Any = model
    if decoder:
        part = getattr(getattr(model, "base_model", model), "decoder", model)
    try:
        found = part.get_input_embeddings()
    except (NotImplementedError, AttributeError):
        found = None
    if not isinstance(found, nn.Embedding):
        found = next(
            (
                module
                for name, module in part.named_modules()
                if name.rpartition(".")[2] in anatomy.word_embeddings
            ),
            None,
        )
    weight = getattr(found, "weight", None)
    return len(weight) if weight is not None and weight.ndim == 2 else None
