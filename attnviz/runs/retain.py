"""What is kept of every site that a run observes."""

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
from attnviz.observe.checks.self_check import SelfCheck
from attnviz.observe.retained import PooledMaps, TopKeys, WholeMaps, WindowMaps
from attnviz.runs.memory import human
from attnviz.runs.plan import KEEPS, Plan, Size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attnviz.observe.blocks import Observer, Site


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
