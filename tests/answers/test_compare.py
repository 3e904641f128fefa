"""Comparisons as answers: what is compared with what, and what is said of both runs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from attnviz.answers.compare import compare
from attnviz.attention.capture import Check
from attnviz.attention.selection import Selection
from attnviz.errors import CaptureError
from attnviz.views.compare.comparison import DistanceMatrix, HeadGroups, LikeHead, SideBySide
from attnviz.views.compare.contrast import Contrast
from tests.captures import WORDS, capture, long_capture


@pytest.mark.parametrize(
    ("asked", "kind"),
    [
        ({}, HeadGroups),
        ({"view": "matrix"}, DistanceMatrix),
        ({"layers": True}, DistanceMatrix),
        ({"selection": Selection.of(heads="L1H2")}, LikeHead),
        ({"selection": Selection.of(heads=["L1H2", "L0H0"])}, SideBySide),
        ({"selection": Selection.of(heads=["L1H2", "L0H0"]), "view": "matrix"}, DistanceMatrix),
        ({"selection": Selection.of(layers=[0, 1])}, HeadGroups),
    ],
)
def test_the_selection_says_what_is_compared(asked: dict[str, object], kind: type) -> None:
    [view] = compare(capture(), **asked).parts
    assert type(view) is kind


def test_two_texts_or_two_models() -> None:
    one = capture()
    other = replace(one, model=replace(one.model, dtype="bfloat16"))
    models = compare(one, other).parts[0]
    assert isinstance(models, Contrast)
    assert (models.kind, models.second) == ("models", "tiny-bert bfloat16")
    text = replace(capture([*WORDS[:3], "slept", *WORDS[4:]]), text="another")
    texts = compare(one, text).parts[0]
    assert (texts.kind, texts.second) == ("texts", "another")


def test_notes_and_failed_checks_of_both_are_said() -> None:
    one = replace(capture(), notes=("of both", "of one"), checks=(Check("finite", True),))
    failed = Check("finite", False, "1 cell")
    other = replace(capture(), notes=("of both", "of other"), checks=(failed,))
    answer = compare(one, other)
    assert answer.notes == ("of both", "of one", "of other")
    assert answer.checks == (Check("finite", True), failed)
    assert answer.failed == (failed,)


def test_maps_that_were_not_kept_whole_are_refused() -> None:
    with pytest.raises(CaptureError, match="not kept whole"):
        compare(long_capture())


def test_progress_is_told() -> None:
    told: list[float] = []
    compare(capture(), progress=told.append)
    assert told
    assert told[-1] == 1
