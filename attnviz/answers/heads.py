"""What every head does, in the order of a score."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from attnviz.attention.capture import Capture
from attnviz.attention.selection import Selection
from attnviz.views.answer import Answer, facts_of
from attnviz.views.heads.head_table import head_table
from attnviz.views.vocabulary import maker_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from attnviz.attention.capture import Check
    from attnviz.views.answer import Facts


def heads(
    captures: Capture | Iterable[Capture],
    selection: Selection | None = None,
    *,
    sort: str | None = None,
    kind: str | None = None,
    top: int | None = None,
    view: str = "table",
    over: str = "texts",
) -> Answer:
    """The selected heads by a score, largest first; over several captures by its mean.

    `sort` names the score: `content` if none, or `edge`, the weight of one query on one key, where
    the selection names both. `kind` keeps the heads of one name, `top` the first so many. `view`
    is `table`, or `matrix` of the score of all heads. `over` says what means run over. The captures
    are read one by one. Raises SelectionError, UsageError.
    """
    runs = Runs()
    read = [captures] if isinstance(captures, Capture) else captures
    shown = None if view == "matrix" else top
    table = head_table(runs.noted(read), selection or Selection(), sort, kind, shown, over)
    facts = replace(runs.facts[0], texts=table.texts) if over == "texts" else runs.facts[0]
    means = (f"means over {table.texts:,} {over}",) if view == "matrix" and table.texts > 1 else ()
    return Answer(
        facts,
        (maker_of(view, "ranking")(table),),
        (*means, *runs.notes),
        runs.checks,
    )


class Runs:
    """What is to be said of captures that are read one by one and not kept."""

    def __init__(self) -> None:
        self.facts: list[Facts] = []
        self.notes: tuple[str, ...] = ()  # of every run
        self.checks: tuple[Check, ...] = ()  # of the first, and those that failed in others

    def noted(self, captures: Iterable[Capture]) -> Iterator[Capture]:
        """The captures as they come."""
        for capture in captures:
            failed = tuple(check for check in capture.checks if check.ok is False)
            if self.facts:
                self.notes = tuple(note for note in self.notes if note in capture.notes)
                self.checks += tuple(check for check in failed if check not in self.checks)
            else:
                self.facts.append(facts_of(capture))
                self.notes, self.checks = capture.notes, capture.checks
            yield capture
