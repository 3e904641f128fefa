"""The numbers of docs/mechanisms.md, written by hand, to four digits."""

from __future__ import annotations

import pytest
import torch

from attnviz.mechanisms import (
    attend,
    attend_by_name,
    causal,
    concat,
    dot,
    hard,
    local,
    merge_heads,
    multi_head,
    sampled,
    scaled_dot_product,
    soft,
)
from tests.mechanisms.examples import four, qkv

# file, family: scores, weights, output
WORKED = {
    "dot": ("luong", [1, 0, 1], [0.4223, 0.1554, 0.4223], [0.8446, 0.5777]),
    "scaled-dot": ("luong", [0.7071, 0, 0.7071], [0.4011, 0.1978, 0.4011], [0.8022, 0.5989]),
    "general": ("luong", [1, 1, 2], [0.2119, 0.2119, 0.5761], [0.7881, 0.7881]),
    "additive": (
        "bahdanau",
        [0.9640, 1.5232, 1.7256],
        [0.2045, 0.3576, 0.4379],
        [0.6424, 0.7955],
    ),
}


@pytest.mark.parametrize("family", WORKED)
def test_the_table(family: str) -> None:
    file, scaled, weights, output = WORKED[family]
    given = qkv(file)
    found = attend_by_name(family, given["query"], given["key"], given["value"], given)
    assert four(found.scaled) == [[scaled]]
    assert four(found.weights) == [[weights]]
    assert four(found.output) == [[output]]


def test_concat_is_additive_with_joined_weights() -> None:
    given = qkv("bahdanau")
    joined = torch.cat([given["W"], given["U"]], dim=1)
    score = concat(given["query"], given["key"], joined, given["v"])
    assert four(score) == [WORKED["additive"][1]]


def test_two_heads_of_one_dimension() -> None:
    given = qkv("luong")
    found = multi_head(given["query"], given["key"], given["value"], 2)
    assert four(found.scores) == [[[1, 0, 1]], [[0, 0, 0]]]
    assert four(found.weights) == [[[0.4223, 0.1554, 0.4223]], [[0.3333, 0.3333, 0.3333]]]
    assert four(merge_heads(found.output)) == [[0.8446, 0.6667]]


def test_hard_attention_takes_the_first_of_a_tie() -> None:
    given = qkv("luong")
    found = attend(given["query"], given["key"], given["value"], weigh=hard)
    assert found.weights.tolist() == [[1, 0, 0]]
    assert found.output.tolist() == [[1, 0]]


def test_drawn_attention_is_soft_on_average() -> None:
    given = qkv("luong")
    scores = dot(given["query"], given["key"]).expand(20_000, -1)
    draws = sampled(scores, torch.Generator().manual_seed(0))
    assert (draws.sum(-1) == 1).all()
    assert torch.allclose(draws.mean(0), soft(scores[:1])[0], atol=0.01)


def test_local_attention_around_the_second_key() -> None:
    given = qkv("luong")
    found = attend(
        given["query"], given["key"], given["value"], weigh=lambda e: local(e, 1.0, sigma=1.0)
    )
    assert four(found.weights) == [[0.2561, 0.1554, 0.2561]]
    assert round(float(found.weights.sum()), 4) == 0.6677


def test_self_attention() -> None:
    given = qkv("self")
    found = scaled_dot_product(**given)
    assert four(found.weights) == [
        [0.4011, 0.1978, 0.4011],
        [0.1978, 0.4011, 0.4011],
        [0.2483, 0.2483, 0.5035],
    ]
    assert four(found.output) == [[0.8022, 0.5989], [0.5989, 0.8022], [0.7517, 0.7517]]


def test_causal_self_attention() -> None:
    found = scaled_dot_product(**qkv("self"), mask=causal(3))
    assert four(found.weights) == [[1, 0, 0], [0.3302, 0.6698, 0], [0.2483, 0.2483, 0.5035]]


def test_cross_attention() -> None:
    found = scaled_dot_product(**qkv("cross"))
    assert four(found.weights) == [[0.4011, 0.1978, 0.4011], [0.1084, 0.4458, 0.4458]]
    assert four(found.output) == [[0.8022, 0.5989], [0.5542, 0.8916]]


def test_three_tokens_of_one_dimension() -> None:
    found = attend(**qkv("tokens"))
    assert found.scores.tolist() == [[4, 5, 6], [8, 10, 12], [12, 15, 18]]
    assert four(found.weights)[0] == [0.09, 0.2447, 0.6652]


def test_one_token_of_three_dimensions() -> None:
    found = attend(**qkv("vector"))
    assert found.scores.tolist() == [[32]]
    assert found.weights.tolist() == [[1]]
    assert found.output.tolist() == [[7, 8, 9]]


def test_three_words() -> None:
    found = scaled_dot_product(**qkv("words"))
    assert four(found.scores) == [[0.14, 0.2, 0.26], [0.2, 0.29, 0.38], [0.26, 0.38, 0.5]]
    assert four(found.scaled[0]) == [0.0808, 0.1155, 0.1501]


def test_entropies_of_the_table() -> None:
    rows = []
    for family, (file, *_) in WORKED.items():
        given = qkv(file)
        found = attend_by_name(family, given["query"], given["key"], given["value"], given)
        rows.append(-(found.weights * found.weights.log()).sum(-1).flatten())
    assert four(torch.cat(rows)) == [1.0174, 1.0534, 0.9753, 1.0539]
