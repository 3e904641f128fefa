"""The languages that a tokenizer marks with codes around a text (M2M100, NLLB, mBART)."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from transformers import PreTrainedTokenizerBase

    from attnviz.models.loaded import LoadedModel

CODE = re.compile(r"_*[a-z]{2,3}(_[A-Z][A-Za-z]+)?_*")


def language_codes(tokenizer: PreTrainedTokenizerBase) -> tuple[str, ...]:
    """The codes that the tokenizer can put around a text, without the marks around the codes.

    Empty for tokenizers that mark no languages.
    """
    if not hasattr(tokenizer, "set_tgt_lang_special_tokens"):
        return ()
    ids: dict[str, Any] = dict(getattr(tokenizer, "lang_code_to_id", {}))
    for token in tokenizer.all_special_tokens:
        if CODE.fullmatch(token):
            ids[token] = tokenizer.convert_tokens_to_ids(token)
    known = (bare(token) for token, number in ids.items() if number != tokenizer.unk_token_id)
    return tuple(dict.fromkeys(known))


def bare(code: str) -> str:
    """The code without the marks that M2M100 and its kin put around it: `__de__` is `de`."""
    return code.strip("_")


def language_of(tokenizer: PreTrainedTokenizerBase, name: str) -> str | None:
    """The code that the tokenizer was given as its `src_lang` or `tgt_lang`."""
    code = getattr(tokenizer, name, None)
    return bare(code) if isinstance(code, str) else None


def begun_with(loaded: LoadedModel, tokenizer: PreTrainedTokenizerBase) -> str | None:
    """The language that the model's settings begin every target with, if they name one."""
    codes = language_codes(tokenizer)
    generation = getattr(loaded.model, "generation_config", None)
    for name in ("forced_bos_token_id", "decoder_start_token_id"):
        for holder in (generation, loaded.model.config):
            number = getattr(holder, name, None)
            token: Any = tokenizer.convert_ids_to_tokens(number) if type(number) is int else None
            if token is not None and bare(token) in codes:
                return bare(token)
    return None


def nearest(given: str, codes: Iterable[str]) -> list[str]:
    """The codes, those first that begin as the given one does or share most of its letters."""

    def far(code: str) -> tuple[bool, float]:
        alike = SequenceMatcher(None, given.lower(), code.lower()).ratio()
        return not code.lower().startswith(given.lower()[:2]), -alike

    return sorted(codes, key=far)
