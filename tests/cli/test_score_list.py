"""Every score is told in the help of `heads`, and in the error for one that is unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from attnviz.cli.app import help_of
from attnviz.cli.commands.heads import heads
from attnviz.cli.score_list import WIDTH, listing, span
from attnviz.metrics.about import SCORES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_the_listing_tells_all_of_every_score() -> None:
    text = listing()
    assert max(map(len, text.splitlines())) <= WIDTH
    words = " ".join(text.split())
    for one in SCORES.values():
        assert f"{one.name} {one.meaning} ({span(one)}; {one.chance})" in words
    assert "\u00a0" not in text
    assert listing() in help_of(heads)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("content", "0 to 1"), ("entropy", "0 and up"), ("offset", "any number")],
)
def test_ranges(name: str, expected: str) -> None:
    assert span(SCORES[name]) == expected


def test_the_help_lists_scores(answer: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = answer("heads", "--help")
    for name in SCORES:
        assert any(line.split()[:1] == [name] for line in out.splitlines()), name


def test_an_unknown_score_is_told_before_the_model_is_loaded(
    refused: Callable[..., str], saved: Callable[[str], Path]
) -> None:
    err = refused(1, "heads", "the cat", "-m", "nobody/nothing", "--sort", "beauty")
    assert "there is no score 'beauty'" in err
    assert all(name in err for name in SCORES)
    assert "--probe" in refused(1, "heads", saved("bert"), "--sort", "prefix_matching")
    assert "--query" in refused(1, "heads", saved("bert"), "--sort", "edge")
