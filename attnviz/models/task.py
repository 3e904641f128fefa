"""What the task head of a model is for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from attnviz.models.loaded import LoadedModel

Task = Literal[
    "next token",
    "next target token",
    "masked token",
    "class",
    "labels",
    "score",
    "token class",
    "answer span",
]

MASKED = ("ForMaskedLM", "ForPreTraining", "WithLMHeadModel", "ForMaskGeneration")
CLASSES = ("ForSequenceClassification", "ForNextSentencePrediction")
CAUSAL = ("ForCausalLM", "LMHeadModel", "DoubleHeadsModel", "ForConditionalGeneration")


def task_of(loaded: LoadedModel, outputs: Any) -> Task | None:
    """The task of the head whose outputs these are; None without a head, or one not known."""
    name = type(loaded.model).__name__
    if getattr(outputs, "start_logits", None) is not None:
        return "answer span"
    logits = logits_of(outputs)
    if logits is None:
        return None
    if name.endswith(CLASSES):
        return class_task(loaded)
    if logits.ndim != 3:
        return None
    if name.endswith("ForTokenClassification"):
        return "token class"
    if loaded.encoder_decoder:
        return "next target token"
    if name.endswith(MASKED) and has_mask(loaded):
        return "masked token"
    if name.endswith(CAUSAL) or getattr(loaded.model, "lm_head", None) is not None:
        return "next token"
    return None


def logits_of(outputs: Any) -> Any:
    """The logits, under the name that the head gives them; None when there are none."""
    for name in ("logits", "prediction_logits"):
        if getattr(outputs, name, None) is not None:
            return getattr(outputs, name)
    return None


def has_mask(loaded: LoadedModel) -> bool:
    """Whether the tokenizer has a mask; GPT-2 style ForPreTraining heads have none."""
    return getattr(loaded.tokenizer, "mask_token_id", None) is not None


def class_task(loaded: LoadedModel) -> Task:
    """Whether a classifier picks one class, any number of labels, or gives a number."""
    config = loaded.model.config
    kind = getattr(config, "problem_type", None)
    if kind == "multi_label_classification":
        return "labels"
    if kind == "regression" or getattr(config, "num_labels", 2) == 1:
        return "score"
    return "class"
