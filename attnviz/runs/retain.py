"""What is wanted of a run: which heads are observed, what is kept of them, and whether it fits."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from attnviz.attention.selection import Selection
from attnviz.errors import SelectionError
from attnviz.metrics.alignment import Alignment
from attnviz.metrics.scores import Content, Masses
from attnviz.metrics.structure import Structure
from attnviz.metrics.targets import Targets
from attnviz.metrics.value_weighted import ValueWeighted
from attnviz.models.anatomy.counts import expected_sites
from attnviz.observe.checks.self_check import SelfCheck
from attnviz.observe.retained import PooledMaps, TopKeys, WholeMaps, WindowMaps
from attnviz.runs.plan import KEEPS, Plan, Size, human, make_plan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attnviz.attention.axis import Axis
    from attnviz.inputs.encode import ModelInputs
    from attnviz.models.load import LoadedModel
    from attnviz.observe.blocks import Observer, Site
    from attnviz.observe.engine import Wanted


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


def planned(
    loaded: LoadedModel, inputs: ModelInputs, selection: Selection, memory: str | None
) -> Plan:
    """The plan for what is wanted of this model and input.

    Raises UsageError when the memory is not enough, SelectionError for tokens that do not exist.
    """
    queries = max(len(axis) for axis in inputs.sources)
    targets = max(len(axis) for axis in inputs.targets) if inputs.targets else None
    wants, windows = wanted(inputs, selection), windows_of(inputs, selection)
    sizes = [
        Size(len(wants(one.role, one.layer, one.heads)), one.queries, one.keys,
             *windows.get(one.role, (0, 0)))
        for one in expected_sites(loaded.model.config, queries, targets, loaded.anatomy)
    ]  # fmt: skip
    return make_plan(sizes * len(inputs.sources), memory)


def windows_of(inputs: ModelInputs, selection: Selection) -> dict[str, tuple[int, int]]:
    """(queries, keys) of the largest window that `--query` and `--key` name in the shown stack.

    Raises SelectionError where they name none.
    """
    role, pairs = shown_axes(inputs, selection)
    found = [window for one in pairs if (window := selection.window(*one)) is not None]
    if not found:
        return {}
    return {role: (max(len(rows) for rows, _ in found), max(len(keys) for _, keys in found))}


def shown_axes(
    inputs: ModelInputs, selection: Selection
) -> tuple[str, tuple[tuple[Axis, Axis], ...]]:
    """The stack that is shown, and (queries, keys) there of every example, where they are known."""
    paired = inputs.targets is not None and not inputs.encoder_only
    targets = inputs.targets if inputs.targets is not None else inputs.sources
    sides = {"self": (inputs.sources, inputs.sources), "encoder": (inputs.sources, inputs.sources),
             "decoder": (targets, targets), "cross": (targets, inputs.sources)}  # fmt: skip
    role = selection.stack or ("cross" if paired else "encoder" if inputs.targets else "self")
    return role, tuple(zip(*sides[role], strict=True)) if role in sides else ()


@dataclass
class Keeper:
    """Chooses what to keep of every site, as the plan says.

    `asked` is what whole maps of all sites would have taken, `used` what is kept of them: where
    there is more to see than the model's config told, what does not fit is pooled. `windows` counts
    the windows that are kept beside pooled maps.
    """

    plan: Plan
    selection: Selection = field(default_factory=Selection)
    asked: int = 0
    used: int = 0
    windows: int = 0

    def __call__(self, site: Site) -> Sequence[Observer]:
        """The observers for this site."""
        size = Size(len(site.heads), len(site.queries), len(site.keys)).map
        whole = self.plan.keeps == "whole" and self.used + size <= self.plan.budget
        self.asked += size
        self.used += size if whole else 0
        maps: list[Observer] = [WholeMaps()] if whole else self.smaller(site)
        scores = (Masses(), Content(), Targets(), Structure(), Alignment(), ValueWeighted())
        return [*maps, SelfCheck(), *scores]

    def smaller(self, site: Site) -> list[Observer]:
        """What is kept in place of whole maps, with the part of them that was asked for."""
        found: list[Observer] = [PooledMaps(self.plan.side)] if self.plan.side else []
        if self.plan.top:
            found.append(TopKeys(self.plan.top))
        with suppress(SelectionError):  # in the other stacks
            window = self.selection.window(site.queries, site.keys)
            found += [WindowMaps(*window)] if window else []
            self.windows += window is not None
        return found

    def line(self, examples: int) -> str:
        """What was kept of each of as many examples: `whole maps 26.3 KiB`."""
        if self.used == self.asked:
            return f"{KEEPS['whole']} {human(self.used / examples)}"
        if self.plan.keeps == "whole":  # there was more to see than the model's config told
            return "maps pooled in part" if self.used else KEEPS["pooled"]
        return f"{KEEPS[self.plan.keeps]} {human(self.plan.kept / examples)}"

    @property
    def notes(self) -> tuple[str, ...]:
        """What the picture must say of the plan."""
        if self.used == self.asked:
            return ()
        note = replace(self.plan, maps=max(self.plan.maps, self.asked)).note
        given = (("--query", self.selection.query), ("--key", self.selection.key))
        names = " and ".join(f"{name} {value}" for name, value in given if value is not None)
        return (f"{note}; the window of {names} is exact" if self.windows else note,)
