"""How a trace is shown: as text, rows, JSON or a picture."""

from __future__ import annotations

import io
import json
import math
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from attnviz.cli.output import print_rows, write_text
from attnviz.cli.template import STDOUT
from attnviz.cli.write import IMAGES, write_drawing
from attnviz.errors import SelectionError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from attnviz.attention.capture import Capture
    from attnviz.attention.selection import Selection
    from attnviz.cli.output import Talk
    from attnviz.cli.source import LoadRequest, Source
    from attnviz.cli.template import Template
    from attnviz.inputs.encode import ModelInputs
    from attnviz.models.loaded import LoadedModel
    from attnviz.tracing.hand import Recipe
    from attnviz.views.answer import Answer
    from attnviz.views.steps.hand_trace import HandTrace
    from attnviz.views.steps.head_trace import HeadTrace

KINDS = (*IMAGES, "txt", "json", "csv", "tsv")


@dataclass(frozen=True)
class Tracing:
    """What is traced, and how it is shown."""

    query: str | None
    key: str | None
    top: int | None
    form: str
    width: int | None
    color: Literal["auto", "always", "never"]
    ascii: bool
    talk: Talk
    template: Template

    def by_hand(self, path: Path, recipe: Recipe) -> None:
        """Trace the numbers of a file."""
        from attnviz.inputs.qkv import read_qkv
        from attnviz.mechanisms import FAMILIES
        from attnviz.tracing.hand import by_hand
        from attnviz.views.steps.hand_trace import NAMES, hand_trace

        given = read_qkv(path)
        found = by_hand(given, recipe)
        arrays = {name: getattr(found, name).numpy() for name in NAMES}
        family = FAMILIES[recipe.mechanism]
        self.show(hand_trace(given, arrays, recipe, family, self.query, self.key))

    def from_model(
        self,
        source: Source,
        request: LoadRequest,
        selection: Selection,
        memory: str | None,
        bos: bool | None,
        truncate: bool,
    ) -> None:
        """Trace one query of one head of a model."""
        from attnviz.cli.source import one_token_each
        from attnviz.inputs.encode import encode_batch
        from attnviz.runs.run import run
        from attnviz.views.answer import Answer, facts_of

        if source.hint:
            self.talk.hint(source.hint)
        [text] = source.read()
        loaded = request.load(self.talk)
        inputs = encode_batch(loaded, [text], bos=bos, truncate=truncate)
        one_token_each(loaded, inputs, selection, memory)
        with self.talk.progress(f"run {len(inputs.sources[0])} tokens"):
            capture = run(loaded, inputs, selection, memory)[0]
            view = self.head_trace(loaded, inputs, capture, selection)
        self.show(view, Answer(facts_of(capture), None, (view,), capture.notes))

    def head_trace(
        self, loaded: LoadedModel, inputs: ModelInputs, capture: Capture, selection: Selection
    ) -> HeadTrace:
        """The steps of the head and query that were asked for, else of those to show first."""
        from attnviz.tracing.head import head_steps
        from attnviz.views.appearance import Appearance
        from attnviz.views.heads.choice import choose
        from attnviz.views.request import request
        from attnviz.views.steps.head_trace import HeadTrace, Traced, one_key, one_query

        asked = request(capture, selection, Appearance())
        choice = choose(asked.heads)
        if choice is None:
            raise SelectionError("there is no head to trace")
        layer, head = asked.stack.layer(choice.head.layer), choice.head.head
        whole = asked.stack.has_weights(layer.layer)
        weights = asked.stack.weights(layer.layer, head) if whole else None
        query, why_query = one_query(self.query, layer, weights)
        if self.key is not None:
            one_key(self.key, layer)  # refused before the model runs
        steps = head_steps(loaded, inputs, layer, head, query)
        key, why_key = one_key(self.key, layer, steps.weights)
        why_head = choice.reason if len(asked.pairs) > 1 else ""
        reasons = tuple(filter(None, (why_head, why_query, why_key)))
        return HeadTrace(
            Traced(asked.stack.name, layer, head, query, key, reasons),
            steps,
            self.top,
            several=asked.several or asked.stack.name != "self",
            rotary=rotates(loaded),
            precision=capture.model.dtype,
        )

    def show(self, view: HandTrace | HeadTrace, screen: Answer | None = None) -> None:
        """Print the trace (as the screen that holds it), or write it to the file."""
        from attnviz.render.data.trace import trace_rows, trace_values

        path = self.template.path(model=screen.facts.model.name if screen else "")
        kind = self.template.suffix if self.template.text != STDOUT else ""
        if kind in IMAGES:
            self.write_image(view, screen, path)
            return
        form = {"txt": "table", "": self.form}.get(kind, kind)
        stream = io.StringIO() if kind else sys.stdout
        if form == "table":
            from attnviz.render.terminal.console import make_console
            from attnviz.render.terminal.picture import print_view

            print_view(screen or view, make_console(self.width, self.color, self.ascii, stream))
        elif form == "json":
            stream.write(json.dumps(trace_values(view, screen), allow_nan=False) + "\n")
        else:
            print_rows(trace_rows(view), "tsv" if form == "tsv" else "csv", stream)
        if isinstance(stream, io.StringIO) and kind:
            write_text(path, stream.getvalue())

    def write_image(self, view: HandTrace | HeadTrace, screen: Answer | None, path: Path) -> None:
        """The trace as an image."""
        from attnviz.render.image.hand_trace import draw_trace
        from attnviz.render.image.style import ImageStyle

        drawing = draw_trace(view, ImageStyle(), screen.facts.model if screen is not None else None)
        write_drawing(drawing, path)
        if drawing.warning:
            self.talk.hint(drawing.warning)


