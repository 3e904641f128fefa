"""Saved captures: everything comes back, and what is no capture is refused."""

from __future__ import annotations

import dataclasses
import json
import os
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import SafetensorError
from safetensors.numpy import load_file

import attnviz
from attnviz.attention.axis import Axis
from attnviz.attention.capture import AttentionStack, Capture, Check, LayerAttention, Prediction
from attnviz.attention.store.description import FORMAT, KEY
from attnviz.attention.store.reader import open_capture
from attnviz.attention.store.writer import save
from attnviz.errors import OutputError
from tests.captures import FACTS, axis, capture, layer, translation

ANY_TEXT = st.text(st.characters(codec=None), max_size=8)


def same(one: Capture, other: Capture) -> None:
    """Assert that two captures are equal in every field and array; `other` knows versions."""
    assert dict(one.plan) == {k: v for k, v in other.plan.items() if k != "versions"}
    for field in dataclasses.fields(Capture):
        if field.name not in ("stacks", "plan"):
            assert getattr(one, field.name) == getattr(other, field.name), field.name
    assert list(one.stacks) == list(other.stacks)
    for name, stack in one.stacks.items():
        assert other.stacks[name].layers == stack.layers
        for number in stack.layers:
            same_layer(stack.layer(number), other.stacks[name].layer(number))


def same_layer(one: LayerAttention, other: LayerAttention) -> None:
    for field in dataclasses.fields(LayerAttention):
        if field.name not in ("kept", "allowed"):
            assert getattr(one, field.name) == getattr(other, field.name), field.name
    assert set(one.kept) == set(other.kept)
    for name, value in one.kept.items():
        assert other.kept[name].dtype == value.dtype
        np.testing.assert_array_equal(other.kept[name], value)
    assert (one.allowed is None) == (other.allowed is None)
    if one.allowed is not None:
        np.testing.assert_array_equal(other.allowed, one.allowed)


@pytest.mark.parametrize(
    "made",
    [
        capture(),
        capture(causal=True),
        capture(whole=False),
        translation(),
        Capture(FACTS, {}),
        dataclasses.replace(
            capture(),
            pair="b",
            target="c",
            notes=("one", "two"),
            checks=(Check("finite", ok=False, detail="3"), Check("x", ok=True)),
            plan={"budget": 2**40, "maps": 0, "kept": 1},
            prediction=Prediction("next token", (("", (("a", 0.5),)), ("[MASK]", ())), "n"),
        ),
    ],
    ids=["whole", "causal", "pooled", "three stacks", "empty", "every field"],
)
def test_everything_comes_back(made: Capture, tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    made.save(path)
    same(made, attnviz.open(path))
    same(made, attnviz.open(str(path)))


def test_a_few_heads_of_a_few_layers_come_back(tmp_path: Path) -> None:
    words = axis()
    some = layer(11, words, words)
    kept = {name: value[:1] for name, value in some.kept.items() if name != "links"}
    part = dataclasses.replace(some, n_heads=12, heads=(7,), kept=kept, path="h.11.attn")
    made = Capture(FACTS, {"self": AttentionStack("self", {11: part, 1: layer(1, words, words)})})
    made.save(tmp_path / "a.safetensors")
    again = open_capture(tmp_path / "a.safetensors")
    same(made, again)
    assert again.stacks["self"].heads(11) == (7,)
    np.testing.assert_array_equal(again.stacks["self"].weights(11, head=7), kept["weights"][0])


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    labels=st.lists(ANY_TEXT, min_size=1, max_size=5),
    text=ANY_TEXT,
    pair=st.none() | ANY_TEXT,
    special=st.booleans(),
    span=st.none() | st.tuples(st.integers(0, 9), st.integers(0, 9)),
    word=st.none() | st.integers(0, 9),
    grid=st.none() | st.tuples(st.integers(1, 9), st.integers(1, 9)),
    probability=st.floats(0, 1),
)
def test_any_text_comes_back(tmp_path: Path, labels: list[str], text: str, pair: str | None,
                             special: bool, span: Any, word: int | None, grid: Any,
                             probability: float) -> None:  # fmt: skip
    """Lone surrogates, control characters, empty strings and all."""
    n = len(labels)
    words = Axis(
        labels=tuple(labels), kind="frame", ids=tuple(range(n)), words=(word,) * n,
        spans=(span,) * n, special=(special,) * n, segments=tuple(range(n)),
        padding=(not special,) * n, grid=grid,
    )  # fmt: skip
    maps = np.random.default_rng(n).dirichlet(np.ones(n), (2, n)).astype(np.float32)
    one = layer(0, axis(), axis())
    one = dataclasses.replace(
        one, queries=words, keys=words, n_heads=2, heads=(0, 1), kept={"weights": maps}, path=text,
        allowed=maps[0] > 0.1,
    )  # fmt: skip
    made = Capture(
        dataclasses.replace(FACTS, name=text),
        {"self": AttentionStack("self", {0: one})},
        text=text,
        pair=pair,
        notes=(text,),
        prediction=Prediction(text, ((text, ((labels[0], probability),)),), text),
    )
    path = tmp_path / "any.safetensors"
    save(made, path)
    same(made, open_capture(path))


