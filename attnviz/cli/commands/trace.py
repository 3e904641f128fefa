"""`attnviz trace`: how one weight came about."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from attnviz.cli.options.input import Reading
from attnviz.cli.options.model import Loading
from attnviz.cli.options.output import Showing
from attnviz.cli.options.panels import NONE, SELECT, VIEW
from attnviz.cli.options.selection import Layer, Stack
from attnviz.cli.options.spread import Given
from attnviz.cli.planning import Planning
from attnviz.cli.sink import IMAGES, TEXTS
from attnviz.cli.source import one_token_each
from attnviz.errors import UsageError

if TYPE_CHECKING:
    from attnviz.attention.selection import Selection
    from attnviz.cli.sink import Sink
    from attnviz.cli.source import LoadRequest, Source
    from attnviz.runs.request import RunRequest
    from attnviz.tracing.hand import Recipe
    from attnviz.views.answer import Answer

HAND = "By hand"
# The options that are about a text in a model, and so not about numbers.
OF_MODELS = ("text", "-m", "--pair", "--target", "--source-lang", "--target-lang", "--file",
             "--bos", "--truncate", "--layer", "--head", "--stack", "--adapter", "--revision",
             "--memory", "--plan")  # fmt: skip
KINDS = (*TEXTS, *IMAGES)


@dataclass(frozen=True)
class Numbers:
    """Numbers in place of a model, and what is done with them."""

    qkv: Annotated[
        Path | None,
        typer.Option(
            "--qkv",
            help="Numbers in place of a model: query, key, value and W, U, v, as .json, .npz or "
            ".csv, or sample:qkv/NAME.",
            rich_help_panel=HAND,
            metavar="FILE",
        ),
    ] = None
    mechanism: Annotated[
        Literal["dot", "scaled-dot", "general", "additive", "concat"] | None,
        typer.Option(
            help="The score: dot, scaled-dot (the default), general, additive or concat.",
            rich_help_panel=HAND,
            metavar="NAME",
        ),
    ] = None
    soft: Annotated[
        bool,
        typer.Option(
            "--soft",
            help="Weights by softmax, the default.",
            rich_help_panel=HAND,
            metavar=NONE,
        ),
    ] = False
    hard: Annotated[
        bool,
        typer.Option(
            "--hard",
            help="All weight to the key with the largest score.",
            rich_help_panel=HAND,
            metavar=NONE,
        ),
    ] = False
    local: Annotated[
        float | None,
        typer.Option(
            help="Weights around this key: softmax over the keys at most 2 from P, times a "
            "Gaussian.",
            rich_help_panel=HAND,
            metavar="P",
        ),
    ] = None
    heads: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Heads that share the dimensions. Default: 1.",
            rich_help_panel=HAND,
            metavar="N",
        ),
    ] = None
    causal: Annotated[
        bool,
        typer.Option(
            "--causal",
            help="No query attends to a later key.",
            rich_help_panel=HAND,
            metavar=NONE,
        ),
    ] = False

    def recipe(self) -> Recipe:
        """What the options ask to do with the numbers. Raises UsageError."""
        from attnviz.tracing.hand import Recipe

        ways = {"soft": self.soft, "hard": self.hard, "local": self.local is not None}
        chosen = [name for name, given in ways.items() if given]
        if len(chosen) > 1:
            named = " and ".join(f"--{name}" for name in chosen)
            raise UsageError(f"{named} exclude each other", "choose one")
        if self.local is not None and not math.isfinite(self.local):
            raise UsageError(
                f"--local {self.local} is no place", "give the index of a key, such as 1.5"
            )
        weigh: Any = chosen[0] if chosen else "soft"
        mechanism = self.mechanism or "scaled-dot"
        return Recipe(mechanism, weigh, self.local or 0.0, self.heads or 1, self.causal)


@dataclass(frozen=True)
class SelectingOne:
    """The head, the query and the key that are traced."""

    layer: Layer = None
    head: Annotated[
        str | None,
        typer.Option(
            help="The head, as L3H5. Default: the one that inspect shows.",
            rich_help_panel=SELECT,
            metavar="HEAD",
        ),
    ] = None
    stack: Stack = None
    query: Annotated[
        str | None,
        typer.Option(
            help="The token that attends: a word, it#2, an index or -1. Default: the one whose "
            "weight to another token that is no sink is the largest.",
            rich_help_panel=SELECT,
            metavar="TOKEN",
        ),
    ] = None
    key: Annotated[
        str | None,
        typer.Option(
            help="One token attended to: which dimensions made its score.",
            rich_help_panel=SELECT,
            metavar="TOKEN",
        ),
    ] = None
    top: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Keys and dimensions listed. Default: 8.",
            rich_help_panel=VIEW,
            metavar="N",
        ),
    ] = None

    def selection(self) -> Selection:
        """The selection of these options. Raises SelectionError for what is none."""
        from attnviz.attention.selection import Selection

        return Selection.parse(
            layer=self.layer, head=self.head, stack=self.stack, query=self.query, key=self.key
        )


def trace(
    given: Given,
    reading: Reading,
    numbers: Numbers,
    selecting: SelectingOne,
    output: Showing,
    loading: Loading,
) -> None:
    """Show how attention comes about, step by step.

    From a model: one query of one head, from q·k over scale, mask and softmax to
    the weights, the values and the head's output; with --key also which
    dimensions made one score. By hand: the same from numbers in a file, with
    every score of the textbooks.

    Examples:

      attnviz trace "The cat sat; it was tired." -m gpt2 --head L3H5 --query it

      attnviz trace "The cat sat; it was tired." --query it --key cat

      attnviz trace --qkv sample:qkv/luong --mechanism general

      attnviz trace --qkv numbers.json --causal --heads 2 -o trace.png
    """
    sink = output.sink()
    filled = () if numbers.qkv is not None else ("model",)
    sink.check(KINDS, "weights are written by attnviz export", filled=filled)
    if numbers.qkv is not None:
        for option in OF_MODELS:
            if option in given.options:
                name = option.upper() if option == "text" else option
                raise UsageError(f"--qkv and {name} exclude each other", "--qkv runs no model")
        from attnviz.answers.trace import trace_numbers

        sink.put(trace_numbers(numbers.qkv, numbers.recipe(), selecting.query, selecting.key))
        return
    for field in fields(numbers):
        if f"--{field.name}" in given.options:
            raise UsageError(f"--{field.name} needs --qkv", "a model has a mechanism of its own")
    source = reading.source()
    source.check()
    refuse_saved(source)
    load = loading.load_request(reading.model)
    run = loading.run_request(selecting.selection(), reading)
    if loading.plan:  # the second run keeps what the traced head was given
        Planning(run, sink, one_token_each, runs=2)([source], load)
        return
    sink.put(from_model(source, load, run, selecting.top, sink))


def from_model(
    source: Source, load: LoadRequest, run: RunRequest, top: int | None, sink: Sink
) -> Answer:
    """The steps of one query of one head of a model."""
    if source.hint:
        sink.talk.hint(source.hint)
    [text] = source.read()
    loaded = load.load(sink.talk)
    from attnviz.answers.trace import trace_inputs
    from attnviz.inputs.encode import encode_batch

    inputs = encode_batch(loaded, [text], bos=run.bos, truncate=run.truncate)
    one_token_each(loaded, inputs, run)
    with sink.talk.progress(f"run {len(inputs.sources[0])} tokens"):
        return trace_inputs(loaded, inputs, run, top)


def refuse_saved(source: Source) -> None:
    """Raise UsageError for a saved capture, which says how to get its text traced."""
    if source.saved is None:
        return
    from attnviz.attention.store.reader import open_capture

    name = open_capture(source.saved).model.name
    raise UsageError(
        f"{source.saved} holds weights, not the queries and keys that made them",
        f'run the model again: attnviz trace "…" -m {name}',
    )
