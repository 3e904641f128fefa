"""One input as a tokenizer writes it: parallel lists, one entry per token."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from attnviz.inputs.slow import find_part, locate
from attnviz.models.labels import labels
from attnviz.models.sides import turn

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from transformers import PreTrainedTokenizerBase

Span = tuple[int, int]


@dataclass(frozen=True)
class Row:
    """The tokens of one input.

    `added` are the tokens that the tokenizer put around the text; `segments` is None where a
    token belongs to no part. `extras` are further inputs of the model, one number per token.
    """

    ids: tuple[int, ...]
    spans: tuple[Span | None, ...]
    added: tuple[bool, ...]
    segments: tuple[int | None, ...]
    extras: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, indices: Iterable[int]) -> Row:
        """The row with only these tokens, in this order."""
        picked = list(indices)

        def pick(values: Sequence[Any]) -> tuple[Any, ...]:
            return tuple(values[i] for i in picked)

        return Row(
            pick(self.ids),
            pick(self.spans),
            pick(self.added),
            pick(self.segments),
            {name: pick(values) for name, values in self.extras.items()},
        )

    def behind(self, token: int) -> Row:
        """The row with one special token put in front."""
        row = self.take([0, *range(len(self))]) if len(self) else self
        return replace(
            row,
            ids=(token, *self.ids),
            spans=(None, *self.spans),
            added=(True, *self.added),
            segments=(None, *self.segments),
        )


def tokenize(
    tokenizer: PreTrainedTokenizerBase,
    text: str,
    pair: str | None = None,
    *,
    limit: int | None = None,
) -> Row:
    """The tokens of a text, or of a pair, as the tokenizer joins them; cut to `limit` tokens."""
    options: dict[str, Any] = {"verbose": False}
    if limit is not None:
        options |= {"truncation": "longest_first", "max_length": limit}
    if tokenizer.is_fast:
        options |= {"return_offsets_mapping": True, "return_special_tokens_mask": True}
    with turn(tokenizer):
        encoding = tokenizer(text, pair, **options)
    ids = tuple(int(one) for one in encoding["input_ids"])
    own = ("input_ids", "attention_mask", "offset_mapping", "special_tokens_mask")
    extras = {
        name: tuple(values)
        for name, values in encoding.items()
        if name not in own and per_token(values, len(ids))
    }
    if tokenizer.is_fast:
        added = tuple(bool(one) for one in encoding["special_tokens_mask"])
        segments = tuple(encoding.sequence_ids(0))
        found: Sequence[Span | None] = [(int(a), int(b)) for a, b in encoding["offset_mapping"]]
    else:
        added, segments = surroundings(tokenizer, ids, text, pair)
        found = located(tokenizer, ids, segments, (text, pair or ""))
    spans = trimmed(found, added, segments, (text, pair or ""))
    return Row(ids, spans, added, segments, extras)


def per_token(values: object, length: int) -> bool:
    """Whether it is a list of one integer per token."""
    return (
        isinstance(values, list)
        and len(values) == length
        and all(isinstance(value, int) for value in values)
    )


def surroundings(
    tokenizer: PreTrainedTokenizerBase, ids: Sequence[int], text: str, pair: str | None
) -> tuple[tuple[bool, ...], tuple[int | None, ...]]:
    """For a slow tokenizer: which tokens it put around the text, and the part of each other."""
    segments: list[int | None] = [None] * len(ids)
    start = 0
    for number, part in enumerate((text,) if pair is None else (text, pair)):
        bare = tokenizer(part, add_special_tokens=False, verbose=False)["input_ids"]
        begin, end = find_part(ids, bare, start)
        segments[begin:end] = [number] * (end - begin)
        start = end
    return tuple(segment is None for segment in segments), tuple(segments)


def located(
    tokenizer: PreTrainedTokenizerBase,
    ids: Sequence[int],
    segments: Sequence[int | None],
    texts: Sequence[str],
) -> tuple[Span | None, ...]:
    """For a slow tokenizer: where each token stands in its text, as far as it can be told."""
    spans: list[Span | None] = [None] * len(ids)
    names = labels(tokenizer, ids)
    for number, text in enumerate(texts):
        inside = [i for i, segment in enumerate(segments) if segment == number]
        for i, span in zip(inside, locate([names[i] for i in inside], text), strict=True):
            spans[i] = span
    return tuple(spans)


def trimmed(
    spans: Sequence[Span | None],
    added: Sequence[bool],
    segments: Sequence[int | None],
    texts: Sequence[str],
) -> tuple[Span | None, ...]:
    """The spans without the spaces around them; None where a token stands for no text."""
    out: list[Span | None] = []
    for span, is_added, segment in zip(spans, added, segments, strict=True):
        text = texts[segment or 0]
        if span is None or is_added or span[0] >= min(span[1], len(text)):
            out.append(None)
            continue
        start, end = span[0], min(span[1], len(text))
        part = text[start:end]
        if part.strip():
            start += len(part) - len(part.lstrip())
            end -= len(part) - len(part.rstrip())
        out.append((start, end))
    return tuple(out)