def test_axes_are_written_once(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    translation().save(path)
    assert len(meta(path)["axes"]) == 2


def meta(path: Path) -> dict[str, Any]:
    with safetensors.safe_open(str(path), framework="np") as file:
        found: dict[str, Any] = json.loads(file.metadata()[KEY])
        return found


def test_a_file_is_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.safetensors"
    capture().save(path)
    before = path.read_bytes()

    def full(arrays: Any, name: str, metadata: Any) -> None:
        Path(name).write_bytes(b"half")
        raise SafetensorError("Error while serializing: I/O error: No space left on device")

    monkeypatch.setattr(safetensors.numpy, "save_file", full)
    with pytest.raises(OutputError, match="No space left on device"):
        translation().save(path)
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["run.safetensors"]


def test_an_existing_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    capture().save(path)
    translation().save(path)
    assert open_capture(path).main_stack.name == "cross"
    assert [one.name for one in tmp_path.iterdir()] == ["run.safetensors"]


def test_the_file_can_be_read_by_whom_the_umask_lets(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        capture().save(tmp_path / "run.safetensors")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "run.safetensors").stat().st_mode) == 0o644


@pytest.mark.parametrize("place", ["missing/run.safetensors", "file/run.safetensors", "folder", ""])
def test_an_unwritable_place(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("x")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OutputError, match="cannot write"):
        capture().save(place)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["file", "folder"]


def test_equal_masks_are_written_once(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    made = capture(causal=True)
    window = dataclasses.replace(made.stacks["self"].by_layer[1], allowed=np.eye(8, dtype=bool))
    layers = {**made.stacks["self"].by_layer, 1: window}
    made = dataclasses.replace(made, stacks={"self": AttentionStack("self", layers)})
    made.save(path)
    assert [name for name in load_file(path) if "allowed" in name] == ["allowed/0", "allowed/1"]
    same(made, open_capture(path))


def test_two_saves_make_the_same_bytes(tmp_path: Path) -> None:
    for made, dtype in ((translation(), "float32"), (capture(whole=False), "uint8")):
        made.save(tmp_path / "a.safetensors", dtype)
        made.save(tmp_path / "b.safetensors", dtype)
        first = (tmp_path / "a.safetensors").read_bytes()
        assert first == (tmp_path / "b.safetensors").read_bytes()
        open_capture(tmp_path / "a.safetensors").save(tmp_path / "a.safetensors", dtype)
        assert len(first) == len((tmp_path / "a.safetensors").read_bytes())


def test_an_open_capture_can_be_saved_where_it_came_from(tmp_path: Path) -> None:
    made, path = translation(), tmp_path / "run.safetensors"
    made.save(path)
    opened = open_capture(path)
    opened.save(path)
    same(made, opened)
    same(made, open_capture(path))


def test_an_open_capture_outlives_its_file(tmp_path: Path) -> None:
    made, path = translation(), tmp_path / "run.safetensors"
    made.save(path)
    opened = open_capture(path)
    capture().save(path)
    path.unlink()
    same(made, opened)


def test_the_versions_of_the_first_save_stay(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    capture().save(path)
    opened = open_capture(path)
    assert set(opened.plan["versions"]) == {"attnviz", "torch", "transformers"}
    old = {"attnviz": "0.0.1"}
    dataclasses.replace(opened, plan={**opened.plan, "versions": old}).save(path)
    assert open_capture(path).plan["versions"] == old
    assert meta(path)["format_version"] == FORMAT
