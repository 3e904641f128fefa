"""Which language each side of an input is in, and the tokenizers that say so to the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnviz.errors import InputError
from attnviz.inputs.decoder import rereads_source
from attnviz.models.languages import bare, begun_with, language_codes, language_of, nearest
from attnviz.models.sides import Sides, source_side, target_side

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import PreTrainedTokenizerBase

    from attnviz.inputs.text import Text
    from attnviz.models.loaded import LoadedModel


def sides_of(
    loaded: LoadedModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[Text],
    notes: dict[str, None],
) -> Sides:
    """The tokenizers of both sides of the texts, in their languages; defaults go into `notes`.

    A decoder that rereads the source has the source's. Raises InputError for a language that the
    model does not know, for any where it marks none, and for texts of several languages.
    """
    check_languages(loaded, tokenizer, texts)
    text = texts[0]
    source = source_side(tokenizer, text.source_lang and bare(text.source_lang))
    marks = bool(language_codes(tokenizer))
    if marks and text.source_lang is None:
        notes[told("text", language_of(source, "src_lang"), "the tokenizer's default")] = None
    if rereads_source(loaded) or not loaded.encoder_decoder:
        return Sides(source, source)
    if not marks or text.target is None:
        return Sides(source, target_side(tokenizer))
    if text.target_lang is not None:
        return Sides(source, target_side(tokenizer, bare(text.target_lang)))
    code, why = default_target(loaded, tokenizer, source)
    notes[told("target", code, why)] = None
    return Sides(source, target_side(tokenizer, code))


def default_target(
    loaded: LoadedModel, tokenizer: PreTrainedTokenizerBase, source: PreTrainedTokenizerBase
) -> tuple[str | None, str]:
    """The language of a target that came without one, and where it was found."""
    if code := language_of(tokenizer, "tgt_lang"):
        return code, "the tokenizer's default"
    if code := begun_with(loaded, tokenizer):
        return code, "what the model begins with"
    return language_of(source, "src_lang"), "the language of the text"


def told(what: str, code: str | None, why: str) -> str:
    """The note that says which language a side was read in though none was named."""
    option = "--source-lang" if what == "text" else "--target-lang"
    return f"the {what} is read as {code or 'of no language'} ({why}): {option} names another"


def check_languages(
    loaded: LoadedModel, tokenizer: PreTrainedTokenizerBase, texts: Sequence[Text]
) -> None:
    """Raise InputError for languages that the texts or the model cannot have."""
    text, codes = texts[0], language_codes(tokenizer)
    where = f"{text.where}: " if text.where else ""
    if len({(one.source_lang, one.target_lang) for one in texts}) > 1:
        raise InputError(
            f"{where}texts of several languages do not go into one batch",
            "give those of one language together",
        )
    for option, code in (("--source-lang", text.source_lang), ("--target-lang", text.target_lang)):
        if code is None:
            continue
        if not codes:
            raise InputError(
                f"{where}{loaded.facts.name} takes no {option}: it marks languages with no codes",
                way_out(tokenizer, option),
            )
        if bare(code) not in codes:
            raise InputError(
                f"{where}{loaded.facts.name} knows no language {code!r}",
                f"it knows, nearest first: {', '.join(nearest(bare(code), codes))}",
            )
    if text.target_lang is not None and text.target is None:
        raise InputError(
            f"{where}there is no target that could be {text.target_lang}",
            "give --target TEXT, or leave --target-lang out",
        )


def way_out(tokenizer: PreTrainedTokenizerBase, option: str) -> str:
    """What to do in place of naming a language: Marian's texts may begin with one."""
    codes: list[str] = getattr(tokenizer, "supported_language_codes", None) or []
    if codes and option == "--target-lang":
        return f"begin the text with one of {', '.join(sorted(codes))}"
    return f"leave {option} out"
