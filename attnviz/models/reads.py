"""What a model reads: text, or something else."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from attnviz.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from attnviz.models.loaded import LoadedModel

# The arguments of a forward that hold something else than tokens.
OTHER = ("pixel_values", "input_features", "input_values", "flattened_patches", "bbox")


def require_text(loaded: LoadedModel) -> None:
    """Raise InputError for a model that cannot run on a text alone."""
    main = loaded.model.main_input_name
    parameters = inspect.signature(loaded.model.forward).parameters
    if main == "input_ids" or main not in parameters:
        return
    if "input_ids" not in parameters:
        raise InputError(
            f"{loaded.facts.name} reads {main}, not text", "choose a model that reads text"
        )
    if parameters[main].default is inspect.Parameter.empty:
        raise InputError(f"{loaded.facts.name} reads {main} besides text", tensors_hint([main]))


def besides_text(loaded: LoadedModel, given: Iterable[str]) -> str:
    """A hint where the model also reads what it was not given; else empty."""
    missing = [name for name in OTHER if name in loaded.arguments and name not in given]
    return f"it also reads {missing[0]}; {tensors_hint(missing)}" if missing else ""


def tensors_hint(names: list[str]) -> str:
    """How a model gets more than text."""
    shown = ", ".join(f"'{name}': …" for name in ("input_ids", *names))
    return f"give its tensors: attnviz.capture(model, {{{shown}}})"
