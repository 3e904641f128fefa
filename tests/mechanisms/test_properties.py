"""What holds for all shapes and masks."""

from __future__ import annotations

import hypothesis.extra.numpy as arrays
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from attnviz.errors import InputError
from attnviz.mechanisms import (
    FAMILIES,
    additive,
    attend,
    attend_by_name,
    causal,
    concat,
    dot,
    general,
    hard,
    local,
    merge_heads,
    multi_head,
    near,
    padding,
    predicted_position,
    sampled,
    soft,
    split_heads,
)
from tests.mechanisms.examples import randoms

sizes = st.integers(1, 5)


@st.composite
def scores(draw: st.DrawFn) -> tuple[Tensor, Tensor]:
    """Scores (..., queries, keys) of any magnitude, and a mask of the same shape."""
    shape = draw(st.lists(sizes, min_size=2, max_size=4).map(tuple))
    values = draw(arrays.arrays("float64", shape, elements=st.floats(-1e4, 1e4)))
    mask = draw(arrays.arrays("bool", shape))
    return torch.tensor(values), torch.tensor(mask)


@given(scores(), st.sampled_from(["soft", "hard", "sampled"]))
@settings(deadline=None, max_examples=150)
def test_rows_sum_to_one_and_masked_keys_get_nothing(given: tuple, name: str) -> None:
    values, mask = given
    weigh = {"soft": soft, "hard": hard, "sampled": sampled}[name]
    identity = torch.eye(values.shape[-1], dtype=values.dtype)
    key = identity.expand(*values.shape[:-2], -1, -1)  # query · key is then the score itself
    found = attend(values, key, key, mask=mask, weigh=weigh)
    assert torch.equal(found.scores, values)
    assert torch.equal(found.closed, ~mask.any(-1))
    wanted = mask.any(-1).to(values.dtype)
    assert torch.allclose(found.weights.sum(-1), wanted)
    assert (found.weights[~mask] == 0).all()
    assert (found.weights >= 0).all()
    assert torch.allclose(found.output, found.weights)


@given(scores(), st.floats(-2, 7), st.floats(0.5, 8))
@settings(deadline=None, max_examples=100)
def test_local_attention_stays_in_its_window(given: tuple, place: float, window: float) -> None:
    values, mask = given
    found = local(values.masked_fill(~mask, -torch.inf), place, window)
    allowed = mask & near(place, values, window)
    assert (found[~allowed] == 0).all()
    assert (found.sum(-1) <= 1 + 1e-12).all()
    assert torch.isfinite(found).all()


@given(sizes, sizes, sizes, sizes, st.sampled_from(list(FAMILIES)))
@settings(deadline=None, max_examples=100)
def test_every_family_has_the_same_shapes(
    queries: int, keys: int, width: int, heads: int, family: str
) -> None:
    query, key, value = randoms(
        (2, queries, heads * width), (2, keys, heads * width), (2, keys, heads * 2)
    )
    columns = 2 * width if family == "concat" else width
    rows = width if family == "general" else 3
    weight, other, vector = randoms((rows, columns), (3, width), (3,), seed=1)
    parameters = {"W": weight, "U": other, "v": vector}
    found = attend_by_name(family, query, key, value, parameters, heads=heads)
    steps = (found.scores, found.scaled, found.masked, found.weights)
    assert {step.shape for step in steps} == {(2, heads, queries, keys)}
    assert found.output.shape == (2, heads, queries, 2)
    assert merge_heads(found.output).shape == (2, queries, heads * 2)
    scaled = width**-0.5 if family == "scaled-dot" else 1.0
    assert torch.allclose(found.scaled, found.scores * scaled)


@given(sizes, sizes, sizes)
def test_heads_are_put_together_again(heads: int, tokens: int, width: int) -> None:
    (states,) = randoms((2, tokens, heads * width))
    parts = split_heads(states, heads)
    assert parts.shape == (2, heads, tokens, width)
    assert torch.equal(merge_heads(parts), states)
    assert torch.equal(parts[:, 0], states[..., :width])


def test_an_all_masked_row_is_reported() -> None:
    query, key, value = randoms((2, 3), (4, 3), (4, 2))
    mask = torch.tensor([[True] * 4, [False] * 4])
    found = attend(query, key, value, mask=mask)
    assert found.closed.tolist() == [False, True]
    assert found.weights[1].tolist() == [0, 0, 0, 0]
    assert found.output[1].tolist() == [0, 0]
    assert found.masked[1].tolist() == [-torch.inf] * 4


def test_scores_that_are_not_finite_are_not_hidden() -> None:
    assert soft(torch.tensor([[torch.nan, 0.0]])).isnan().all()


def test_masks() -> None:
    assert causal(3).tolist() == [[True, False, False], [True, True, False], [True] * 3]
    assert causal(1, 3, first=1).tolist() == [[True, True, False]]
    assert padding(torch.tensor([2, 0]), 3).tolist() == [[[True, True, False]], [[False] * 3]]


def test_a_predicted_position_lies_among_the_keys() -> None:
    query, weight, vector = randoms((2, 4, 3), (5, 3), (5,))
    lengths = torch.tensor([3, 9])
    found = predicted_position(query, weight, vector, lengths)
    assert found.shape == (2, 4)
    assert (found > 0).all() and (found < lengths[:, None]).all()
    assert torch.allclose(predicted_position(query, weight, vector, 9)[1], found[1])


QUERY, KEY, VALUE = randoms((2, 3), (4, 3), (4, 2))
WRONG = {
    "different widths": (lambda: dot(QUERY, VALUE), "query is 2 × 3 and key is 4 × 2"),
    "a vector": (lambda: dot(QUERY[0], KEY), "query is 3"),
    "W of general": (lambda: general(QUERY, KEY, VALUE), r"W is 4 × 2 .*3 \(query\) × 3 \(key\)"),
    "U of additive": (
        lambda: additive(QUERY, KEY, torch.ones(5, 3), torch.ones(5, 4), torch.ones(5)),
        r"U is 5 × 4 .*5 \(hidden\) × 3 \(key\)",
    ),
    "W of concat": (
        lambda: concat(QUERY, KEY, torch.ones(5, 3), torch.ones(5)),
        r"W is 5 × 3 .*5 \(hidden\) × 6",
    ),
    "tokens": (lambda: attend(QUERY, KEY, VALUE[1:]), "key is 4 × 3 and value is 3 × 2"),
    "mask": (lambda: attend(QUERY, KEY, VALUE, mask=causal(3)), "mask is 3 × 3 .*scores are 2 × 4"),
    "numbers as a mask": (
        lambda: attend(QUERY, KEY, VALUE, mask=torch.ones(2, 4)),
        "the mask holds torch.float32",
    ),
    "heads": (lambda: multi_head(QUERY, KEY, VALUE, 2), "2 heads cannot share 3 dimensions"),
    "a missing parameter": (
        lambda: attend_by_name("additive", QUERY, KEY, VALUE, {"W": KEY}),
        "the additive score needs U, v",
    ),
    "an unknown family": (
        lambda: attend_by_name("cosine", QUERY, KEY, VALUE),
        "there is no cosine score",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_is_named(case: str) -> None:
    call, message = WRONG[case]
    with pytest.raises(InputError, match=message):
        call()
