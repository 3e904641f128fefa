"""Every view goes through every renderer: drawn, or refused with the message that the user gets."""

from __future__ import annotations

import importlib
import json
import pkgutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import attnviz.render.data
import attnviz.render.image
import attnviz.render.terminal
from attnviz.answers.compare import compare
from attnviz.answers.heads import heads
from attnviz.attention.selection import Selection
from attnviz.errors import UsageError
from attnviz.inputs.qkv import HandMade
from attnviz.mechanisms import FAMILIES
from attnviz.render.data.answer import answer_rows, answer_values
from attnviz.render.data.registry import JSON, ROWS
from attnviz.render.image.draw import draw
from attnviz.render.image.registry import IMAGE
from attnviz.render.image.style import ImageStyle
from attnviz.render.recording import record
from attnviz.render.registry import Drawings
from attnviz.render.terminal.console import make_console
from attnviz.render.terminal.picture import Picture
from attnviz.render.terminal.registry import TERMINAL
from attnviz.tracing.hand import Recipe, by_hand
from attnviz.views.answer import Answer, answer_about
from attnviz.views.build import build, figure
from attnviz.views.listing import Listing
from attnviz.views.steps.hand_trace import NAMES, hand_trace
from attnviz.views.steps.head_trace import HeadTrace, Traced
from tests.captures import WORDS, capture

if TYPE_CHECKING:
    from collections.abc import Callable

REGISTRIES: dict[str, Drawings[Any]] = {
    "terminal": TERMINAL,
    "image": IMAGE,
    "json": JSON,
    "rows": ROWS,
}


def one_head(view: str = "map") -> Answer:
    return build(capture(), Selection.parse(head="L1H2"), view=view)


def by_numbers() -> Answer:
    numbers = np.arange(6, dtype=float).reshape(3, 2)
    given = HandMade("toy", numbers, numbers[::-1].copy(), numbers, {}, "")
    steps = by_hand(given, Recipe())
    arrays = {name: getattr(steps, name).numpy() for name in NAMES}
    return Answer(None, (hand_trace(given, arrays, Recipe(), FAMILIES["scaled-dot"]),))


def one_query() -> Answer:
    """A trace of one query of a model, made of numbers."""
    from attnviz.tracing.head import HeadSteps

    held = capture()
    layer = held.stacks["self"].layer(0)
    keys = len(WORDS)
    rng = np.random.default_rng(0)
    scores = rng.normal(size=keys)
    weights = np.exp(scores) / np.exp(scores).sum()
    values = rng.normal(size=(keys, 3))
    given = {
        "family": "scaled-dot",
        "heads": 4,
        "groups": 4,
        "group": 1,
        "query": rng.normal(size=3),
        "key": values,
        "value": values,
        "scale": 1.0,
        "scores": scores,
        "scaled": scores,
        "masked": scores,
        "weights": weights,
        "output": weights @ values,
    }
    names = HeadSteps.__dataclass_fields__
    steps = HeadSteps(**{name: given.get(name, 0.0 if name == "difference" else None)
                         for name in names})  # fmt: skip
    view = HeadTrace(Traced("self", layer, 1, 3, 2), steps, None, False, False, "float32")
    return answer_about(held, view)


EXAMPLES: dict[str, Callable[[], Answer]] = {
    "HeadGrid": lambda: build(capture(), view="heads"),
    "HeadScreen": one_head,
    "HeadMaps": lambda: figure(capture(), Selection.parse(layer="1")),
    "QueryGrid": lambda: build(capture(), Selection.parse(query="cat")),
    "Arcs": lambda: figure(capture(), Selection.parse(head="L0H0,L1H1"), view="arcs"),
    "HeadMatrix": lambda: figure(capture(), view="matrix"),
    "HeadTable": lambda: heads(capture()),
    "HeadGroups": lambda: compare(capture()),
    "LikeHead": lambda: compare(capture(), selection=Selection.parse(head="L0H1")),
    "SideBySide": lambda: compare(capture(), selection=Selection.parse(head="L0H1,L2H3")),
    "DistanceMatrix": lambda: compare(capture(), layers=True),
    "Contrast": lambda: compare(capture(), capture([*WORDS[:3], "slept", *WORDS[4:]])),
    "HandTrace": by_numbers,
    "HeadTrace": one_query,
    "Listing": lambda: Answer(None, (Listing(("a line",), {"lines": 1}),)),
}
REFUSED = {
    "terminal": {"Arcs": "arcs are drawn in pictures"},
    "image": {
        "HeadGrid": "what each head does has no picture",
        "QueryGrid": "a query in every head has no picture",
        "HeadTable": "a list of heads has no picture",
        "LikeHead": "a list of heads has no picture",
        "Listing": "a list of lines has no picture",
    },
    "json": {},
    "rows": {"Listing": "a list of lines has no rows"},
}


