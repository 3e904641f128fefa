"""`attnviz inspect`: the first look at a text, or at part of its attention."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from attnviz.cli.exporting import KINDS, Export, check_looking
from attnviz.cli.options.input import SINGLE, ReadingMany
from attnviz.cli.options.model import Running
from attnviz.cli.options.output import Showing
from attnviz.cli.options.panels import VIEW
from attnviz.cli.options.selection import Selecting
from attnviz.cli.options.spread import Given
from attnviz.cli.options.view import Looking
from attnviz.cli.planning import Planning
from attnviz.cli.sink import TEXTS
from attnviz.cli.source import captures
from attnviz.cli.template import FIELDS


@dataclass(frozen=True)
class InspectLooking(Looking):
    """How a capture is shown, and how many keys its tables list."""

    top: Annotated[int, VIEW.value("N", "Keys listed per query.", min=1)] = 3


def inspect(
    given: Given,
    reading: ReadingMany,
    selecting: Selecting,
    looking: InspectLooking,
    output: Showing,
    running: Running,
) -> None:
    """Show what a model attends to in a text.

    Without a selection: the model and its prediction, what each head does,
    and the map of the head that looks most at particular words. With one:
    that head, layer or token.

    Examples:

      attnviz inspect "The old sailor met the widow, and then the old sailor"

      attnviz inspect "The cat sat on the mat." -m gpt2 --head L3H5

      attnviz inspect "a premise" --pair "a guess" -m MODEL --query guess

      cat notes.txt | attnviz inspect - -m MODEL -o run.safetensors
    """
    selection, sink = selecting.selection(), output.sink()
    source = reading.source()
    source.check()
    several = source.texts is not None
    sink.check(
        ("txt", *KINDS),
        several=several,
        filled=("model", "index") if sink.template.suffix in TEXTS else FIELDS,
    )
    if not several:
        given.refuse("a single input", SINGLE)
    check_looking(given, sink.kind, looking, selecting)
    load, run = running.load_request(reading.model), running.run_request(selection, reading)
    if running.plan:
        Planning(run, sink)([source], load)
        return
    from attnviz.views.answer import in_full
    from attnviz.views.build import build

    appearance = replace(looking.appearance(), top=looking.top)
    export = Export(sink, selection, appearance, looking.view)
    for index, capture in enumerate(captures(source, load, run, sink.talk), start=1):
        file = sink.kind in KINDS and sink.template.suffix not in ("", *TEXTS)
        if file:
            export(capture, sink.template, sink.kind, index)
        if not file or sink.kind == "safetensors":
            answer = build(capture, selection, appearance, looking.view)
            put = sink.print if file else sink.put
            form = sink.form if file else sink.kind
            put(in_full(answer, capture) if form == "json" else answer, index if several else None)
