import math

import numpy as np
import pytest

from attnviz.views.heads.choice import choose
from attnviz.views.heads.head import Head
from attnviz.views.heads.observed import heads_of, key_texts, popular_keys
from tests.captures import axis, layer

KEYS = axis()


@pytest.mark.parametrize(
    ("scores", "popular", "expected"),
    [
        ({"previous": 0.9, "special": 0.05}, None, ("previous", "position", 0.9)),
        ({"next": 0.6, "previous": 0.2}, None, ("next", "position", 0.6)),
        ({"self": 0.5, "content": 0.3}, None, ("self", "position", 0.5)),
        ({"special": 0.7, "content": 0.2}, 7, ("[SEP]", "sink", 0.7)),
        ({"special": 0.7}, 2, ("special", "sink", 0.7)),
        ({"first": 0.6}, None, ("first", "sink", 0.6)),
        ({"first": 0.7, "induction": 0.5}, None, ("induction", "word", 0.5)),
        ({"sharpness": 0.9, "coverage": 0.9}, None, ("alignment", "word", math.nan)),
        ({"content": 0.2, "special": 0.4}, 0, ("word", "word", 0.2)),
        ({"punctuation": 0.45}, None, ("punct", "punct", 0.45)),
        ({"content": 0.1, "sink": 0.35}, 2, ("cat", "sink", 0.35)),
        ({"normalized_entropy": 0.9}, 0, ("broad", "broad", math.nan)),
        ({"normalized_entropy": 0.9, "local": 0.9}, 0, ("broad", "broad", math.nan)),
        ({"normalized_entropy": 0.5}, None, ("mixed", "mixed", math.nan)),
        ({"previous": math.nan, "content": 0.3}, None, ("word", "word", 0.3)),
        ({}, None, ("none", "none", math.nan)),
    ],
)
def test_the_most_telling_name_comes_first(scores, popular, expected):
    found = Head(0, 0, scores, texts=key_texts(KEYS, popular)).pattern
    assert (found.name, found.category) == expected[:2]
    assert found.strength == pytest.approx(expected[2], nan_ok=True)


def test_a_sink_has_the_text_of_its_key():
    assert key_texts(KEYS, 0) == {"special-token": KEYS.labels[0], "sink": KEYS.labels[0]}
    assert key_texts(KEYS, 2) == {"sink": "cat"}
    plain = axis(["a", "b", "c"])
    assert key_texts(plain, 0) == {"sink": "first"}
    assert key_texts(plain, None) == {}


def test_scores_of_a_layer_name_its_heads():
    found = heads_of(layer(0, KEYS, KEYS))
    assert [head.label for head in found] == ["L0H0", "L0H1", "L0H2", "L0H3"]
    assert found[0].pattern.name == "previous"
    assert found[1].pattern.name == "broad"
    assert found[2].pattern.name == "[CLS]"
    assert found[0].score("nothing") != found[0].score("nothing")


def test_in_a_short_text_no_key_is_popular():
    short = axis(["a", "b", "c"])
    assert not popular_keys(np.array([0.9, 0.1, np.nan]), short).any()
    means = np.array([0.6, 0.0, 0.4, 0.0, 0.0, np.nan, 0.0, 0.9])
    assert np.flatnonzero(popular_keys(means, KEYS)).tolist() == [2]


def head(layer: int, number: int, **scores: float) -> Head:
    return Head(layer, number, scores)


def test_the_head_with_most_content_is_shown_first():
    heads = [head(0, 0, content=0.11), head(0, 1, content=0.3), head(1, 0, content=0.02)]
    choice = choose(heads)
    assert choice is not None
    assert (choice.head.label, choice.why) == ("L0H1", "content")
    assert choice.reason == "picked: most attention to particular words (0.30), then L0H0 0.11"


def test_without_content_the_most_focused_head_that_is_no_sink():
    heads = [
        head(0, 0, content=0.05, normalized_entropy=0.1, special=0.9),
        head(0, 1, content=0.01, normalized_entropy=0.4, sink=0.2),
        head(0, 2, content=0.03, normalized_entropy=0.7, first=0.2),
    ]
    choice = choose(heads)
    assert choice is not None
    assert (choice.head.label, choice.why) == ("L0H1", "entropy")
    assert "no head looks for particular words" in choice.reason


def test_when_all_are_sinks_the_least_of_them():
    choice = choose([head(0, 0, sink=0.9), head(0, 1, sink=0.6)])
    assert choice is not None
    assert (choice.head.label, choice.why) == ("L0H1", "sink")
    assert choose([]) is None
