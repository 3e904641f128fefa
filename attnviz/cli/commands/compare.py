"""`attnviz compare`: which heads attend alike, and what moved between two texts or models."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Literal

from attnviz.cli.options.input import Reading
from attnviz.cli.options.model import Running
from attnviz.cli.options.output import Showing
from attnviz.cli.options.panels import OTHER, VIEW
from attnviz.cli.options.picture import PICTURES, Dpi, ThemeName
from attnviz.cli.options.selection import SelectingHeads
from attnviz.cli.options.spread import Given
from attnviz.cli.options.view import TopHeads, Words, view_option
from attnviz.cli.planning import Planning
from attnviz.cli.sink import IMAGES, TEXTS
from attnviz.cli.source import Source, captures, require_runs
from attnviz.errors import InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attnviz.attention.capture import Capture
    from attnviz.cli.source import LoadRequest
    from attnviz.cli.talk import Talk
    from attnviz.inputs.encode import ModelInputs
    from attnviz.models.loaded import LoadedModel
    from attnviz.render.image.style import ImageStyle
    from attnviz.runs.plan import Plan
    from attnviz.runs.request import RunRequest


@dataclass(frozen=True)
class Other:
    """The run that is compared with."""

    with_: Annotated[
        str | None,
        OTHER.value("TEXT", "Another text, or a saved capture: which heads moved most.", "--with"),
    ] = None
    with_model: Annotated[
        str | None,
        OTHER.value("MODEL", "Another model on the same text."),
    ] = None
    with_adapter: Annotated[
        str | None, OTHER.value("ADAPTER", "The model with another adapter, or none.")
    ] = None
    with_revision: Annotated[
        str | None,
        OTHER.value("REV", "Another revision of the model."),
    ] = None
    with_dtype: Annotated[
        Literal["float32", "bfloat16", "float16"] | None,
        OTHER.value("DTYPE", "The same model in another precision."),
    ] = None

    @property
    def given(self) -> list[str]:
        """The options that name it. Raises UsageError when they exclude each other."""
        values = {
            "--with": self.with_,
            "--with-model": self.with_model,
            "--with-adapter": self.with_adapter,
            "--with-revision": self.with_revision,
            "--with-dtype": self.with_dtype,
        }
        given = [name for name, value in values.items() if value is not None]
        if "--with" in given and len(given) > 1:
            names = " and ".join(given)
            raise UsageError(f"{names} exclude each other", "compare one thing at a time")
        return given

    def changed(self, load: LoadRequest) -> LoadRequest | None:
        """How the other model is loaded, None where there is no other."""
        if not self.given or self.with_ is not None:
            return None
        return replace(
            load,
            name=self.with_model or load.name,
            adapter=self.with_adapter or (None if self.with_model else load.adapter),
            revision=self.with_revision or (None if self.with_model else load.revision),
            dtype=self.with_dtype or load.dtype,
        )

    def source(self, first: Source) -> Source | None:
        """The other text or capture, all else as for the first. Raises InputError."""
        if self.with_ is None:
            return None
        if self.with_ == "":
            raise InputError("the text of --with is empty", "give at least one character")
        other = Source(self.with_, None, None, None, None)
        return other if other.saved else replace(first, text=self.with_, file=None)


@dataclass(frozen=True)
class Comparing:
    """What is compared, and how that is shown."""

    layers: Annotated[bool, VIEW.flag("--layers", "Compare layer with layer.")] = False
    top: TopHeads = 10
    view: Annotated[str, view_option("comparison")] = "table"
    words: Words = False


@dataclass(frozen=True)
class ComparePicturing:
    """How an image looks."""

    dpi: Dpi = 200
    theme: ThemeName = "light"

    def style(self) -> ImageStyle:
        """The style of these options."""
        from attnviz.render.image.style import ImageStyle

        return ImageStyle(self.dpi, theme_name=self.theme)


def compare(
    given: Given,
    reading: Reading,
    selecting: SelectingHeads,
    other: Other,
    comparing: Comparing,
    output: Showing,
    picturing: ComparePicturing,
    running: Running,
) -> None:
    """Compare heads: groups that attend alike, or what moved between two runs.

    Alone it groups all heads by the Jensen-Shannon distance of their maps. With
    one --head it lists the heads most like it, with several it shows them side
    by side. With --with, --with-model, --with-adapter, --with-revision or
    --with-dtype it lists the heads that moved most, and draws the difference.

    Examples:

      attnviz compare "The cat sat on the mat because it was tired." -m gpt2

      attnviz compare run.safetensors --head L5H3

      attnviz compare "He is a nurse." --with "She is a nurse."

      attnviz compare "The cat sat." -m gpt2 --with-dtype bfloat16
    """
    selection, sink = selecting.selection(), output.sink(picturing.style())
    source = reading.source()
    source.check()
    sink.check((*TEXTS, *IMAGES), "weights are written by attnviz export")
    alone = not other.given and selection.single_head is not None
    if not sink.draws:
        given.refuse(f".{sink.kind}" if output.output else "standard output", PICTURES)
    if comparing.layers or alone:
        what = "--layers, which is a matrix" if comparing.layers else "the heads most like one"
        given.refuse(what, {"--view": "it is for several heads"})
    check_other(other, comparing, source)
    if source.text == "-":
        source = replace(source, text=next(source.read()).text)
    # one head alone is compared with all the others
    observed = replace(selection, layers=(), heads=(), pairs=()) if alone else selection
    load, run = running.load_request(reading.model), running.run_request(observed, reading)
    sides = Sides(source, other.source(source), load, other.changed(load), run, sink.talk)
    sides.require()
    if running.plan:
        sides.plan(Planning(run, sink, whole))
        return
    from attnviz.answers.compare import compare as compared

    first, second = sides.captures()
    with sink.talk.progress("compare heads") as tell:
        answer = compared(
            first,
            second,
            selection,
            layers=comparing.layers,
            view=comparing.view,
            top=comparing.top,
            words=comparing.words,
            progress=None if tell is None else lambda share: tell(f"compare heads {share:.0%}"),
        )
    sink.put(answer)


@dataclass(frozen=True)
class Sides:
    """The one or two runs that are compared: texts, and models as they are loaded."""

    source: Source
    other: Source | None
    load: LoadRequest
    changed: LoadRequest | None
    run: RunRequest
    talk: Talk

    def require(self) -> None:
        """Raise what the second model would refuse, before the first one runs."""
        if self.changed is not None and self.changed != self.load:
            require_runs(self.source, self.changed, self.run, self.talk, whole)

    def plan(self, planning: Planning) -> None:
        """Print the plans of the runs."""
        planning([self.source] if self.other is None else [self.source, self.other], self.load)
        if self.changed is not None and self.changed != self.load:
            planning([self.source], self.changed)

    def captures(self) -> tuple[Capture, Capture | None]:
        """The runs."""
        if self.changed is not None:
            both = (self.captured(self.source, load) for load in (self.load, self.changed))
            first, second = chain.from_iterable(both)
            return first, second
        if self.other is None:
            [first] = self.captured(self.source, self.load)
            return first, None
        if self.source.saved is None and self.other.saved is None:
            first, second = self.captured(self.source, self.load, also=self.other)
            return first, second
        return self.with_saved(self.other)

    def with_saved(self, other: Source) -> tuple[Capture, Capture]:
        """The runs, of which at least one is a saved one: checked before the model is loaded."""
        from attnviz.answers.compare import check_whole

        found: dict[Source, Capture] = {}
        for side in sorted((self.source, other), key=lambda side: side.saved is None):
            load = replace(self.load, name=None) if side.saved else self.load
            [found[side]] = self.captured(side, load)
            check_whole(found[side], self.run.selection)
        return found[self.source], found[other]

    def captured(
        self, source: Source, load: LoadRequest, also: Source | None = None
    ) -> Iterator[Capture]:
        """The captures of these texts."""
        return captures(source, load, self.run, self.talk, also, whole)


def check_other(other: Other, comparing: Comparing, source: Source) -> None:
    """Raise UsageError for what does not go with a second run."""
    if not other.given:
        return
    name = other.given[0]
    if comparing.layers or comparing.view == "matrix":
        raise UsageError(f"{name} lists the heads that moved", "leave --layers and --view out")
    if source.saved is not None and other.given != ["--with"]:
        raise UsageError(f"{name} needs a model, not a saved capture", "give a text")


def whole(loaded: LoadedModel, inputs: ModelInputs, run: RunRequest) -> Plan:
    """The plan of a run that is compared. Raises UsageError unless it keeps whole maps."""
    from attnviz.runs.forecast import foreseen
    from attnviz.runs.memory import human

    plan = foreseen(loaded, inputs, run)
    if plan.keeps == "whole":
        return plan
    everything = foreseen(loaded, inputs, replace(run, memory=sys.maxsize))
    raise UsageError(
        f"only whole maps can be compared: those of {loaded.facts.name} on "
        f"{len(inputs.source):,} tokens take {human(everything.kept)} with all scores, --memory "
        f"allows {human(plan.budget)}",
        "allow more, select fewer layers or heads, or shorten the text",
    )
