"""Whether a model has an embedding for every token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnviz.errors import InputError
from attnviz.models.facts import media_tokens

if TYPE_CHECKING:
    from collections.abc import Iterable

    from transformers import PreTrainedModel

    from attnviz.attention.axis import Axis


WORDS = ("embed_tokens", "word_embeddings")


def require_embedded(
    model: PreTrainedModel, name: str, axes: Iterable[Axis], *, decoder: bool
) -> None:
    """Raises InputError for a token of these axes that the model has no embedding for, as one that
    was added to the tokenizer alone. Tokens that stand for pictures and sounds need none.
    """
    size = embeddings(model, decoder=decoder)
    if size is None:
        return
    free = {-1, *media_tokens(model.config)}  # an axis has −1 where the id is not known
    for axis in axes:
        for label, number in zip(axis.labels, axis.ids, strict=True):
            if not 0 <= number < size and number not in free:
                token = f"token {label!r} (id {number})" if label != str(number) else f"id {number}"
                raise InputError(
                    f"{name} has no embedding for {token}: it has {size}",
                    "use the tokenizer it was trained with, or resize its embeddings to the "
                    "tokenizer (resize_token_embeddings) and save it",
                )


def embeddings(model: PreTrainedModel, *, decoder: bool) -> int | None:
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
        words = (one for name, one in part.named_modules() if name.rpartition(".")[2] in WORDS)
        found = next(words, None)
    weight = getattr(found, "weight", None)
    return len(weight) if weight is not None and weight.ndim == 2 else None
