"""How many tokens a model takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnviz.errors import InputError
from attnviz.models.facts import text_config

if TYPE_CHECKING:
    from attnviz.models.loaded import LoadedModel

# Tokenizers that know no limit say a number far above this.
SANE = 10_000_000
POSITIONS = ("max_position_embeddings", "n_positions", "max_seq_len", "max_sequence_length")


def token_limit(loaded: LoadedModel) -> int | None:
    """The number of tokens that the model has positions for; None when it knows no limit."""
    text = text_config(loaded.model.config)
    for name in POSITIONS:
        value = getattr(text, name, None)
        if isinstance(value, int):
            return None if value <= 0 else min(value, table_limit(loaded) or value)
    if hasattr(text, "relative_attention_num_buckets"):
        return None
    limit = getattr(loaded.tokenizer, "model_max_length", None)
    return limit if isinstance(limit, int) and 0 < limit < SANE else None


def table_limit(loaded: LoadedModel) -> int | None:
    """What a table of positions leaves free that starts behind its padding index (RoBERTa)."""
    from torch import nn

    sizes = [
        module.num_embeddings - module.padding_idx - 1
        for name, module in loaded.model.named_modules()
        if isinstance(module, nn.Embedding)
        and name.endswith("position_embeddings")
        and module.padding_idx is not None
    ]
    return min(sizes, default=None)


def too_long(loaded: LoadedModel, length: int, limit: int, what: str, where: str) -> InputError:
    """The error for an input that the model has no positions for."""
    prefix = f"{where}: " if where else ""
    return InputError(
        f"{prefix}the {what} has {length} tokens: {loaded.facts.name} takes {limit}",
        "shorten it, or cut it with --truncate",
    )
