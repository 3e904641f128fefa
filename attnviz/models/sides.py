"""The tokenizer of each side of an encoder-decoder: of what it reads, and of what it says.

Some tokenizers hold two: with other pieces (Marian), another vocabulary (FSMT) or another language
code (NLLB) for the target. They write a target only while they are switched, FSMT not even then,
and name the ids of both by the target's vocabulary. A side is a tokenizer that stays on one.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from threading import RLock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from transformers import PreTrainedTokenizerBase

TURNS = RLock()


@dataclass(frozen=True)
class Sides:
    """The tokenizer of what the encoder (or the only stack) reads, and of what the decoder says.

    `notes` say which languages they were given by default.
    """

    source: PreTrainedTokenizerBase
    target: PreTrainedTokenizerBase
    notes: tuple[str, ...] = ()


@contextmanager
def turn(tokenizer: PreTrainedTokenizerBase) -> Iterator[None]:
    """A time in which no other side is read; after it the tokenizer puts around a text what it did.

    The sides of a fast tokenizer share its backend, which holds the language of the last call.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    with TURNS:
        before = getattr(backend, "post_processor", None)
        try:
            yield
        finally:
            if backend is not None and before is not None:
                backend.post_processor = before


def source_side(
    tokenizer: PreTrainedTokenizerBase, language: str | None = None
) -> PreTrainedTokenizerBase:
    """The tokenizer of what the encoder reads; the same one where nothing sets it apart."""
    vocabulary = vocabulary_of(tokenizer, target=False)
    if language is None and vocabulary is None:
        return tokenizer
    side = twin(tokenizer)
    give_vocabulary(side, vocabulary)
    give_language(side, "src_lang", language)
    return side


def target_side(
    tokenizer: PreTrainedTokenizerBase, language: str | None = None
) -> PreTrainedTokenizerBase:
    """The tokenizer of what the decoder says; the same one where nothing sets it apart."""
    vocabulary = vocabulary_of(tokenizer, target=True)
    if not hasattr(tokenizer, "_switch_to_target_mode") and vocabulary is None:
        return tokenizer
    side = twin(tokenizer)
    give_vocabulary(side, vocabulary)
    give_language(side, "tgt_lang", language)
    stay_on_target(side)
    return side


def give_language(side: Any, name: str, language: str | None) -> None:
    """Let the tokenizer put the code of this language around every text."""
    if language is not None:
        with turn(side):
            setattr(side, name, language)


def stay_on_target(side: Any) -> None:
    """Let the tokenizer read every text as a target, by default in the source's language."""
    if getattr(side, "tgt_lang", "") is None:
        side.tgt_lang = side.src_lang
    if hasattr(side, "_switch_to_target_mode"):
        side._switch_to_input_mode = side._switch_to_target_mode
        with turn(side):
            side._switch_to_target_mode()
    else:
        side.src_lang = side.tgt_lang  # FSMT cuts words by the rules of its source's language


def twin(tokenizer: PreTrainedTokenizerBase) -> PreTrainedTokenizerBase:
    """A tokenizer of the same parts whose settings can be changed alone."""
    other: PreTrainedTokenizerBase = object.__new__(type(tokenizer))
    vars(other).update(vars(tokenizer))
    return other


def vocabulary_of(tokenizer: Any, *, target: bool) -> dict[str, int] | None:
    """The ids of the tokens of one side; None for a tokenizer that has one vocabulary for both."""
    if not hasattr(tokenizer, "get_tgt_vocab") or not getattr(tokenizer, "separate_vocabs", True):
        return None
    if not target:
        return dict(tokenizer.encoder)
    return getattr(tokenizer, "target_encoder", None) or {
        token: number for number, token in tokenizer.decoder.items()
    }


def give_vocabulary(side: Any, vocabulary: dict[str, int] | None) -> None:
    """Let the tokenizer read and name the ids of this vocabulary, its special tokens too."""
    if vocabulary is None:
        return
    side.encoder = side.current_encoder = side.target_encoder = vocabulary
    side.decoder = {number: token for token, number in vocabulary.items()}
    added = {
        vocabulary.get(token.content, number): token
        for number, token in side._added_tokens_decoder.items()
        if token.content in vocabulary or number not in side.decoder
    }
    side._added_tokens_decoder = added
    side._added_tokens_encoder = {token.content: number for number, token in added.items()}
    side._update_total_vocab_size()
