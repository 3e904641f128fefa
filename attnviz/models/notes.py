"""What a reader of the picture must be told of the loading."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from attnviz.errors import ModelError
from attnviz.models.code import is_remote, own_code
from attnviz.models.placement import is_quantized

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from attnviz.models.find.source import Source

NUMBER = re.compile(r"\d+")


def quantization_notes(model: PreTrainedModel, told: Any, source: Source) -> list[str]:
    """A note when the weights are quantized in the checkpoint, and not in the model.

    Raises ModelError when transformers passed over how they are.
    """
    if told is None or is_quantized(model):
        return []
    how = told.get("quant_method") if isinstance(told, dict) else told.quant_method.value
    if getattr(model.config, "quantization_config", None) is not None:
        raise ModelError(
            f"the weights of {source.name} are quantized in a way that this transformers "
            f"does not know: {how}",
            "upgrade transformers, or use a checkpoint that is not quantized",
        )
    dtype = str(model.dtype).removeprefix("torch.")
    return [f"its {how} weights are dequantized to {dtype} here"]


def head_notes(model: PreTrainedModel, wanted: str) -> list[str]:
    """A note when the class that the checkpoint names is not the one that was loaded."""
    got = type(model).__name__
    if not wanted or wanted == got or is_remote(model):
        return []
    return [f"{wanted} is not a class of transformers for this config: loaded as {got}"]


def code_notes(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase | None, source: Source
) -> list[str]:
    """Whether the code that a repository brings was run."""
    notes = []
    for part, one in (("model", model), ("tokenizer", tokenizer)):
        files, got = ", ".join(own_code(one)), type(one).__name__
        brings = f"{source.display} brings code for its {part} ({files})"
        if files and is_remote(one):
            notes.append(f"{brings}: {got} of it was run")
        elif files:
            notes.append(
                f"{brings}, which was not run: loaded as {got} of transformers "
                "(--trust-remote-code runs it)"
            )
    return notes


def untrained_notes(untrained: tuple[str, ...]) -> list[str]:
    """A note when weights were set at random because the checkpoint does not hold them."""
    if not untrained:
        return []
    shown = ", ".join(untrained[:3]) + (", …" if len(untrained) > 3 else "")
    plural = "weight is" if len(untrained) == 1 else "weights are"
    return [f"{len(untrained)} {plural} not in the checkpoint and set at random: {shown}"]


def unused_notes(model: PreTrainedModel, unused: tuple[str, ...]) -> list[str]:
    """A note when the checkpoint holds more layers than its config tells of.

    Other weights without a place belong to another task head.
    """
    known = {NUMBER.sub("*", name) for name in model.state_dict()}
    beyond = [name for name in unused if NUMBER.sub("*", name) in known]
    if not beyond:
        return []
    return [
        f"{len(beyond)} weights of the checkpoint are of layers that its config.json does not "
        f"have, and not used: {beyond[0]}{', …' if len(beyond) > 1 else ''}"
    ]


def tokenizer_notes(tokenizer: PreTrainedTokenizerBase | None, source: Source) -> list[str]:
    """A note when there is none."""
    if tokenizer is not None:
        return []
    return [f"{source.display} has no tokenizer: it takes tensors only"]
