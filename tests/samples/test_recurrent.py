"""`sample:rnn-…` translate, and their one head shows which word translates which."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import attnviz
from attnviz.cli.app import run
from attnviz.runs.check import check_model
from tests.samples.rates import error_rates, exact_match
from tests.samples.shuffled import shuffled

SOURCE = "the young woman does not see the small grey house ."
TARGET = "la jeune femme ne voit pas la petite maison grise ."
SCORES = ("additive", "dot", "general", "scaled-dot")


@pytest.mark.parametrize("score", SCORES)
def test_it_translates_and_aligns(score: str) -> None:
    model = attnviz.load(f"sample:rnn-{score}")
    assert model.model.config.score == score
    assert exact_match(model) >= 0.99
    rates = error_rates(model)
    assert set(rates) == {"L0H0"}
    assert rates["L0H0"] <= 0.08


@pytest.mark.parametrize("score", SCORES)
def test_check_proves_it(score: str) -> None:
    found = check_model(attnviz.load(f"sample:rnn-{score}"), SOURCE, TARGET)
    assert [one for one in found if not one.ok] == []


def test_commands(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    given = [SOURCE, "--target", TARGET, "-m", "sample:rnn-additive"]
    assert run(["inspect", *given]) == 0
    assert "1 layer × 1 head ·" in capsys.readouterr().out
    assert run(["heads", *given, "--json"]) == 0
    (only,) = json.loads(capsys.readouterr().out)["heads"]
    assert (only["stack"], only["layer"], only["head"]) == ("cross", 0, 0)
    assert only["names"][0]["name"] == "alignment"
    assert run(["compare", *given, "--with-model", "sample:rnn-dot", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["moved"][0]["distance"] > 0
    assert run(["export", *given, "-o", str(tmp_path / "map.png")]) == 0
    assert (tmp_path / "map.png").stat().st_size > 1000


def test_without_a_target_it_says_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", SOURCE, "-m", "sample:rnn-dot"]) != 0
    assert "--target" in capsys.readouterr().err


@pytest.mark.parametrize("score", SCORES)
def test_shuffled_weights_do_not(score: str) -> None:
    model = shuffled(f"rnn-{score}")
    assert exact_match(model) < 0.05
    assert error_rates(model)["L0H0"] > 0.5
