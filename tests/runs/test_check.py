"""Everything `check` proves about a model, and that it finds what is wrong."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from attnviz.attention.capture import Check
from attnviz.inputs.encode import ModelInputs
from attnviz.models.load import wrap
from attnviz.observe.sources.map_source import FunctionSource
from attnviz.runs.check import check_model, paddings
from tests.observe.runs import ids
from tests.sources import changed_blocks
from tests.zoo.oracle import inputs
from tests.zoo.shrink import build


def proved(name: str, monkeypatch: pytest.MonkeyPatch) -> Sequence[Check]:
    model = build(name)
    given = {key: value[:1] for key, value in inputs(model, tokens=14).items()}
    monkeypatch.setattr("attnviz.runs.check.encode", lambda *_, **__: ModelInputs(given, ()))
    return check_model(wrap(model), "text")


@pytest.mark.parametrize(("name", "fields"), [("llama", 1), ("bert", 1), ("bloom", 1), ("t5", 3)])
def test_check_proves_every_kind_of_model(
    name: str, fields: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = proved(name, monkeypatch)
    assert [check.name for check in found if not check.ok] == []
    names = [check.name for check in found]
    assert len(found) == 4 + 3 * (1 + fields) + 1
    for what in ("no padding", "padded right", "padded left"):
        assert names.count(f"outputs unchanged, {what}") == 1
        assert names.count(f"equal to eager, {what}") == fields
    assert names[-1] == "changed weights change the output"


def test_check_finds_wrong_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    changed_blocks(monkeypatch, FunctionSource, lambda block: {"weights": block.weights.flip(0)})
    failed = [check.name for check in proved("llama", monkeypatch) if not check.ok]
    assert failed == [f"equal to eager, {p}" for p in ("no padding", "padded right", "padded left")]


def test_paddings_leave_the_input_as_it_is() -> None:
    mask = torch.ones(1, 9, dtype=torch.long)
    given = {"input_ids": ids(1, 9), "attention_mask": mask, "use_cache": False}
    found = dict(paddings(given))
    assert list(found) == ["no padding", "padded right", "padded left"]
    assert found["padded right"]["attention_mask"].tolist() == [[1] * 9, [1] * 6 + [0] * 3]
    assert found["padded left"]["attention_mask"].tolist() == [[1] * 9, [0] * 3 + [1] * 6]
    assert torch.equal(found["padded left"]["input_ids"][1], given["input_ids"][0])
    assert found["padded left"]["use_cache"] is False
    assert mask.tolist() == [[1] * 9]
    assert list(dict(paddings({"input_ids": ids(1, 9)}))) == ["no padding"]
    assert list(dict(paddings({"attention_mask": torch.ones(1, 5)}))) == ["no padding"]
