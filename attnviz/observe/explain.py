"""Why a model could not be run, in words that help."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from attnviz.errors import ModelError
from attnviz.models.placement import is_quantized

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attnviz.inputs.encode import ModelInputs
    from attnviz.models.loaded import LoadedModel
    from attnviz.observe.plan import Plan


@contextmanager
def explained(loaded: LoadedModel, inputs: ModelInputs, plan: Plan) -> Iterator[None]:
    """Raises ModelError when a run inside is out of memory, with the plan's numbers, and for
    quantized weights that have no kernel here.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError, AssertionError) as error:
        name, device = loaded.facts.name, loaded.facts.device
        if _is_memory(error):
            tokens = max(len(axis) for axis in inputs.sources)
            raise ModelError(
                f"out of memory on {device} at {tokens} tokens ({plan})",
                "select layers or heads, shorten the text (--truncate), or use --dtype bfloat16",
            ) from error
        if is_quantized(loaded.model):
            raise ModelError(
                f"bitsandbytes cannot run {name} on {device}: {error}",
                "try the other --quantize (8bit or 4bit), another --device, or leave it out",
            ) from error
        raise


def _is_memory(error: Exception) -> bool:
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    text = str(error).lower()
    return "out of memory" in text or "can't allocate memory" in text
