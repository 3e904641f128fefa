"""--source-lang and --target-lang in every command that reads a text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import attnviz

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from attnviz.models.loaded import LoadedModel
    from tests.cli.conftest import Result

TEXT, TARGET = "the cat sat", "die katze"
LANGUAGES = ["--source-lang", "fin_Latn", "--target-lang", "deu_Latn"]


@pytest.fixture
def nllb(translator: Callable[[str], LoadedModel]) -> str:
    """The folder of a tiny NLLB."""
    tokenizer = translator("nllb").tokenizer
    assert tokenizer is not None
    return str(tokenizer.name_or_path)


@pytest.mark.parametrize(
    "command",
    [
        ["inspect", TEXT, "--stack", "cross", "--head", "L0H0"],
        ["export", TEXT, "--format", "csv", "-o", "-"],
        ["trace", TEXT, "--stack", "cross", "--head", "L0H0", "--query", "deu_Latn"],
        ["compare", TEXT, "--with", "a dog sat", "--json"],
    ],
    ids=lambda command: command[0],
)
def test_maps_bear_the_languages(command: list[str], nllb: str, answer: Callable[..., str]) -> None:
    out = answer(*command, "-m", nllb, "--target", TARGET, *LANGUAGES)
    assert "deu_Latn" in out
    assert "fin_Latn" in out
    assert "eng_Latn" not in out
    assert "is read as" not in out


def test_scores_are_those_of_the_languages(
    nllb: str, translator: Callable[[str], LoadedModel], answer: Callable[..., str]
) -> None:
    asked = ["heads", TEXT, "-m", nllb, "--target", TARGET, "--stack", "cross"]
    rows = json.loads(answer(*asked, *LANGUAGES, "--json"))["heads"]
    capture = attnviz.capture(
        translator("nllb"), TEXT, target=TARGET, source_lang="fin_Latn", target_lang="deu_Latn"
    )
    wanted = capture.stacks["cross"].score("special")
    assert len(rows) == wanted.size
    for row in rows:
        found = wanted[row["layer"], row["head"]]
        assert row["scores"]["special"] == pytest.approx(found, abs=1e-6)
    assert "is read as" not in answer(*asked, *LANGUAGES)
    default = " ".join(answer(*asked).split())
    assert "the text is read as eng_Latn" in default
    assert "the target is read as eng_Latn" in default


def test_checks_read_the_languages(
    nllb: str, call: Callable[..., Result], answer: Callable[..., str]
) -> None:
    assert "fail" not in answer("check", nllb, *LANGUAGES)
    assert answer("check", nllb, *LANGUAGES, "--plan")
    result = call("check", nllb, "--target-lang", "deutsch")
    assert result.code == 1
    assert "hint: it knows, nearest first: deu_Latn, " in result.err.replace("\n", " ")


def test_a_probe_and_handmade_numbers_have_no_language(
    nllb: str, tmp_path: Path, call: Callable[..., Result]
) -> None:
    probe = call("heads", "--probe", "repeated-tokens", "-m", nllb, "--source-lang", "fin_Latn")
    assert "--source-lang and --probe exclude each other" in probe.err
    made = call("trace", "--qkv", tmp_path / "x.npz", "--target-lang", "deu_Latn")
    assert "--target-lang" in made.err
    assert made.code == 2
