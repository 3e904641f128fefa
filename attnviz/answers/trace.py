"""How one weight came about, step by step: in a model, or by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict, Unpack

from attnviz.attention.selection import Selection
from attnviz.errors import SelectionError
from attnviz.inputs.encode import encode
from attnviz.inputs.qkv import read_qkv
from attnviz.mechanisms import FAMILIES
from attnviz.models.anatomy.paths import rotates
from attnviz.models.load import wrap
from attnviz.runs.memory import bytes_of
from attnviz.runs.request import RunRequest
from attnviz.runs.run import run
from attnviz.tracing.hand import Recipe, by_hand
from attnviz.tracing.head import head_steps
from attnviz.views.answer import Answer, answer_about
from attnviz.views.appearance import Appearance
from attnviz.views.heads.choice import choose
from attnviz.views.request import request
from attnviz.views.steps.hand_trace import NAMES, hand_trace
from attnviz.views.steps.head_trace import HeadTrace, Traced, one_key, one_query

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from attnviz.attention.capture import Capture
    from attnviz.inputs.encode import ModelInputs
    from attnviz.models.loaded import LoadedModel


class Parts(TypedDict, total=False):
    """What belongs to a text: the second of a pair, the decoder's, and their languages."""

    pair: str | None
    target: str | None
    source_lang: str | None
    target_lang: str | None


def trace_inputs(
    loaded: LoadedModel, inputs: ModelInputs, asked: RunRequest, top: int | None = None
) -> Answer:
    """The steps of the head and query that were asked for, else of those to show first.

    `top` is how many keys and products are listed. Raises SelectionError, CaptureError.
    """
    capture = run(loaded, inputs, asked)[0]
    return answer_about(capture, head_trace(loaded, inputs, capture, asked, top))


def head_trace(
    loaded: LoadedModel,
    inputs: ModelInputs,
    capture: Capture,
    asked: RunRequest,
    top: int | None,
) -> HeadTrace:
    """The traced query of one head, with the reasons for what nobody asked for."""
    selection = asked.selection
    wanted = request(capture, selection, Appearance())
    choice = choose(wanted.heads)
    if choice is None:
        raise SelectionError("there is no head to trace")
    layer, head = wanted.stack.layer(choice.head.layer), choice.head.head
    whole = wanted.stack.has_weights(layer.layer)
    weights = wanted.stack.weights(layer.layer, head) if whole else None
    query, why_query = one_query(selection.query, layer, weights)
    if selection.key is not None:
        one_key(selection.key, layer)  # refused before the model runs
    steps = head_steps(loaded, inputs, layer, head, query)
    key, why_key = one_key(selection.key, layer, steps.weights)
    why_head = choice.reason if len(wanted.pairs) > 1 else ""
    reasons = tuple(filter(None, (why_head, why_query, why_key)))
    return HeadTrace(
        Traced(wanted.stack.name, layer, head, query, key, reasons),
        steps,
        top,
        several=wanted.several or wanted.stack.name != "self",
        rotary=rotates(loaded.model, loaded.anatomy),
        precision=capture.model.dtype,
    )


def trace_numbers(
    path: Path, recipe: Recipe, query: str | None = None, key: str | None = None
) -> Answer:
    """The steps of attention over the numbers of a file.

    Raises InputError for numbers that do not fit, SelectionError for an index that is none.
    """
    given = read_qkv(path)
    steps = by_hand(given, recipe)
    arrays = {name: getattr(steps, name).numpy() for name in NAMES}
    family = FAMILIES[recipe.mechanism]
    return Answer(None, (hand_trace(given, arrays, recipe, family, query, key),))


def trace(
    model: LoadedModel | nn.Module,
    text: str,
    selection: Selection | None = None,
    *,
    top: int | None = None,
    memory: int | str | None = None,
    **parts: Unpack[Parts],
) -> Answer:
    """How one query of one head of a model comes to its weights and its output.

    The selection names head, query and key, as far as they are not to be chosen; with a key, the
    answer has the products that made its score. `parts` are `pair`, `target` and languages, as for
    `capture`. Raises InputError, SelectionError, CaptureError, ModelError.
    """
    loaded = wrap(model)
    asked = RunRequest(selection or Selection(), bytes_of(memory, "memory"))
    return trace_inputs(loaded, encode(loaded, text, **parts), asked, top)
