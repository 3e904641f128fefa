"""What a model predicts, read from the outputs of the run that was observed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnviz.attention.capture import Prediction
from attnviz.models.answers import (
    best_spans,
    class_scores,
    masked_tokens,
    next_token,
    token_classes,
)
from attnviz.models.sides import source_side, target_side
from attnviz.models.task import Task, logits_of, task_of

if TYPE_CHECKING:
    from attnviz.inputs.encode import ModelInputs
    from attnviz.models.loaded import LoadedModel

NO_HEAD = "this model has no task head"
UNREAD = "the task head is of no kind that is read here"


def predict(loaded: LoadedModel, outputs: Any, inputs: ModelInputs, example: int = 0) -> Prediction:
    """What the task head says of one example, or a note that says why it says nothing."""
    task = task_of(loaded, outputs)
    if task is None:
        return Prediction(note=NO_HEAD if logits_of(outputs) is None else UNREAD)
    if loaded.untrained:
        note = f"{loaded.untrained[0]} is not in the checkpoint"
        return Prediction(task, note=note)
    if loaded.tokenizer is None and task in ("next token", "next target token", "masked token"):
        return Prediction(task, note="without a tokenizer tokens have no names")
    return answer(task, loaded, outputs, inputs, example)


def answer(
    task: Task, loaded: LoadedModel, outputs: Any, inputs: ModelInputs, example: int
) -> Prediction:
    """The answers of a head that can be trusted."""
    source = inputs.sources[example]
    config = loaded.model.config
    if task == "answer span":
        pair = inputs.texts[example].pair if inputs.texts else None
        return best_spans(outputs, example, source, pair)
    logits = logits_of(outputs)[example]
    if task in ("class", "labels", "score"):
        return class_scores(task, logits, config)
    if task == "token class":
        return token_classes(logits, source, config)
    assert loaded.tokenizer is not None
    tokenizer = source_side(loaded.tokenizer)
    if task == "masked token":
        return masked_tokens(logits, source, tokenizer)
    if task == "next target token":
        if inputs.encoder_only:
            return Prediction(task, note="without a target only the encoder ran")
        assert inputs.targets is not None
        return next_token(task, logits, inputs.targets[example], target_side(loaded.tokenizer))
    return next_token(task, logits, source, tokenizer)
