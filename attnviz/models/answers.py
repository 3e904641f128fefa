"""The best answers of each kind of task head, with float32 probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnviz.attention.capture import Prediction
from attnviz.models.labels import labels

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch
    from transformers import PreTrainedConfig, PreTrainedTokenizerBase

    from attnviz.attention.axis import Axis

TOP = 5
TOP_CLASSES = 3
# The longest answer that is looked for, in tokens.
LONGEST_SPAN = 30

Answers = tuple[tuple[str, float], ...]


def next_token(
    task: str, logits: torch.Tensor, axis: Axis, tokenizer: PreTrainedTokenizerBase
) -> Prediction:
    """What follows the last token that is not padding. `logits`: (tokens, vocabulary)."""
    last = max(i for i, padded in enumerate(axis.padding) if not padded)
    return Prediction(task, (("", likeliest(logits[last], tokenizer)),))


def masked_tokens(
    logits: torch.Tensor, axis: Axis, tokenizer: PreTrainedTokenizerBase
) -> Prediction:
    """What stands behind each mask. `logits`: (tokens, vocabulary)."""
    masks = [i for i, number in enumerate(axis.ids) if number == tokenizer.mask_token_id]
    mask = str(tokenizer.mask_token)
    if not masks:
        return Prediction("masked token", note=f"no {mask} in the text")
    return Prediction(
        "masked token",
        tuple(
            (mask if len(masks) == 1 else f"{mask}#{n}", likeliest(logits[place], tokenizer))
            for n, place in enumerate(masks, start=1)
        ),
    )


def likeliest(logits: torch.Tensor, tokenizer: PreTrainedTokenizerBase) -> Answers:
    """The tokens with the highest probability. `logits`: (vocabulary,)."""
    chances = logits.float().softmax(-1)
    values, ids = chances.topk(min(TOP, len(chances)))
    return tuple(zip(labels(tokenizer, ids.tolist()), values.tolist(), strict=True))


def class_scores(task: str, logits: torch.Tensor, config: PreTrainedConfig) -> Prediction:
    """The classes, best first; for a score the number itself. `logits`: (classes,)."""
    values = logits.float().reshape(-1)
    if task == "class":
        values = values.softmax(-1)
    elif task == "labels":
        values = values.sigmoid()
    return Prediction(task, (("", ranked(values, config, TOP)),))


def token_classes(logits: torch.Tensor, axis: Axis, config: PreTrainedConfig) -> Prediction:
    """The classes of every token of the text. `logits`: (tokens, classes)."""
    chances = logits.float().softmax(-1)
    return Prediction(
        "token class",
        tuple(
            (axis.labels[i], ranked(chances[i], config, TOP_CLASSES))
            for i in range(min(len(axis), len(chances)))
            if not axis.special[i] and not axis.padding[i]
        ),
    )


def ranked(values: torch.Tensor, config: PreTrainedConfig, top: int) -> Answers:
    """The names of the highest values, with them."""
    names: Mapping[int, Any] = getattr(config, "id2label", None) or {}
    best, places = values.topk(min(top, len(values)))
    return tuple(
        (str(names.get(place, place)), value)
        for place, value in zip(places.tolist(), best.tolist(), strict=True)
    )


def best_spans(outputs: Any, example: int, axis: Axis, pair: str | None) -> Prediction:
    """The spans of the pair that answer the text, each once, best first."""
    if pair is None or 1 not in axis.segments:
        return Prediction("answer span", note="the text is the question, --pair its context")
    inside = [
        i
        for i, (segment, span) in enumerate(zip(axis.segments, axis.spans, strict=True))
        if segment == 1 and span is not None
    ]
    low, high = inside[0], inside[-1] + 1
    starts = outputs.start_logits[example].float().softmax(-1)[low:high]
    ends = outputs.end_logits[example].float().softmax(-1)[low:high]
    chances = (starts[:, None] * ends[None, :]).triu().tril(LONGEST_SPAN - 1)
    values, places = chances.flatten().topk(min(TOP * 4, chances.numel()))
    answers: dict[str, float] = {}
    for value, place in zip(values.tolist(), places.tolist(), strict=True):
        begin, end = axis.spans[low + place // len(ends)], axis.spans[low + place % len(ends)]
        if begin is not None and end is not None and value > 0:
            answers.setdefault(pair[begin[0] : end[1]], value)
    return Prediction("answer span", (("", tuple(answers.items())[:TOP]),))
