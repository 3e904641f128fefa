"""From the tokens of an input to the axis that names them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnviz.attention.axis import Axis
from attnviz.inputs.words import number_words
from attnviz.models.labels import labels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import PreTrainedTokenizerBase

    from attnviz.inputs.tokenized import Row


def axis_of(tokenizer: PreTrainedTokenizerBase, row: Row, texts: Sequence[str]) -> Axis:
    """The axis of one row; the spans of segment n point into `texts[n]`."""
    reserved = reserved_ids(tokenizer)
    special = tuple(
        added or number in reserved for added, number in zip(row.added, row.ids, strict=True)
    )
    spans = tuple(
        None if is_special else span for is_special, span in zip(special, row.spans, strict=True)
    )
    segments = closed(row.segments)
    names = labels(tokenizer, row.ids)
    return Axis(
        labels=names,
        ids=row.ids,
        words=number_words(names, texts, spans, special, segments),
        spans=spans,
        special=special,
        segments=segments,
    )


def reserved_ids(tokenizer: PreTrainedTokenizerBase) -> set[int]:
    """The ids of special tokens, but not those that stand for text: unknown words and masks."""
    reserved = {*tokenizer.all_special_ids, *getattr(tokenizer, "lang_code_to_id", {}).values()}
    ends = {
        tokenizer.convert_tokens_to_ids(token)
        for token in (
            tokenizer.bos_token,
            tokenizer.eos_token,
            tokenizer.cls_token,
            tokenizer.sep_token,
            tokenizer.pad_token,
        )
        if token is not None
    }
    content = {tokenizer.unk_token_id, tokenizer.mask_token_id} - ends
    return reserved - content


def closed(segments: Sequence[int | None]) -> tuple[int, ...]:
    """The part of each token; one that belongs to none gets the part that it closes."""
    out: list[int] = []
    current = 0
    for segment in segments:
        current = current if segment is None else segment
        out.append(current)
    return tuple(out)


def padded(axis: Axis, pad: Axis, length: int, side: str) -> Axis:
    """The axis filled up to `length` with copies of the one position of `pad`."""
    missing = length - len(axis)
    if missing <= 0:
        return axis
    before, after = (missing, 0) if side == "left" else (0, missing)
    fill = pad.labels[0], pad.ids[0]
    return Axis(
        labels=(fill[0],) * before + axis.labels + (fill[0],) * after,
        ids=(fill[1],) * before + axis.ids + (fill[1],) * after,
        words=(None,) * before + axis.words + (None,) * after,
        spans=(None,) * before + axis.spans + (None,) * after,
        special=(True,) * before + axis.special + (True,) * after,
        segments=(0,) * before + axis.segments + (axis.segments[-1],) * after,
        padding=(True,) * before + axis.padding + (True,) * after,
    )
