"""Why a model could not be run, in words that help."""

from __future__ import annotations

import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from attnviz.errors import AttnvizError, CaptureError, ModelError
from attnviz.models.placement import is_quantized
from attnviz.models.reads import besides_text
from attnviz.models.translate import REST, cause
from attnviz.observe.engine import Recorder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attnviz.inputs.encode import ModelInputs
    from attnviz.models.loaded import LoadedModel
    from attnviz.runs.plan import Plan

# What runs inside the model's call and is ours: an error from there is not the model's.
OURS = (Recorder.seen.__code__, Recorder.finish.__code__)


@contextmanager
def explained(loaded: LoadedModel, inputs: ModelInputs, plan: Plan) -> Iterator[None]:
    """Whatever a run inside raises comes out as an AttnvizError.

    ModelError with the plan's numbers where it is out of memory, for quantized weights that have
    no kernel here, and with the first line of any other error of the model; CaptureError where
    observing it failed.
    """
    try:
        yield
    except AttnvizError:
        raise
    except Exception as error:
        raise explanation(error, loaded, inputs, plan) from error


def explanation(
    error: Exception, loaded: LoadedModel, inputs: ModelInputs, plan: Plan
) -> AttnvizError:
    """The error that says why the run failed."""
    name, device = loaded.facts.name, loaded.facts.device
    if _is_memory(error):
        tokens = max(len(axis) for axis in inputs.sources)
        return ModelError(
            f"out of memory on {device} at {tokens} tokens ({plan})",
            "select layers or heads, shorten the text (--truncate), or use --dtype bfloat16",
        )
    if _is_ours(error):
        return CaptureError(f"observing {name} failed: {cause(error)}", REST)
    if is_quantized(loaded.model):
        how = loaded.model.config.quantization_config.quant_method.value
        return ModelError(
            f"{how} cannot run {name} on {device}: {cause(error)}",
            "try another --device or other weights: --quantize 8bit, 4bit, or without",
        )
    more = besides_text(loaded, inputs.tensors)
    return ModelError(f"running {name} failed: {cause(error)}", f"{more}; {REST}" if more else REST)


def _is_memory(error: Exception) -> bool:
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    text = str(error).lower()
    return "out of memory" in text or "can't allocate memory" in text


def _is_ours(error: Exception) -> bool:
    frames = traceback.walk_tb(error.__traceback__)
    return any(frame.f_code in OURS for frame, _ in frames)