def terminal(answer: Answer) -> int:
    console = make_console(100, "never", False, None, {})
    return len(console.render_lines(Picture(answer)))


RENDERERS: dict[str, Callable[[Answer], Any]] = {
    "terminal": terminal,
    "image": lambda answer: len(draw(answer, ImageStyle(dpi=40)).to_bytes("png")),
    "json": lambda answer: json.dumps(answer_values(answer), allow_nan=False),
    "rows": lambda answer: list(answer_rows(answer))[1:],
}


@pytest.mark.parametrize("renderer", RENDERERS)
@pytest.mark.parametrize("name", EXAMPLES)
def test_every_view_is_drawn_or_refused(name: str, renderer: str) -> None:
    answer = EXAMPLES[name]()
    assert type(answer.parts[-1]).__name__ == name
    if name in REFUSED[renderer]:
        with pytest.raises(UsageError, match=REFUSED[renderer][name]) as error:
            RENDERERS[renderer](answer)
        assert error.value.hint
        return
    assert RENDERERS[renderer](answer)


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_view_is_recorded(name: str) -> None:
    [*_, part] = record(EXAMPLES[name]())["parts"]
    assert part["type"] == name
    json.dumps(part)


def test_no_view_is_without_an_example() -> None:
    """Whatever some renderer draws or refuses has an example above."""
    for package in (attnviz.render.terminal, attnviz.render.image, attnviz.render.data):
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{package.__name__}.{module.name}")
    known = {kind.__name__ for registry in REGISTRIES.values() for kind in registry.table
             if kind.__module__.startswith("attnviz.")}  # fmt: skip
    known |= {name for registry in REGISTRIES.values() for name in registry.refused}
    assert known == set(EXAMPLES)


def test_the_refused_are_those_that_are_not_drawn() -> None:
    for name, registry in REGISTRIES.items():
        assert set(registry.refused) == set(REFUSED[name])


def test_a_type_that_nobody_draws_is_named() -> None:
    for registry in REGISTRIES.values():
        with pytest.raises(UsageError, match="object has no drawing in"):
            registry.of(object())


def test_an_alignment_table_alone_has_no_picture() -> None:
    with pytest.raises(UsageError, match="an alignment table has no picture"):
        draw(one_head("table"), ImageStyle())


def test_lists_of_several_views_are_joined() -> None:
    held = capture()
    screens = [build(held, Selection.parse(head=head)).parts[0] for head in ("L0H1", "L2H3")]
    found = answer_values(answer_about(held, *screens))
    assert [(head["layer"], head["head"]) for head in found["heads"]] == [(0, 1), (2, 3)]
    assert (found["chosen"]["layer"], found["chosen"]["head"]) == (0, 1)
    rows = list(answer_rows(answer_about(held, *screens)))
    assert {(row[1], row[2]) for row in rows[1:]} == {(0, 1), (2, 3)}


def test_arcs_in_data_are_those_that_are_drawn() -> None:
    view = EXAMPLES["Arcs"]().parts[0]
    found = answer_values(EXAMPLES["Arcs"]())
    assert len(found["lines"]) == len(view.lines)
    weights = [line["weight"] for line in found["lines"]]
    assert weights == sorted(weights, reverse=True)
    held = capture().stacks["self"]
    for line in found["lines"]:
        exact = held.weights(line["layer"], line["head"])[line["query"], line["key"]]
        assert line["weight"] == pytest.approx(exact, rel=1e-6)


def test_a_matrix_in_data_is_the_score() -> None:
    found = answer_values(EXAMPLES["HeadMatrix"]())["matrix"]
    np.testing.assert_allclose(found["values"], capture().scores["self"]["content"], rtol=1e-6)
    rows = list(answer_rows(EXAMPLES["HeadMatrix"]()))
    assert rows[0] == ["stack", "layer", "head", "score", "value"]
    assert len(rows) == 1 + 12
