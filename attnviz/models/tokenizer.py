"""The tokenizer that belongs to a model, when there is one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedTokenizerBase

# A folder with none of these has no tokenizer. Some tokenizers (ByT5, CANINE) have only a config.
FILES = ("tokenizer*", "vocab*", "*.model", "merges.txt", "tekken.json", "*.vocab", "bpe.codes")


def load_tokenizer(
    where: str, config: PreTrainedConfig, options: dict[str, Any]
) -> PreTrainedTokenizerBase | None:
    """The tokenizer at `where`, or None when the folder or repository has none.

    transformers would make an empty one from the kind of model alone.
    """
    from transformers import AutoTokenizer

    if "gguf_file" not in options and Path(where).is_dir() and not has_files(Path(where)):
        return None
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            where, config=config, **options
        )
    except KeyError as error:
        if isinstance(error.args[0] if error.args else None, type):
            return None  # transformers knows no tokenizer for this kind of config
        raise
    return None if is_empty(tokenizer) else tokenizer


def has_files(folder: Path) -> bool:
    """Whether a folder holds anything that a tokenizer is made of."""
    return any(True for pattern in FILES for _ in folder.glob(pattern))


def is_empty(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether it knows nothing but its special tokens."""
    return len(tokenizer) <= len(set(tokenizer.all_special_ids))
