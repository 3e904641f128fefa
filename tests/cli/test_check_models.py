"""`attnviz check` and `attnviz models`."""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING

import pytest

import attnviz.answers.check
import attnviz.runs.check
from attnviz.attention.capture import Check
from attnviz.cli.commands.models import aligned

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Result


def test_check_of_the_sample(answer: Callable[..., str]) -> None:
    lines = answer("check", "sample:sentiment", "--width", 200).splitlines()
    assert lines[0].startswith("sentiment  BertForSequenceClassification")
    assert lines[0].endswith("checked ✓")
    assert all(line.startswith("  ok    ") for line in lines[2:])
    text = "\n".join(lines)
    for what in ("rows sum to 1", "outputs unchanged", "changed weights change the output"):
        assert what in text
    for padding in ("no padding", "padded right", "padded left"):
        assert f"equal to eager, {padding}" in text


def test_check_tells_what_was_loaded_and_read(
    answer: Callable[..., str], copy: Callable[[str], Path]
) -> None:
    """The notes of loading, and those of the input."""
    folder = copy("gpt2")
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(config | {"n_layer": config["n_layer"] - 1}), encoding="utf-8")
    asked = ["check", folder, "--text", "the cat \udc80 sat"]
    notes = [
        line for line in answer(*asked, "--width", 200).splitlines() if line.startswith("note  ")
    ]
    assert len(notes) == 2
    assert "of layers that its config.json does not have" in notes[0]
    assert "lone surrogate" in notes[1]
    assert json.loads(answer(*asked, "--json"))["notes"] == [one[6:] for one in notes]


def test_what_the_memory_does_not_allow_is_not_compared(
    answer: Callable[..., str], refused: Callable[..., str], folder: Callable[[str], Path]
) -> None:
    asked = ["check", folder("gpt2"), "--text", "the cat sat on the mat", "--memory"]
    lines = answer(*asked, "4KiB").splitlines()
    [left] = [line for line in lines if line.startswith("  --")]
    assert left.startswith("  --    equal to eager, no padding: not compared: whole maps beside")
    assert left.endswith("--memory allows 4.0 KiB")
    need = left.split(" take ")[1].split(",")[0]
    assert "largest difference" in answer(*asked, f"{float(need.split()[0]) + 0.1}KiB")
    assert "--memory 1.0 KiB is not enough" in refused(2, *asked, "1KiB")


def test_out_of_memory_is_an_error_of_one_line(
    refused: Callable[..., str], folder: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(attnviz.runs.check, "crosscheck", full)
    err = refused(1, "check", folder("gpt2"), "--text", "the cat sat on the mat")
    assert "out of memory on cpu at 6 tokens (whole maps, 4.5 KiB; " in err


@pytest.mark.parametrize("model", ["gpt2", "bart", "llama"])
def test_check_of_any_model(
    answer: Callable[..., str], folder: Callable[[str], Path], model: str
) -> None:
    found = json.loads(answer("check", folder(model), "--json"))
    assert found["model"]["name"] == model
    assert len(found["checks"]) >= 8
    assert all(check["ok"] for check in found["checks"])
    stacks = [one["detail"].split(":")[0] for one in found["checks"] if "eager" in one["name"]]
    assert ("cross_attentions" in stacks) == (model == "bart")


def test_check_with_own_text(answer: Callable[..., str], folder: Callable[[str], Path]) -> None:
    asked = ["check", folder("t5"), "--text", "the cat sat on the mat", "--target", "eine katze"]
    assert "equal to eager" in answer(*asked)


def test_failed_check(call: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    checks = [Check("finite", True, ""), Check("rows sum to 1", False, "0.5 to 1.0")]
    monkeypatch.setattr(attnviz.answers.check, "check_inputs", lambda *arguments: checks)
    result = call("check", "sample:sentiment")
    assert result.code == 1
    assert "  FAIL  rows sum to 1: 0.5 to 1.0" in result.lines
    assert result.err.startswith("error: 1 of 2 checks failed on sentiment")


def test_models(call: Callable[..., Result], answer: Callable[..., str]) -> None:
    out = answer("models")
    assert re.search(r"  sample:sentiment +a classifier", out)
    assert "  sample:text/long " in out
    assert "none yet" in out
    commands = [line.strip() for line in out.splitlines() if line.startswith("      attnviz ")]
    assert len(commands) >= 8
    for command in commands:
        again = call(*shlex.split(command)[1:])
        assert again.code == 0, (command, again.err)


def test_models_as_json(answer: Callable[..., str]) -> None:
    found = json.loads(answer("models", "--json"))
    assert "sample:sentiment" in [one["name"] for one in found["models"]]
    assert "sample:qkv/luong" in [one["name"] for one in found["inputs"]]
    assert found["models"][0]["command"].startswith("attnviz inspect ")
    assert found["cached"] == []


def test_cached_models(
    answer: Callable[..., str],
    folder: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    for name in ("models--org--tiny", "models--b"):
        snapshot = tmp_path / name / "snapshots" / "0123456789"
        snapshot.mkdir(parents=True)
        (snapshot / "config.json").write_bytes((folder("bert") / "config.json").read_bytes())
    out = answer("models")
    assert "  b         BertForMaskedLM  0.0 MB" in out
    assert "  org/tiny  BertForMaskedLM  0.0 MB" in out
    found = json.loads(answer("models", "--json"))["cached"]
    assert [one["name"] for one in found] == ["b", "org/tiny"]
    assert found[0]["revision"] == "0123456"


def test_columns_stand_under_each_other() -> None:
    assert aligned([["a", "bc"], ["def", "g"]]) == ["  a    bc", "  def  g"]
    assert aligned([]) == []
