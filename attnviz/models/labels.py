"""Readable texts for the tokens of any tokenizer."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from transformers import PreTrainedTokenizerBase

SPACE_MARK = "\u2581"
BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2})>")


@dataclass(frozen=True)
class Spelling:
    """How the tokens of a vocabulary spell text.

    `bytes`: every character stands for one byte (byte-level BPE). `spaces`: the mark U+2581 is a
    space. `prefix` marks tokens that continue a word (`##`), `suffix` those that end one (`</w>`)
    or that do not (`@@`). `raw`: a single character is the byte of its number (ByT5).
    """

    bytes: bool = False
    raw: bool = False
    spaces: bool = False
    prefix: str = ""
    suffix: str = ""


def labels(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> tuple[str, ...]:
    """A readable text per id, never empty, without marks of spaces or of word pieces.

    Bytes that are no whole character are written `\\xe4`; special tokens are kept as they are.
    A token of nothing but spaces is kept as spaces.
    """
    spelling = spelling_of(tokenizer)
    verbatim = set(tokenizer.all_special_ids) | set(tokenizer.added_tokens_decoder)
    tokens: Any = tokenizer.convert_ids_to_tokens(list(ids))
    return tuple(
        str(number) if token is None else token if number in verbatim else label(token, spelling)
        for number, token in zip(ids, tokens, strict=True)
    )


def label(token: str, spelling: Spelling) -> str:
    """The readable text of one token of the vocabulary."""
    text = token
    if spelling.suffix and text != spelling.suffix:
        text = text.removesuffix(spelling.suffix)
    if spelling.prefix and text != spelling.prefix:
        text = text.removeprefix(spelling.prefix)
    if spelling.bytes:
        text = from_bytes(text)
    elif spelling.raw and len(text) == 1 and ord(text) < 256:
        text = text if ord(text) < 128 else f"\\x{ord(text):02x}"
    elif found := BYTE_TOKEN.fullmatch(text):
        value = int(found[1], 16)
        text = chr(value) if value < 128 else f"\\x{value:02x}"
    elif spelling.spaces:
        text = text.replace(SPACE_MARK, " ")
    return text.strip(" ") or text or token


def from_bytes(text: str) -> str:
    """The text that byte-level characters stand for; bytes that are no character as `\\xe4`."""
    table = byte_table()
    if not all(char in table for char in text):
        return text
    return bytes(table[char] for char in text).decode("utf-8", errors="backslashreplace")


@cache
def byte_table() -> dict[str, int]:
    """The byte behind each character of byte-level BPE (GPT-2's table).

    Printable bytes stand for themselves; the others follow from U+0100 on.
    """
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    table = {chr(byte): byte for byte in printable}
    return table | {chr(256 + i): byte for i, byte in enumerate(others)}


def spelling_of(tokenizer: PreTrainedTokenizerBase) -> Spelling:
    """How this tokenizer spells: told by its decoder and by what it does to a text first, or by its
    parts when it is a slow one.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return slow_spelling(tokenizer)
    steps = (backend.decoder, backend.pre_tokenizer, backend.normalizer)
    parts = [part for step in steps for part in components(step)]
    kinds = {part.get("type") for part in parts}
    marks = [str(part.get(name)) for part in parts for name in ("pattern", "content")]
    model = backend.model
    return Spelling(
        bytes="ByteLevel" in kinds,
        spaces="Metaspace" in kinds or any(SPACE_MARK in mark for mark in marks),
        prefix=getattr(model, "continuing_subword_prefix", None) or "",
        suffix=getattr(model, "end_of_word_suffix", None) or "",
    )


def components(step: Any) -> Iterable[dict[str, Any]]:
    """The parts of a decoder, pre-tokenizer or normalizer of the tokenizers library, as their
    settings.
    """
    if step is None:
        return
    waiting = [json.loads(step.__getstate__())]
    while waiting:
        part = waiting.pop()
        yield part
        for name in ("decoders", "pretokenizers", "normalizers"):
            waiting += part.get(name, [])


def slow_spelling(tokenizer: PreTrainedTokenizerBase) -> Spelling:
    """How a tokenizer written in Python spells, by the parts that it is made of."""
    pieces = any(hasattr(tokenizer, name) for name in ("wordpiece_tokenizer", "subword_tokenizer"))
    vocabulary = getattr(tokenizer, "encoder", None)
    merges = bool(getattr(tokenizer, "bpe_ranks", None)) and isinstance(vocabulary, dict)
    suffix = ""
    if merges and isinstance(vocabulary, dict):
        suffix = next(
            (mark for mark in ("</w>", "@@") if any(t.endswith(mark) for t in vocabulary)), ""
        )
    return Spelling(
        bytes=hasattr(tokenizer, "byte_decoder"),
        raw=hasattr(tokenizer, "_utf_vocab_size"),
        spaces=True,
        prefix="##" if pieces else "",
        suffix=suffix,
    )
