"""Texts that are run together give what each alone gives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import attnviz
from attnviz.attention.selection import Selection
from attnviz.attention.unpadded import unpadded
from attnviz.cli.source import LoadRequest, Source, captures
from attnviz.cli.talk import Talk
from attnviz.errors import InputError
from attnviz.inputs.encode import encode_batch
from attnviz.inputs.text import Text
from attnviz.runs.plan import Plan
from attnviz.runs.request import RunRequest
from attnviz.runs.run import run as run_batch
from tests.models import tiny

if TYPE_CHECKING:
    from collections.abc import Callable

    from attnviz.attention.capture import Capture

LINES = ["the cat sat on the mat", "the cat", "it was tired the cat sat on the mat it was", "mat"]


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    path = tmp_path / "texts.txt"
    path.write_text("\n".join(LINES), encoding="utf-8")
    return path


def run(folder: Path, texts: Path, size: int, **asked: Any) -> list[Capture]:
    source = Source(None, None, texts, None, None)
    request = LoadRequest(str(folder), "cpu", "auto", None, False, True)
    asked_for = RunRequest(Selection.parse(**asked), batch_size=size)
    return [*captures(source, request, asked_for, Talk(True))]


def assert_alike(one: Capture, other: Capture) -> None:
    assert one.text == other.text
    assert one.notes == other.notes or "maps" in "".join(one.notes)
    for mine, its in zip(one.prediction.items, other.prediction.items, strict=True):
        assert [name for name, _ in mine[1]] == [name for name, _ in its[1]]
    for name, stack in one.stacks.items():
        for number, layer in stack.by_layer.items():
            twin = other.stacks[name].by_layer[number]
            assert (layer.queries, layer.keys) == (twin.queries, twin.keys)
            assert set(layer.kept) == set(twin.kept)
            for key, value in layer.kept.items():
                if key in ("check", "top_keys", "links", "heavy_keys"):  # of ties any may be first
                    continue
                np.testing.assert_allclose(value, twin.kept[key], atol=1e-5, rtol=1e-5, err_msg=key)
            if layer.allowed is not None:
                np.testing.assert_array_equal(layer.allowed, twin.allowed)


@pytest.mark.parametrize("name", ["bert", "gpt2", "llama", "t5"])
@pytest.mark.parametrize("size", [2, 3, 10])
def test_texts_together_equal_texts_alone(
    folder: Callable[[str], Path], texts: Path, name: str, size: int
) -> None:
    alone = run(folder(name), texts, 1)
    together = run(folder(name), texts, size)
    assert len(alone) == len(together) == len(LINES)
    for one, other in zip(alone, together, strict=True):
        assert_alike(one, other)


@pytest.mark.parametrize("name", ["bert", "llama"])
def test_pooled_maps_and_windows_too(
    folder: Callable[[str], Path], texts: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = Plan(budget=1, maps=1, keeps="pooled", side=4, top=3)
    monkeypatch.setattr("attnviz.runs.run.planned", lambda *_: plan)
    alone = run(folder(name), texts, 1, query="0")
    together = run(folder(name), texts, 4, query="0")
    assert {"pooled", "window", "top_keys"} <= set(together[1].main_stack.layer(0).kept)
    for one, other in zip(alone, together, strict=True):
        assert_alike(one, other)


def test_named_keys_are_counted_in_each_text(folder: Callable[[str], Path], texts: Path) -> None:
    model = attnviz.load(str(folder("llama")))
    assert model.tokenizer is not None
    batch = [Text(line) for line in (LINES[2], LINES[1])]
    for side in ("left", "right"):
        inputs = encode_batch(model, batch, side=side)
        short = unpadded(
            run_batch(model, inputs, RunRequest(memory=12 * 2**10))[1]
        ).main_stack.layer(1)
        alone = attnviz.capture(model, LINES[1], memory="1GiB").main_stack.layer(1)
        assert len(short.queries) == len(alone.queries)
        np.testing.assert_allclose(
            short.kept["heavy_keys"], alone.kept["heavy_keys"], atol=1e-5, equal_nan=True
        )


@pytest.mark.parametrize("command", ["heads", "inspect"])
def test_the_commands_take_a_batch_size(
    answer: Callable[..., str], folder: Callable[[str], Path], texts: Path, command: str
) -> None:
    asked = [command, "--texts", texts, "-m", folder("bert"), "--json"]
    alone, together = answer(*asked), answer(*asked, "--batch-size", "3")
    if command == "heads":
        one, other = (json.loads(out)["heads"] for out in (alone, together))
        for mine, its in zip(one, other, strict=True):
            assert mine["scores"]["entropy"] == pytest.approx(its["scores"]["entropy"], abs=1e-5)
    assert len(alone.splitlines()) == len(together.splitlines())


@pytest.mark.parametrize("maker", [tiny.gpt2, tiny.llama])
@pytest.mark.parametrize("pad", [None, -1, 0, 5, 7])
def test_decoder_classifiers_need_to_know_where_a_text_ends(
    texts: Path, tmp_path: Path, maker: Callable[..., Path], pad: int | None
) -> None:
    folder = maker(tmp_path / "model", "ForSequenceClassification", pad_token_id=pad, num_labels=5)
    alone = run(folder, texts, 1)
    if pad is None or pad < 0:
        with pytest.raises(InputError, match="cannot tell where a text of several ends"):
            run(folder, texts, 2)
        return
    together = run(folder, texts, 3)
    for one, other in zip(alone, together, strict=True):
        assert_alike(one, other)
        [(_, mine)], [(_, its)] = one.prediction.items, other.prediction.items
        np.testing.assert_allclose([p for _, p in mine], [p for _, p in its], atol=1e-5)
    assert len({one.prediction.items[0][1] for one in alone}) == len(LINES)
