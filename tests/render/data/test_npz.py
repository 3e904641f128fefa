"""Weights as a NumPy archive: what stands in it, and that it is the same every time."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest

from attnviz.attention.capture import AttentionStack
from attnviz.errors import CaptureError
from attnviz.render.data.npz import write_npz
from tests.captures import FACTS, axis, capture, layer, translation


def everything(held):
    return {
        name: {number: stack.heads(number) for number in stack.layers}
        for name, stack in held.stacks.items()
    }


def archived(held, wanted=None):
    file = io.BytesIO()
    write_npz(held, wanted or everything(held), file)
    file.seek(0)
    with np.load(file, allow_pickle=False) as found:
        return dict(found)


def test_a_stack_is_one_array():
    held = capture(["a", "b", "c", "d"], causal=True)
    found = archived(held)
    stack = held.stacks["self"]
    assert found["schema"] == 1
    assert found["axes"].tolist() == ["layer", "head", "query", "key"]
    assert found["self"].dtype == np.float32
    assert found["self"].shape == (3, 4, 4, 4)
    for number in stack.layers:
        np.testing.assert_array_equal(found["self"][number], stack.weights(number))
        np.testing.assert_array_equal(found["self.allowed"][number], stack.allowed(number))
    assert found["self.layers"].tolist() == [0, 1, 2]
    assert found["self.heads"].tolist() == [0, 1, 2, 3]
    assert found["self.queries"].tolist() == found["self.keys"].tolist() == ["a", "b", "c", "d"]
    np.testing.assert_array_equal(found["self.score.content"], stack.score("content"))
    assert str(found["text"]) == held.text
    assert str(found["model"]) == "tiny-bert"


def test_every_stack_has_its_own_tokens():
    found = archived(translation())
    assert found["cross"].shape == (2, 4, 5, 6)
    assert found["cross.queries"].tolist()[1] == "▁Haus"
    assert found["cross.keys"].tolist()[1] == "▁house"
    assert found["encoder"].shape == (2, 4, 6, 6)
    assert str(found["target"]) == "Das Haus ist wunderbar."
    assert str(found["revision"]) == "0123456789abcdef"


def test_only_the_wanted_heads_in_their_order():
    held = capture()
    found = archived(held, {"self": {2: (3, 1), 0: (3, 1)}})
    assert found["self.layers"].tolist() == [2, 0]
    assert found["self.heads"].tolist() == [3, 1]
    expected = [[held.stacks["self"].weights(n, h) for h in (3, 1)] for n in (2, 0)]
    np.testing.assert_array_equal(found["self"], expected)
    assert found["self.score.sink"].shape == (2, 2)


def test_special_tokens_and_padding_are_marked():
    tokens = axis(["[CLS]", "a", "b", "[PAD]"], padding=(False, False, False, True))
    stacks = {"self": AttentionStack("self", {0: layer(0, tokens, tokens)})}
    found = archived(replace(capture(), stacks=stacks))
    assert found["self.key_special"].tolist() == [True, False, False, True]
    assert found["self.query_padding"].tolist() == [False, False, False, True]
    assert not found["self.allowed"][..., 3].any()


def test_layers_that_differ_stand_alone():
    words, longer = axis(["a", "b"]), axis(["memory", "a", "b"])
    layers = {0: layer(0, words, words), 4: layer(4, words, longer)}
    held = replace(capture(), stacks={"self": AttentionStack("self", layers)})
    found = archived(held)
    assert "self" not in found
    assert found["self/L0"].shape == (1, 4, 2, 2)
    assert found["self/L4"].shape == (1, 4, 2, 3)
    assert found["self/L4.keys"].tolist() == ["memory", "a", "b"]
    assert found["self/L4.layers"].tolist() == [4]
    np.testing.assert_array_equal(found["self/L4"][0], layers[4].kept["weights"])
    uneven = archived(capture(), {"self": {0: (0, 1), 1: (2,)}})
    assert uneven["self/L0"].shape == (1, 2, 8, 8)
    assert uneven["self/L1.heads"].tolist() == [2]


def test_pooled_maps_say_what_they_are():
    held = capture([f"t{i}" for i in range(10)], whole=False)
    found = archived(held)
    assert "self" not in found
    assert "self.allowed" not in found
    assert found["self.pooled"].shape == (3, 4, 4, 4)
    assert (
        found["self.query_edges"].tolist() == found["self.key_edges"].tolist() == [0, 3, 5, 8, 10]
    )
    kept = held.stacks["self"].by_layer[1].kept
    np.testing.assert_allclose(found["self.pooled"][1], kept["pooled"], rtol=1e-6)
    np.testing.assert_allclose(found["self.pooled_max"][1], kept["pooled_max"], rtol=1e-6)
    np.testing.assert_array_equal(found["self.pooled_cells"][1], kept["pooled_cells"])
    np.testing.assert_array_equal(found["self.score.first"][1], kept["score.first"])
    assert found["self.top_keys"].dtype == np.int32
    np.testing.assert_array_equal(found["self.top_keys"][1], kept["top_keys"])
    np.testing.assert_allclose(found["self.top_weights"][1], kept["top_weights"], rtol=1e-6)


@pytest.mark.parametrize("whole", [True, False])
def test_what_holds_maps_together_stands_beside_them(whole):
    words = axis([f"t{i}" for i in range(6)])
    made = np.arange(4 * 3 * 2, dtype=np.float32).reshape(4, 3, 2)
    layers = {
        n: replace(one, kept={**one.kept, "heavy_keys": made + n, "slashes": made * n})
        for n, one in ((n, layer(n, words, words, whole=whole)) for n in range(2))
    }
    held = replace(capture(), stacks={"self": AttentionStack("self", layers)})
    found = archived(held, {"self": {1: (3, 2), 0: (3, 2)}})
    np.testing.assert_array_equal(found["self.heavy_keys"], [made[[3, 2]] + 1, made[[3, 2]]])
    np.testing.assert_array_equal(found["self.slashes"], [made[[3, 2]], made[[3, 2]] * 0])
    assert "self.heavy_keys" not in archived(capture())


def test_whole_and_pooled_layers_stand_apart():
    words = axis(["a", "b", "c", "d"])
    layers = {0: layer(0, words, words), 1: layer(1, words, words, whole=False)}
    found = archived(replace(capture(), stacks={"self": AttentionStack("self", layers)}))
    assert found["self/L0"].shape == found["self/L1.pooled"].shape == (1, 4, 4, 4)
    assert "self/L1" not in found


def test_a_layer_without_maps_is_refused():
    words = axis(["a", "b"])
    bare = replace(layer(2, words, words), kept={"score.first": np.zeros(4)})
    held = replace(capture(), stacks={"self": AttentionStack("self", {2: bare})})
    with pytest.raises(CaptureError, match="no map of layer 2"):
        archived(held)


def test_any_label_and_note_comes_back():
    tokens = axis(["\ud83d", "nul\0", "", "日本", "\n"])
    stacks = {"self": AttentionStack("self", {0: layer(0, tokens, tokens)})}
    held = replace(capture(), stacks=stacks, notes=("cut", "rounded"), text="a\ud800")
    found = archived(held)
    assert found["self.keys"].tolist() == ["\\ud83d", r"nul\x00", "", "日本", "\n"]
    assert found["notes"].tolist() == ["cut", "rounded"]
    assert str(found["text"]) == "a\\ud800"


class Pipe(io.RawIOBase):
    """A file that cannot go back."""

    def __init__(self):
        self.content = b""

    def writable(self):
        return True

    def write(self, data):
        self.content += bytes(data)
        return memoryview(data).nbytes


def test_the_bytes_are_the_same_every_time(monkeypatch, tmp_path):
    held = translation()
    first, second, pipe = io.BytesIO(), io.BytesIO(), Pipe()
    write_npz(held, everything(held), first)
    monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)
    write_npz(held, everything(held), second)
    assert first.getvalue() == second.getvalue()
    write_npz(held, everything(held), pipe)
    with np.load(io.BytesIO(pipe.content)) as found:
        assert found["cross"].shape == (2, 4, 5, 6)


@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8"])
def test_a_saved_capture_gives_the_same(dtype, tmp_path):
    import attnviz

    held = replace(capture(), model=FACTS)
    held.save(tmp_path / "a.safetensors", dtype)
    opened = attnviz.open(tmp_path / "a.safetensors")
    found, expected = archived(opened), archived(held)
    assert list(found) == list(expected)
    assert found["self"] == pytest.approx(expected["self"], abs=0.002)
    assert found["notes"].tolist() == list(opened.notes)
