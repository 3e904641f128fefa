"""What an image says of itself: title and small print."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.attention.capture import ModelFacts
from attnviz.render.image.page import Heading
from attnviz.render.image.pen import LONGEST
from attnviz.render.text.safe import display, fit
from attnviz.views.compare.contrast import Contrast
from attnviz.views.compare.within import DistanceMatrix, HeadGroups
from attnviz.views.heads.score_matrix import HeadMatrix
from attnviz.views.maps.arcs import Arcs
from attnviz.views.maps.head_screen import HeadMaps, HeadScreen, notes_of
from attnviz.views.maps.heatmap import State
from attnviz.views.maps.legend import off_scale, pooled_words
from attnviz.views.maps.scales import description

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from attnviz.render.image.style import ImageStyle
    from attnviz.views.answer import Answer
    from attnviz.views.maps.heatmap import Heatmap

LONG = 36  # columns of a text in the title
STATES = {
    State.MASKED: "pale = masked",
    State.PADDED: "blue-grey = padding",
    State.NAN: "red = not a number",
    State.CUT: "green = not kept",
}


def heading_of(answer: Answer, style: ImageStyle, shown: Sequence[Heatmap]) -> Heading:
    """The heading of a view whose maps are drawn as `shown`."""
    title = title_of(answer) if style.title is None else style.title
    details = [*details_of(answer.parts[0], shown), *answer.notes]
    failed = "; ".join(f"{check.name} {check.detail}".strip() for check in answer.failed)
    failed = f"CHECK FAILED: {failed}" if failed else ""
    return Heading(title, tuple(details), failed, structure_of(answer.parts[0]))


def structure_of(body: Any) -> str:
    """The heaviest keys and diagonals of a head whose map is long; else empty."""
    if not isinstance(body, HeadScreen) or body.structure is None:
        return ""
    parts = body.structure.parts(lambda label: fit(display(label), LONGEST))
    return " · ".join(f"{name} {', '.join(found)} {whole}" for name, found, whole in parts)


def title_of(answer: Answer) -> str:
    """`gpt2 @607a30d · L3H5`: the model, the stack where there are several, the heads."""
    model, body = model_of(answer), answer.parts[0]
    name = f"{model.name} @{model.revision[:8]}" if model.revision else model.name
    parts = [name, f"{body.stack} attention" if body.several else "", subject(body, model)]
    return " · ".join(part for part in parts if part)


def model_of(answer: Answer) -> ModelFacts:
    """The model that was run, one without a name where none was."""
    return answer.facts.model if answer.facts else ModelFacts("")


def subject(body: Any, model: ModelFacts) -> str:
    """The heads of the model that are shown."""
    if isinstance(body, HeadScreen):
        return f"{body.head.label} ({body.head.pattern.name})"
    if isinstance(body, HeadMatrix):
        return f"{body.score.replace('_', ' ')} of {scored(body, model)}"
    if isinstance(body, Contrast):
        names = (fit(display(name), LONG) for name in reversed(body.names))
        return f"{body.shown.label}, {' less '.join(names)}"
    if isinstance(body, DistanceMatrix):
        return f"distances between {len(body.shown.rows):,} {body.what}"
    if isinstance(body, HeadGroups):
        return f"{len(body.heads):,} heads by how they attend"
    heads = body.heads if isinstance(body, Arcs) else [head for head, _ in body.maps]
    if len(heads) == 1:
        return heads[0].label
    layers = {head.layer for head in heads}
    return f"{f'layer {layers.pop()}, ' if len(layers) == 1 else ''}{len(heads):,} heads"


def scored(body: HeadMatrix, model: ModelFacts) -> str:
    """The heads of a matrix: `every head`, `L3H2` or `layer 3, 2 heads`."""
    layers, heads = body.layers, body.heads
    if (len(layers), len(heads)) == (1, 1):
        return f"L{layers[0]}H{heads[0]}"
    known = ~np.isnan(body.values)
    full = known.all() or not known.any()
    if full and (len(layers), len(heads)) == (model.layers, model.heads):
        return "every head"
    count = int(known.sum()) or known.size
    return f"{f'layer {layers[0]}, ' if len(layers) == 1 else ''}{count:,} heads"


def details_of(body: Any, shown: Sequence[Heatmap]) -> Iterator[str]:
    """Scale, what is off it, what was pooled, merged, hidden or left out."""
    if isinstance(body, HeadScreen) and body.reason:
        yield body.reason
    if isinstance(body, Arcs):
        yield "width and strength = weight"
        if body.sinks.any():
            yield "grey = to special tokens or keys that take over 30 %"
        yield f"weights below {body.least:g} have no line: {body.unseen:.0%} of the attention"
        yield from body.notes
    if isinstance(body, HeadMatrix) and np.isnan(body.values).any():
        none = np.isnan(body.values).all()
        yield "no head has this score here" if none else "pale = no value"
    if isinstance(body, (HeadGroups, DistanceMatrix, Contrast)):
        yield from compared(body)
    if not shown:
        return
    one = shown[0]
    together = ", all on one scale" if len(shown) > 1 and one.scale not in ("row", "rank") else ""
    yield f"{one.measure.removeprefix('attention ')}s {description(one)}{together}"
    off = off_scale(shown)
    if off:
        yield f"grey = {off}, off the scale"
    each = [np.bincount(some.states.ravel(), minlength=len(State)) for some in shown]
    cells = np.sum(each, axis=0)
    yield from (words for state, words in STATES.items() if cells[state])
    if isinstance(body, HeadMaps):
        yield from chosen(shown[0])
    yield from filter(None, [pooled_words(shown)])
    yield from notes_of(shown)


def compared(body: HeadGroups | DistanceMatrix | Contrast) -> Iterator[str]:
    """What distances are, and what corresponds in two captures."""
    if isinstance(body, Contrast):
        unit = "words" if body.words else "tokens"
        yield f"the head that moved most, distance {body.rows[0].distance:.2f}"
        if any(body.unmatched):
            first, second = body.unmatched
            yield f"{second} and {first} {unit} without counterpart not drawn"
        return
    yield f"Jensen-Shannon, 0 to 1, mean over {body.queries:,} queries"
    if isinstance(body, HeadGroups):
        yield "colours = groups, grey = like no other"
        yield "the nearer, the more alike, as far as a plane can show it"
    elif body.what == "heads":
        yield "in the order of their groups"
    if body.sharing:
        same, others = body.sharing
        lines = ", joined by lines" if isinstance(body, HeadGroups) else ""
        yield (f"heads of a layer are {same:.2f} apart where they share keys "
               f"(every {body.share}{lines}), else {others:.2f}")  # fmt: skip


def chosen(one: Heatmap) -> Iterator[str]:
    """Which queries and keys a map shows where others than special tokens and padding are left out.

    `query 8 it`, `queries 3–9` or `5 of 20 queries`.
    """
    for axis, spans, name, names in ((one.queries, one.rows, "query", "queries"),
                                     (one.keys, one.columns, "key", "keys")):  # fmt: skip
        shown = [i for first, end in spans for i in range(first, end)]
        rest = set(range(len(axis))) - set(shown)
        if not shown or not any(not axis.special[i] and not axis.padding[i] for i in rest):
            continue
        first, last = axis.positions[shown[0]], axis.positions[shown[-1]]
        if len(shown) == 1:
            yield f"{name} {first} {fit(display(axis.labels[shown[0]]), LONGEST)}"
        elif last - first == len(shown) - 1:
            yield f"{names} {first}–{last}"
        else:
            yield f"{len(shown)} of {len(axis)} {names}"


def texts_of(answer: Answer) -> Iterator[str]:
    """Every text that a drawing of the view may hold, for the choice of fonts."""
    yield model_of(answer).name
    yield from answer.notes
    body = answer.parts[0]
    if isinstance(body, HeadScreen) and body.heatmap is not None:
        yield from (*body.heatmap.queries.labels, *body.heatmap.keys.labels)
    elif isinstance(body, Contrast):
        shown = body.difference
        yield from (body.first, body.second, *shown.queries.labels, *shown.keys.labels)
    elif isinstance(body, Arcs):
        yield from (*body.queries.labels, *body.keys.labels)
    elif isinstance(body, HeadMaps):
        for _, one in body.maps[:1]:
            yield from (*one.queries.labels, *one.keys.labels)
