"""Which layers a selection names: among those that a config tells of, and those that were seen."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from attnviz.attention.selection import Range
from attnviz.errors import SelectionError
from attnviz.runs.scope import told_sites

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attnviz.attention.selection import Selection
    from attnviz.inputs.encode import ModelInputs
    from attnviz.models.loaded import LoadedModel
    from attnviz.observe.engine import Observation
    from attnviz.runs.request import RunRequest


def told_layers(loaded: LoadedModel, inputs: ModelInputs, selection: Selection) -> list[int] | None:
    """The layers asked for, of those that the config tells of; None where it lacks them."""
    sites = told_sites(loaded, inputs)
    layers = {site.layer for site in sites if selection.stack in (None, site.role)}
    try:
        return selection.layer_numbers(sorted(layers), loaded.facts.name)
    except SelectionError:
        return None


def in_layers(request: RunRequest, layers: Sequence[int]) -> RunRequest:
    """The request for these layers by number."""
    numbers = tuple(Range(layer, layer) for layer in layers)
    return replace(request, selection=replace(request.selection, layers=numbers))


def validate(seen: Observation, selection: Selection, name: str) -> list[int]:
    """The layers asked for. Raises SelectionError for a layer, head or stack that is not there."""
    names = seen.stack_names
    layers = [layer for layer in seen.layers if layer.parts == 1]
    if selection.stack is not None:
        if selection.stack not in names.values():
            known = ", ".join(dict.fromkeys(names.values()))
            raise SelectionError(f"stack {selection.stack} does not exist: {name} has {known}")
        layers = [
            one for one in layers if names[one.place.role, one.place.pattern] == selection.stack
        ]
    available = sorted({layer.place.layer for layer in layers})
    numbers = selection.layer_numbers(available, name)
    for number in numbers:
        heads = max(one.n_heads for one in layers if one.place.layer == number)
        selection.heads_of(number, heads, name)
    return numbers
