"""`--plan`: what a run would keep, what that takes, and how long it would run."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from attnviz.cli.output import print_line
from attnviz.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from attnviz.attention.selection import Selection
    from attnviz.cli.output import Talk
    from attnviz.cli.source import LoadRequest, Source
    from attnviz.forecast import Forecast, Path
    from attnviz.inputs.encode import ModelInputs
    from attnviz.models.loaded import LoadedModel


@dataclass(frozen=True)
class Planning:
    """How the runs that are planned would be made, and in which form the plan is printed."""

    selection: Selection
    talk: Talk
    memory: str | None
    bos: bool | None
    truncate: bool
    form: str = "table"

    def __call__(self, sources: Sequence[Source], request: LoadRequest) -> None:
        """Print the plan of the longest text. Raises UsageError for a saved capture."""
        if any(source.saved is not None for source in sources):
            raise UsageError("--plan runs no model on a saved capture", "leave --plan out")
        from attnviz.inputs.encode import encode_batch

        texts = [text for source in sources for text in source.read()]
        loaded = request.load(self.talk)
        inputs = (
            encode_batch(loaded, [one], bos=self.bos, truncate=self.truncate) for one in texts
        )
        self.show(loaded, inputs)

    def probe(self, request: LoadRequest) -> None:
        """Print the plan of one draw of repeated tokens, and the time that all draws take."""
        loaded = request.load(self.talk)
        from attnviz.inputs.repeated import repeated_tokens
        from attnviz.probe import SEEDS

        self.show(loaded, [repeated_tokens(loaded, 0, self.bos)] * SEEDS)

    def show(self, loaded: LoadedModel, inputs: Iterable[ModelInputs]) -> None:
        """Print the plan for the longest of these inputs, and the time that all take."""
        from attnviz.forecast import forecast

        lengths: list[int] = []
        longest = None
        for one in inputs:
            lengths.append(len(one.source))
            if longest is None or len(one.source) > len(longest.source):
                longest = one
        assert longest is not None
        with self.talk.progress("time short runs"):
            found = forecast(loaded, longest, self.selection, self.memory)
        if self.form == "json":
            sys.stdout.write(json.dumps(values(found, lengths)) + "\n")
            return
        for line in lines(loaded, found, lengths):
            print_line(line, sys.stdout)


def lines(loaded: LoadedModel, found: Forecast, lengths: Sequence[int]) -> list[str]:
    """The plan in words."""
    from attnviz.observe.plan import KEEPS, human

    facts, plan = loaded.facts, found.plan
    several = f", the longest of {len(lengths):,} texts" if len(lengths) > 1 else ""
    tried = ", ".join(f"{tokens:,} in {seconds:.2g} s" for tokens, seconds in found.tries[-2:])
    seconds = sum(found.at(length) for length in lengths)
    keeps = KEEPS[plan.keeps]
    if plan.side and plan.keeps != "whole":
        keeps += f" (up to {plan.side} × {plan.side}"
        keeps += f", {plan.top} keys a query)" if plan.top else ")"
    return [
        f"{facts.name}  {facts.architecture} · {facts.dtype} · {facts.device} · "
        f"{found.tokens:,} tokens{several}",
        f"keeps   {keeps}, with all scores: {human(plan.kept)} of {human(plan.budget)} allowed",
        f"order   {', else '.join(KEEPS.values())}: the first that fits "
        f"(whole maps take {human(plan.maps)})",
        f"time    about {duration(seconds)} beside loading, by short runs (tokens: {tried})",
        *(path_line(path) for path in found.paths),
    ]


def path_line(path: Path) -> str:
    """`self 0-3   4 heads each, from row blocks`."""
    from attnviz.attention.capture import ranges

    count = f"{path.heads} head{'s' if path.heads != 1 else ''} each"
    how = "row blocks" if path.in_blocks else "the tensor that the model makes of all heads"
    what = f"{count}, from {how}" if path.heads else "not observed"
    return f"layers  {path.stack} {ranges(path.layers)}: {what}"


def values(found: Forecast, lengths: Sequence[int]) -> dict[str, object]:
    """The plan as JSON."""
    return {
        "plan": asdict(found.plan),
        "tokens": found.tokens,
        "texts": len(lengths),
        "seconds": sum(found.at(length) for length in lengths),
        "tries": [{"tokens": tokens, "seconds": seconds} for tokens, seconds in found.tries],
        "layers": [asdict(path) for path in found.paths],
    }


def duration(seconds: float) -> str:
    """`0.4 s`, `25 s`, `12 min` or `3.5 h`."""
    if seconds < 90:
        return f"{seconds:.2g} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
