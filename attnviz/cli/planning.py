"""`--plan`: what a run would keep, what that takes, and how long it would run."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from attnviz.cli.source import require_run
from attnviz.errors import UsageError
from attnviz.views.answer import Answer, Facts
from attnviz.views.listing import Listing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from attnviz.cli.sink import Sink
    from attnviz.cli.source import Foresee, LoadRequest, Source
    from attnviz.inputs.encode import ModelInputs
    from attnviz.models.loaded import LoadedModel
    from attnviz.observe.sources.map_source import Origin
    from attnviz.runs.forecast import Forecast, Path
    from attnviz.runs.plan import Plan
    from attnviz.runs.request import RunRequest

ORIGINS: dict[Origin, str] = {
    "recomputed": "in row blocks of these heads alone",
    "own function": "in row blocks of all heads, by the model's own function",
    "own tensor": "from the tensor that the model makes of all heads",
}


@dataclass(frozen=True)
class Planning:
    """How the runs that are planned would be made, and in which form the plan is printed.

    `foresee` refuses an input whose plan the command cannot use. Every text is read `runs` times.
    """

    run: RunRequest
    sink: Sink
    foresee: Foresee | None = None
    runs: int = 1

    def __call__(self, sources: Sequence[Source], load: LoadRequest) -> None:
        """Print the plan of the longest text. Raises UsageError for a saved capture."""
        if any(source.saved is not None for source in sources):
            raise UsageError("--plan runs no model on a saved capture", "leave --plan out")
        from attnviz.inputs.encode import encode_batch

        texts = [text for source in sources for text in source.read()]
        loaded = load.load(self.sink.talk)
        inputs = (
            encode_batch(loaded, [one], bos=self.run.bos, truncate=self.run.truncate)
            for one in texts
        )
        self.show(loaded, inputs)

    def probe(self, load: LoadRequest) -> None:
        """Print the plan of one draw of repeated tokens, and the time that all draws take."""
        loaded = load.load(self.sink.talk)
        from attnviz.inputs.repeated import repeated_tokens
        from attnviz.runs.repeated_tokens import SEEDS

        self.show(loaded, [repeated_tokens(loaded, 0, self.run.bos)] * SEEDS)

    def checks(
        self,
        load: LoadRequest,
        text: str,
        target: str | None,
        source_lang: str | None = None,
        target_lang: str | None = None,
    ) -> None:
        """Print what the checks of a model keep, and the time of their runs."""
        from attnviz.runs.check import beside_eager, read, runs_of
        from attnviz.runs.memory import human

        loaded = load.load(self.sink.talk)
        inputs = read(loaded, text, target, source_lang, target_lang)
        plan, why = beside_eager(loaded, inputs.tensors, self.run)
        found = replace(self.forecast(loaded, inputs), plan=plan)
        runs = runs_of(inputs.tensors, sum(len(path.layers) for path in found.paths), not why)
        what = f"no maps ({why})" if why else "whole maps beside those of eager"
        keeps = f"keeps   {what}: {human(plan.kept)} of {human(plan.budget)} allowed"
        replace(self, runs=runs).tell(loaded, found, [found.tokens], keeps)

    def show(self, loaded: LoadedModel, inputs: Iterable[ModelInputs]) -> None:
        """Print the plan for the longest of these inputs, and the time that all take."""
        lengths: list[int] = []
        longest = None
        for one in inputs:
            require_run(self.foresee, loaded, one, self.run)
            lengths.append(len(one.source))
            if longest is None or len(one.source) > len(longest.source):
                longest = one
        assert longest is not None
        found = self.forecast(loaded, longest)
        self.tell(loaded, found, lengths, *keeping(found.plan))

    def forecast(self, loaded: LoadedModel, inputs: ModelInputs) -> Forecast:
        """The forecast of one run."""
        from attnviz.runs.forecast import forecast

        with self.sink.talk.progress("time short runs"):
            return forecast(loaded, inputs, self.run)

    def tell(
        self, loaded: LoadedModel, found: Forecast, lengths: Sequence[int], *keeps: str
    ) -> None:
        """Print what is kept, how long it takes, and the path of each layer."""
        seconds = self.runs * sum(found.at(length) for length in lengths)
        facts = loaded.facts
        values = {
            "plan": asdict(found.plan),
            "attention": facts.implementation,
            "own_maps": found.own_maps,
            "tokens": found.tokens,
            "texts": len(lengths),
            "runs": self.runs,
            "seconds": seconds,
            "tries": [{"tokens": tokens, "seconds": took} for tokens, took in found.tries],
            "layers": [asdict(path) for path in found.paths],
        }
        tried = ", ".join(f"{tokens:,} in {took:.2g} s" for tokens, took in found.tries[-2:])
        took = f"about {duration(seconds)}"
        if self.runs > 1:  # some observe less than the one that was timed
            took = f"up to {duration(seconds)} for {self.runs} runs"
        lines = (
            *reading(facts.implementation, len(lengths)),
            *keeps,
            *beside(found),
            f"time    {took} beside loading on a quiet machine, by short runs (tokens: {tried})",
            *(path_line(path) for path in found.paths),
        )
        about = Facts(facts, tokens=found.tokens)
        self.sink.print(Answer(about, (Listing(lines, values),), loaded.notes))


def reading(attention: str, texts: int) -> tuple[str, ...]:
    """How the model attends, and of how many texts this one is the longest."""
    said = [f"{attention} attention"] if attention else []
    said += [f"the longest of {texts:,} texts"] if texts > 1 else []
    return (f"reads   {', '.join(said)}",) if said else ()


def keeping(plan: Plan) -> tuple[str, str]:
    """What is kept, and what would be if it did not fit."""
    from attnviz.runs.memory import human
    from attnviz.runs.plan import KEEPS

    keeps = KEEPS[plan.keeps]
    if plan.side and plan.keeps != "whole":
        keeps += f" (up to {plan.side} × {plan.side}"
        keeps += f", {plan.top} keys a query)" if plan.top else ")"
    return (
        f"keeps   {keeps}, with all scores: {human(plan.kept)} of {human(plan.budget)} allowed",
        f"order   {', else '.join(KEEPS.values())}: the first that fits "
        f"(whole maps take {human(plan.maps)})",
    )


def beside(found: Forecast) -> tuple[str, ...]:
    """What the model's own maps take, where it makes them whole."""
    from attnviz.runs.memory import human

    if not found.own_maps:
        return ()
    takes = f"{human(found.own_maps)}, and copies of it while it computes"
    return (f"beside  the model makes the maps of all heads of a layer at once: {takes}",)


def path_line(path: Path) -> str:
    """`layers  self 0-3: 4 heads each, in row blocks of these heads alone`."""
    from attnviz.attention.ranges import ranges

    what = "not observed"
    if path.origin is not None:
        count = f"{path.heads} head{'s' if path.heads != 1 else ''} each"
        what = f"{count}, {ORIGINS[path.origin]}"
    return f"layers  {path.stack} {ranges(path.layers)}: {what}"


def duration(seconds: float) -> str:
    """`0.4 s`, `25 s`, `12 min` or `3.5 h`."""
    if seconds < 90:
        return f"{seconds:.2g} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
