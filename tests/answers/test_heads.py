"""Ranked heads as an answer: what is said of one run, and of many."""

from __future__ import annotations

from dataclasses import replace

from attnviz.answers.heads import heads
from attnviz.attention.capture import Check
from tests.captures import capture


def test_one_run_is_answered_with_its_notes_and_checks() -> None:
    held = replace(capture(), notes=("cut",), checks=(Check("finite", True),))
    answer = heads(held, top=3)
    assert answer.notes == ("cut",)
    assert answer.checks == held.checks
    assert len(answer.parts[0].rows) == 3
    values = answer.values()
    assert values["input"]["text"] == held.text
    assert [one["head"] for one in values["heads"]] == [
        row.head.head for row in answer.parts[0].rows
    ]


def test_many_runs_are_answered_with_what_all_have_and_what_failed_in_any() -> None:
    runs = [
        replace(capture(), notes=("of the model", "of the first")),
        replace(capture(), notes=("of the model",), checks=(Check("finite", False, "1 cell"),)),
        replace(capture(), notes=("of the third", "of the model")),
    ]
    answer = heads(runs, view="matrix")
    assert answer.notes == ("means over 3 texts", "of the model")
    assert [check.detail for check in answer.failed] == ["1 cell"]
    assert answer.facts.texts == 3
    assert answer.values()["input"] == {"texts": 3}
