"""The table of kept arrays, and arrays of others that go the way of the house's own."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

import attnviz
from attnviz.attention import kept
from attnviz.attention.capture import AttentionStack, Capture, LayerAttention
from attnviz.attention.kept import SCORE, UNKNOWN, KeptArray, look_up, register, renumbered
from attnviz.attention.store.reader import open_capture
from attnviz.attention.unpadded import unpadded
from attnviz.attention.words import merge_array, merge_layer
from attnviz.errors import InputError
from attnviz.observe.blocks import RowBlock, Site
from attnviz.observe.retained import WholeMaps
from attnviz.render.data.npz import write_npz
from attnviz.runs.plan import Size
from tests.captures import FACTS, axis, capture, layer, long_capture
from tests.models import tiny
from tests.observe.runs import ids, seen_by
from tests.zoo.shrink import build

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TOYS = (
    KeptArray(
        "toy",
        ("head", "query"),
        "the largest weight of the query",
        words={"query": "mean"},
    ),
    KeptArray(
        "toy_key",
        ("head", "query"),
        "the key that gets it",
        holds="key",
        dtype="int64",
        words={"query": "max"},
        group="toys",
    ),
    KeptArray(
        "toy_best",
        ("head",),
        "the query and key with the largest weight of all",
        holds=("query", "key", "weight"),
        words={},
        group="toys",
    ),
    KeptArray("toy.NAME", (), "a number of the layer", "number", dtype="int64", archived="no"),
)


@dataclass(frozen=True)
class Toy:
    """An observer as a plug-in writes it."""

    passes: int = 1

    def start(self, site: Site, device: torch.device) -> _Toy:
        return _Toy(len(site.heads), len(site.queries))


class _Toy:
    def __init__(self, heads: int, queries: int) -> None:
        self.weights = torch.zeros(heads, queries)
        self.keys = torch.zeros(heads, queries, dtype=torch.int64)

    def update(self, block: RowBlock, step: int) -> None:
        weights, keys = block.weights.max(dim=2)
        self.weights[:, block.start : block.stop] = weights
        self.keys[:, block.start : block.stop] = keys + block.first

    def result(self) -> Mapping[str, torch.Tensor | np.ndarray]:
        weight, query = self.weights.max(dim=1)
        key = self.keys.gather(1, query[:, None])[:, 0]
        best = torch.stack([query.float(), key.float(), weight], dim=1)
        return {
            "toy": self.weights,
            "toy_key": self.keys,
            "toy_best": best,
            "toy.size": np.array(7),
        }


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    """The toy arrays, in the table for one test."""
    monkeypatch.setattr(kept, "_arrays", dict(kept._arrays))
    for array in TOYS:
        register(array)


@pytest.fixture
def seen(toys: None) -> Capture:
    """Two layers of a real model, of 6 tokens behind 2 that are padding, with the toy arrays."""
    model = build("gpt2")
    mask = torch.tensor([[0, 0, 1, 1, 1, 1, 1, 1]])
    found = seen_by(model, {"input_ids": ids(1, 8), "attention_mask": mask},
                    lambda site: [WholeMaps(), Toy()])  # fmt: skip
    by_layer = {one.layer: worded(one) for [one] in (layer.kept for layer in found.layers)}
    return Capture(FACTS, {"self": AttentionStack("self", by_layer)})


def worded(layer: LayerAttention) -> LayerAttention:
    """The layer with words of two tokens each."""
    tokens = replace(layer.queries, words=(None, None, 0, 0, 1, 1, 2, 2))
    return replace(layer, queries=tokens, keys=tokens)


def archived(held: Capture) -> dict[str, np.ndarray]:
    file = io.BytesIO()
    heads = {n: held.main_stack.heads(n) for n in held.main_stack.layers}
    write_npz(held, {"self": heads}, file)
    with np.load(io.BytesIO(file.getvalue())) as found:
        return dict(found)


def first_kept(held: Capture) -> Mapping[str, np.ndarray]:
    return held.main_stack.layer(held.main_stack.layers[0]).kept


def test_arrays_of_others_are_saved_and_opened(seen: Capture, tmp_path: Path) -> None:
    seen.save(tmp_path / "a.safetensors", "uint8")
    again = open_capture(tmp_path / "a.safetensors")
    for number in seen.main_stack.layers:
        mine, its = (held.main_stack.layer(number).kept for held in (seen, again))
        for name in ("toy", "toy_key", "toy_best", "toy.size"):
            assert mine[name].dtype == its[name].dtype
            np.testing.assert_array_equal(mine[name], its[name])


@pytest.mark.parametrize(
    ("name", "wrong", "reason"),
    [
        ("toy", lambda values: values[:, 1:], r"toy of layer 0 has shape \(4, 7\)"),
        ("toy", lambda values: values.astype(np.int32), "toy of layer 0 holds int32"),
        ("toy_key", lambda values: values + 8, "toy_key of layer 0 names a key that does not"),
        ("toy_best", lambda values: values - 9, None),  # of no weight: they stand for nothing
        ("toy_best", lambda values: abs(values) + 8, "toy_best of layer 0 names a query that"),
        ("toy_best", None, "layer 0 has not all of toy_best, toy_key"),
        ("toy.size", lambda values: values[None], r"toy.size of layer 0 has shape \(1,\)"),
    ],
)  # fmt: skip
def test_arrays_of_others_are_checked(
    name: str, wrong: Any, reason: str | None, seen: Capture, tmp_path: Path
) -> None:
    first = seen.main_stack.layer(0)
    given = {n: value for n, value in first.kept.items() if n != name}
    if wrong is not None:
        given[name] = np.ascontiguousarray(wrong(first.kept[name]))
    stack = AttentionStack("self", {0: replace(first, kept=given)})
    replace(seen, stacks={"self": stack}).save(tmp_path / "a.safetensors")
    if reason is None:
        open_capture(tmp_path / "a.safetensors")
        return
    with pytest.raises(InputError, match=reason):
        open_capture(tmp_path / "a.safetensors")


def test_arrays_of_others_lose_padding(seen: Capture) -> None:
    before, after = first_kept(seen), first_kept(unpadded(seen))
    np.testing.assert_array_equal(after["toy"], before["toy"][:, 2:])
    np.testing.assert_array_equal(after["toy_key"], before["toy_key"][:, 2:] - 2)
    assert after["toy_key"].min() == 0
    real = before["toy_best"][:, 0] >= 2
    np.testing.assert_array_equal(
        after["toy_best"][real], before["toy_best"][real] - np.array([2, 2, 0], np.float32)
    )
    assert np.isnan(after["toy_best"][~real, :2]).all()
    assert after["toy.size"] == 7


def test_arrays_of_others_go_between_words(seen: Capture) -> None:
    whole = unpadded(seen).main_stack.layer(0)
    merged = merge_layer(whole).kept
    np.testing.assert_allclose(
        merged["toy"], whole.kept["toy"].reshape(4, 3, 2).mean(axis=2), rtol=1e-6
    )
    expected = whole.kept["toy_key"].reshape(4, 3, 2).max(axis=2) // 2
    np.testing.assert_array_equal(merged["toy_key"], expected)
    words = whole.kept["toy_best"] // np.array([2, 2, 1], np.float32)
    np.testing.assert_array_equal(merged["toy_best"][:, :2], words[:, :2])
    np.testing.assert_array_equal(merged["toy_best"][:, 2], whole.kept["toy_best"][:, 2])
    assert "toy.size" not in merged


def test_arrays_of_others_are_archived(seen: Capture) -> None:
    found, layers = archived(seen), seen.main_stack.by_layer
    for name, dtype in (("toy", np.float32), ("toy_key", np.int64), ("toy_best", np.float32)):
        assert found[f"self.{name}"].dtype == dtype
        expected = [layers[n].kept[name] for n in seen.main_stack.layers]
        np.testing.assert_array_equal(found[f"self.{name}"], expected)
    assert "self.toy.size" not in found


def test_arrays_of_others_count(toys: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with_toys = Size(4, 10, 20).scores
    monkeypatch.setattr(kept, "_arrays", {array.name: array for array in kept.HOUSE})
    assert with_toys - Size(4, 10, 20).scores == 4 * 10 * (4 + 8)


def test_what_nobody_knows_is_handed_on(tmp_path: Path) -> None:
    held = capture()
    by_layer = {n: replace(one, kept={**one.kept, "dream": np.arange(3)})
                for n, one in held.stacks["self"].by_layer.items()}  # fmt: skip
    held = replace(held, stacks={"self": AttentionStack("self", by_layer)})
    held.save(tmp_path / "a.safetensors")
    again = open_capture(tmp_path / "a.safetensors")
    np.testing.assert_array_equal(first_kept(again)["dream"], [0, 1, 2])
    assert "dream" not in merge_layer(again.main_stack.layer(0)).kept
    assert "self.dream" not in archived(again)
    padded = axis(padding=(False,) * 7 + (True,))
    short = replace(layer(0, padded, padded), kept={"dream": np.arange(8)})
    stack = AttentionStack("self", {0: short})
    assert first_kept(unpadded(replace(held, stacks={"self": stack})))["dream"].shape == (8,)


def test_a_name_stands_for_one_array(toys: None) -> None:
    register(TOYS[0])
    with pytest.raises(ValueError, match="is taken: toy"):
        register(replace(TOYS[0], meaning="another"))
    with pytest.raises(ValueError, match="is taken: weights"):
        register(KeptArray("weights", ("head",), "one number"))
    assert kept.table()[-len(TOYS) :] == TOYS


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"axes": ("query", "head")}, "head is not the first"),
        ({"axes": ("head", "query"), "words": {}}, "words are joined along"),
        ({"axes": ("head",), "words": {"key": "sum"}}, "words are joined along"),
        ({"axes": ("key", "query"), "words": {"query": "mean", "key": "sum"}}, "has them last"),
        ({"axes": ("head", "query"), "rounds": True}, "are (head, row, column)"),
        ({"axes": ("query",), "words": {"query": "strongest"}}, "are records"),
    ],
)  # fmt: skip
def test_entries_that_cannot_be(entry: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError) as caught:
        KeptArray("toy", meaning="a toy", **entry)
    assert reason in str(caught.value)


def test_names_are_looked_up() -> None:
    assert look_up("score.anything") is SCORE
    assert look_up("score.slash").group == "structure"
    assert look_up("scores") is look_up("score") is look_up("dream.of") is UNKNOWN
    for array in kept.table():
        assert array.meaning


@pytest.mark.parametrize("held", [capture(), capture(whole=False), long_capture()])
def test_all_arrays_of_captures_are_in_the_table(held: Capture) -> None:
    for stack in held.stacks.values():
        for one in stack.by_layer.values():
            for name, values in one.kept.items():
                assert len(look_up(name).shape) == values.ndim, name
                assert values.dtype.kind in look_up(name).kinds, name


@pytest.mark.parametrize("memory", ["1GiB", "48KiB"])
def test_all_arrays_of_a_run_are_in_the_table(memory: str, tmp_path: Path) -> None:
    model = attnviz.load(str(tiny.gpt2(tmp_path)))
    held = attnviz.capture(model, "the cat sat on the mat " * 8, memory=memory)
    assert ("weights" if memory == "1GiB" else "top_keys") in first_kept(held)
    for one in held.main_stack.by_layer.values():
        sizes = {"head": len(one.heads), "query": len(one.queries), "key": len(one.keys)}
        for name, values in one.kept.items():
            array = look_up(name)
            assert array is not UNKNOWN, name
            assert values.dtype == array.dtype, name
            sizes |= dict(zip(array.axes, values.shape, strict=False))
            assert array.nbytes(sizes) == values.nbytes, name


def test_the_bytes_of_an_array() -> None:
    sizes = {"head": 3, "query": 5, "key": 7}
    assert look_up("weights").nbytes(sizes) == 4 * 3 * 5 * 7
    assert look_up("links").nbytes(sizes) == 16 * 5
    assert look_up("top_keys").nbytes(sizes | {"top key": 2}) == 4 * 3 * 5 * 2
    assert look_up("window_at").nbytes({}) == 16
    assert kept.ALLOWED.nbytes(sizes) == 5 * 7


def test_keys_that_are_gone_are_named_no_more() -> None:
    new = {"query": np.array([0, 1, 2]), "key": np.array([-1, 0, 1, -1])}
    keys = np.array([[[0, 1, 3, -1, 9]]])
    np.testing.assert_array_equal(
        renumbered(keys, look_up("top_keys"), new), [[[-1, 0, -1, -1, -1]]]
    )
    heavy = np.array([[[2, 0.5], [0, 0.25], [np.nan, np.nan]]], np.float32)
    np.testing.assert_array_equal(
        renumbered(heavy, look_up("heavy_keys"), new),
        np.array([[[1, 0.5], [np.nan, 0.25], [np.nan, np.nan]]], np.float32),
    )
    assert heavy[0, 0, 0] == 2


def test_the_strongest_record_of_every_word_stays() -> None:
    links = np.array([[0, 1, 0.5, 0.2], [1, 3, 0.9, 0.4], *[[np.nan] * 4] * 2, [2, 2, 0.1, 0.1]])
    merged = merge_array(links, look_up("links"), ((0, 1), (2, 3), (4,)), ((0,), (1, 2), (3, 4)))
    np.testing.assert_array_equal(merged, [[1, 2, 0.9, 0.4], [np.nan] * 4, [2, 1, 0.1, 0.1]])
    array = KeptArray(
        "toy", ("head", "query"), "a toy", ("key", "share"), words={"query": "strongest"}
    )
    both = np.stack([links, links[::-1]])[..., [1, 3]]
    merged = merge_array(both, array, ((0, 1), (2, 3, 4)), ((0, 1, 2, 3),))
    np.testing.assert_array_equal(merged, [[[0, 0.4], [0, 0.1]], [[0, 0.1], [0, 0.4]]])