def rotates(loaded: LoadedModel) -> bool:
    """Whether the model has rotary embeddings."""
    return any("rotary" in name.lower() for name, _ in loaded.model.named_modules())


def refuse_saved(source: Source) -> None:
    """Nothing. Raises UsageError for a saved capture, which says how to get its text traced."""
    if source.saved is None:
        return
    from attnviz.attention.store.reader import open_capture

    name = open_capture(source.saved).model.name
    raise UsageError(
        f"{source.saved} holds weights, not the queries and keys that made them",
        f'run the model again: attnviz trace "…" -m {name}',
    )


def check_kind(template: Template, form: str) -> None:
    """Nothing. Raises UsageError for a kind of file that a trace is not written as."""
    if template.text == STDOUT:
        return
    if template.suffix not in KINDS:
        raise UsageError(
            f"-o {template.text}: a trace is written as {' '.join(f'.{kind}' for kind in KINDS)}",
            "its numbers are in .json",
        )
    if form not in ("table", template.suffix):
        option = "--json" if form == "json" else f"--format {form}"
        raise UsageError(
            f"-o {template.text} and {option} contradict each other",
            "the suffix of the file says its format",
        )


def recipe_of(
    mechanism: str | None,
    soft: bool,
    hard: bool,
    local: float | None,
    heads: int | None,
    causal: bool,
) -> Recipe:
    """What the options ask to do with hand-made numbers. Raises UsageError."""
    from attnviz.tracing.hand import Recipe

    ways = {"soft": soft, "hard": hard, "local": local is not None}
    chosen = [name for name, given in ways.items() if given]
    if len(chosen) > 1:
        named = " and ".join(f"--{name}" for name in chosen)
        raise UsageError(f"{named} exclude each other", "choose one")
    if local is not None and not math.isfinite(local):
        raise UsageError(f"--local {local} is no place", "give the index of a key, such as 1.5")
    weigh: Any = chosen[0] if chosen else "soft"
    return Recipe(mechanism or "scaled-dot", weigh, local or 0.0, heads or 1, causal)


def excluded(option: str, others: dict[str, object], hint: str) -> None:
    """Nothing. Raises UsageError when one of the others is given beside the option."""
    for name, value in others.items():
        if value is not None:
            raise UsageError(f"{option} and {name} exclude each other", hint)
