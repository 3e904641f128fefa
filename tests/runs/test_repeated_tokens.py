"""Prefix matching on repeated random tokens: its definition, and the heads that do it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import attnviz
from attnviz.attention.axis import Axis
from attnviz.attention.capture import AttentionStack
from attnviz.attention.selection import Selection
from attnviz.errors import InputError
from attnviz.metrics.targets import Targets
from attnviz.runs.repeated_tokens import SEEDS, on_repeated_tokens, with_prefix_matching
from attnviz.runs.request import RunRequest
from attnviz.views.heads.head_table import head_table
from tests.captures import layer
from tests.sources import causal_uniform, observed, random_maps

SIZE, COPIES = 7, 3


def stack(maps: np.ndarray, start: int) -> AttentionStack:
    """One causal layer with these maps of repeated tokens, behind `start` special ones."""
    ids = (0,) * start + tuple(range(10, 10 + SIZE)) * COPIES
    special = (True,) * start + (False,) * (SIZE * COPIES)
    axis = Axis(labels=tuple(map(str, ids)), ids=ids, special=special)
    lower = np.tril(np.ones((len(ids), len(ids)), bool))
    maps = maps[None] if maps.ndim == 2 else maps
    kept = observed(maps, [Targets()], allowed=lower, queries=axis)
    found = replace(layer(0, axis, axis, maps.astype(np.float32), causal=True), kept=kept)
    return with_prefix_matching(AttentionStack("self", {0: found}))


def defined(maps: np.ndarray, start: int) -> np.ndarray:
    """Cell by cell: queries from the second copy on, keys behind all of their earlier copies."""
    length = start + SIZE * COPIES
    rows = []
    for i in range(start + SIZE, length):
        earlier = range(start + (i - start) % SIZE, i, SIZE)
        rows.append(sum(maps[:, i, j + 1] for j in earlier))
    return np.mean(rows, axis=0)


@pytest.mark.parametrize("start", [0, 1])
def test_the_definition(start: int) -> None:
    maps = random_maps(3, start + SIZE * COPIES, seed=4, causal=True)
    found = stack(maps, start).score("prefix_matching")[0]
    np.testing.assert_allclose(found, defined(maps, start), rtol=1e-5)


@pytest.mark.parametrize("start", [0, 1])
def test_closed_forms(start: int) -> None:
    length = start + SIZE * COPIES
    perfect = np.zeros((length, length))
    for i in range(length):
        perfect[i, i - SIZE + 1 if i >= start + SIZE else 0] = 1
    assert stack(perfect, start).score("prefix_matching") == pytest.approx(1)
    copies = [(i - start) // SIZE for i in range(length)]
    even = np.mean([n / (i + 1) for i, n in enumerate(copies) if n > 0])
    found = stack(causal_uniform(length), start).score("prefix_matching")
    assert found == pytest.approx(even, rel=1e-5)


def test_the_induction_heads_of_the_sample() -> None:
    captures = [*on_repeated_tokens(attnviz.load("sample:english"))]
    assert len(captures) == SEEDS
    table = head_table(captures, Selection(), "prefix_matching", over="draws")
    first, second = table.rows[:2]
    assert (first.head.label, second.head.label) == ("L3H3", "L3H2")
    assert first.head.score("prefix_matching") >= 0.8
    assert 0 < first.spread["prefix_matching"] < 0.1
    assert (table.texts, table.over) == (5, "draws")
    before = max(table.rows, key=lambda one: one.head.score("previous"))
    assert before.head.label == "L2H2"


def test_a_selection_costs_only_what_it_names() -> None:
    model = attnviz.load("sample:english")
    capture = next(
        on_repeated_tokens(model, RunRequest(Selection.parse(layer="3", head="2-3"), 2**20))
    )
    assert capture.stacks["self"].heads(3) == (2, 3)
    assert capture.stacks["self"].layers == [3]


@pytest.mark.parametrize("name", ["sentiment", "translate"])
def test_only_decoders(name: str) -> None:
    with pytest.raises(InputError, match=f"{name} is no decoder language model"):
        next(on_repeated_tokens(attnviz.load(f"sample:{name}")))
