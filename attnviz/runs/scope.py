"""What a run is to observe: which heads and tokens of a model and input, and the plan for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnviz.models.anatomy.counts import expected_sites
from attnviz.runs.plan import Size, make_plan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attnviz.attention.axis import Axis
    from attnviz.attention.selection import Selection
    from attnviz.inputs.encode import ModelInputs
    from attnviz.models.anatomy.counts import Expected
    from attnviz.models.loaded import LoadedModel
    from attnviz.observe.engine import Wanted
    from attnviz.runs.plan import Plan
    from attnviz.runs.request import RunRequest


def wanted(inputs: ModelInputs, selection: Selection) -> Wanted:
    """Which heads to observe, as the engine asks: by role, layer and number of heads."""
    roles = ("self", "encoder", "decoder", "cross")

    def wants(role: str, layer: int, n_heads: int) -> Sequence[int]:
        if inputs.encoder_only and role in ("decoder", "cross"):
            return ()
        if selection.stack in roles and selection.stack != role:
            return ()
        return selection.wants(layer, None, n_heads)

    return wants


def planned(loaded: LoadedModel, inputs: ModelInputs, request: RunRequest) -> Plan:
    """The plan for what is wanted of this model and input.

    Raises UsageError when the memory is not enough, SelectionError for tokens that do not exist.
    """
    selection = request.selection
    wants, windows = wanted(inputs, selection), windows_of(inputs, selection)
    sizes = [
        Size(
            len(wants(site.role, site.layer, site.heads)),
            site.queries,
            site.keys,
            *windows.get(site.role, (0, 0)),
        )
        for site in told_sites(loaded, inputs)
    ]
    return make_plan(sizes * len(inputs.sources), request.memory)


def told_sites(loaded: LoadedModel, inputs: ModelInputs) -> list[Expected]:
    """The attention layers that the model's config tells of, as large as this input makes them."""
    queries = max(len(axis) for axis in inputs.sources)
    targets = max(len(axis) for axis in inputs.targets) if inputs.targets else None
    return expected_sites(loaded.model.config, queries, targets, loaded.anatomy)


def windows_of(inputs: ModelInputs, selection: Selection) -> dict[str, tuple[int, int]]:
    """(queries, keys) of the largest window that `--query` and `--key` name in the shown stack.

    Raises SelectionError where they name none.
    """
    role, pairs = shown_axes(inputs, selection)
    windows = [window for axes in pairs if (window := selection.window(*axes)) is not None]
    if not windows:
        return {}
    return {role: (max(len(rows) for rows, _ in windows), max(len(keys) for _, keys in windows))}


def shown_axes(
    inputs: ModelInputs, selection: Selection
) -> tuple[str, tuple[tuple[Axis, Axis], ...]]:
    """The stack that is shown, and (queries, keys) there of every example, where they are known."""
    paired = inputs.targets is not None and not inputs.encoder_only
    targets = inputs.targets if inputs.targets is not None else inputs.sources
    sides = {
        "self": (inputs.sources, inputs.sources),
        "encoder": (inputs.sources, inputs.sources),
        "decoder": (targets, targets),
        "cross": (targets, inputs.sources),
    }
    role = selection.stack or ("cross" if paired else "encoder" if inputs.targets else "self")
    return role, tuple(zip(*sides[role], strict=True)) if role in sides else ()
