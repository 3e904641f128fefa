"""The names of heads: each by its threshold, several at once, and the words that ask for them."""

from __future__ import annotations

import math

import pytest

import attnviz
from attnviz.attention.axis import Axis
from attnviz.attention.selection import Selection
from attnviz.inputs.read import read_file, read_texts
from attnviz.metrics.about import SCORES
from attnviz.views.heads.head import Head, answers_to, kinds_of, names_of
from attnviz.views.heads.head_table import head_table
from attnviz.views.heads.names import BY_NAME, MIXED, RULES
from attnviz.views.heads.observed import heads_of
from tests.captures import axis, layer


def head(weak: str = "", **scores: float) -> Head:
    return Head(0, 0, scores, frozenset(weak.split()))


def called(one: Head) -> list[str]:
    return [name.name for name in names_of(one)]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_name_has_its_threshold(rule) -> None:
    beside = {rule.also: 1.0} if rule.also else {}
    just = head(**{rule.score: rule.least} | beside)
    assert names_of(just) == ((rule.name, rule.score, rule.least),)
    below = head(**{rule.score: math.nextafter(rule.least, -1)} | beside)
    assert called(below) == ["mixed"]
    assert called(head(weak=rule.score, **{rule.score: 1.0} | beside)) == ["mixed"]
    if rule.also:
        assert called(head(**{rule.score: 1.0, rule.also: rule.least - 0.01})) == ["mixed"]
    for word in (rule.name, rule.short, *rule.kinds):
        assert not word or answers_to(just, word)
    assert rule.score in SCORES
    assert (not rule.also or rule.also in SCORES) and rule.meaning


def test_several_names_hold_the_most_telling_first() -> None:
    one = head(first=0.7, sink=0.7, induction=0.5, content=0.2, previous=math.nan)
    assert names_of(one) == (
        ("induction", "induction", 0.5), ("first-token", "first", 0.7), ("word", "content", 0.2),
        ("sink", "sink", 0.7),
    )  # fmt: skip
    assert answers_to(one, "first") and answers_to(one, "Word") and answers_to(one, "content")
    assert not answers_to(one, "previous") and not answers_to(one, "nonsense")


def test_without_a_name_or_scores() -> None:
    assert names_of(head()) == ()
    (name,) = names_of(head(normalized_entropy=0.5, sharpness=math.nan))
    assert name == (MIXED.name, "normalized_entropy", 0.5)


def test_a_sink_answers_to_its_key_too() -> None:
    one = Head(0, 0, {"special": 0.7}, texts={"special-token": "[SEP]"})
    for kind in ("sep", "[SEP]", "sink", "special", "special-token"):
        assert answers_to(one, kind)
    assert [*kinds_of([one, head(self=0.9)])] == ["self", "special-token", "[SEP]"]


def test_names_are_told_apart() -> None:
    words = [word for rule in BY_NAME.values() for word in {rule.name, rule.short, *rule.kinds}]
    assert len([word for word in words if word]) == len({word for word in words if word})


def test_short_texts_are_weak_evidence() -> None:
    keys = axis(["a", "b", "a", "c"], ids=(5, 6, 5, 7))
    found = heads_of(layer(0, keys, keys, scores={"induction": [0.9] * 4, "duplicate": [0.9] * 4}))
    assert found[0].weak == {"sink", "local", "induction", "duplicate"}
    assert not {"sink", "induction", "duplicate"} & {name for one in found for name in called(one)}
    keys = axis(list("abcabcd"), ids=(5, 6, 7, 5, 6, 7, 8))
    found = heads_of(layer(0, keys, keys, scores={"induction": [0.9] * 4}))
    assert found[0].weak == {"local"}
    assert called(found[0])[0] == "induction"


def test_repeats_count_neither_special_tokens_nor_padding() -> None:
    ids = (1, 5, 5, 1, -1, -1, 0, 0, 5)
    special = tuple(i == 1 for i in ids)
    padding = tuple(i == 0 for i in ids)
    assert Axis(labels=("x",) * 9, ids=ids, special=special, padding=padding).repeats == 2


def test_the_induction_head_of_the_sample() -> None:
    capture = attnviz.capture(attnviz.load("sample:english"), read_file("sample:text/repeated"))
    rows = head_table([capture], Selection(), kind="induction").rows
    assert [one.head.label for one in rows] == ["L3H3", "L3H2"]
    assert called(rows[0].head)[0] == "induction"
    rows = head_table([capture], Selection(), kind="previous").rows
    assert [one.head.label for one in rows] == ["L2H2"]


SOURCE = "the young woman does not see the small grey house ."
TARGET = "la jeune femme ne voit pas la petite maison grise ."


def test_the_alignment_head_of_the_sample() -> None:
    """L1H0 aligns best of all (samples/translate)."""
    capture = attnviz.capture(attnviz.load("sample:translate"), SOURCE, target=TARGET)
    for sort in ("sharpness", "coverage"):
        first = head_table([capture], Selection(), sort).rows[0]
        assert (first.stack, first.head.label) == ("cross", "L1H0")
        assert called(first.head)[0] == "alignment"


@pytest.mark.parametrize(("sort", "most"), [("sharpness", 2), ("coverage", 2), ("monotonicity", 3)])
def test_alignment_heads_come_first(sort: str, most: int) -> None:
    """The two heads with error rates below 0.05; by monotonicity behind L0H3, which does not
    follow the words that change places (0.33)."""
    model = attnviz.load("sample:translate")
    texts = list(read_texts("sample:text/translations"))[:8]
    captures = [attnviz.capture(model, one.text, target=one.target) for one in texts]
    rows = head_table(captures, Selection(), sort).rows[:most]
    assert {one.stack for one in rows} == {"cross"}
    assert all(called(one.head)[0] == "alignment" for one in rows)
    assert {one.head.label for one in rows[-2:]} == {"L1H0", "L1H2"}
