"""Rounded maps: the stated error bounds every weight, and the picture says it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from attnviz.attention.capture import AttentionStack, Capture
from attnviz.attention.kept import look_up
from attnviz.attention.store.reader import open_capture
from attnviz.attention.store.rounded import rounded, rounding_note, upward
from attnviz.errors import OutputError
from tests.captures import capture

SHAPES = arrays.array_shapes(min_dims=3, max_dims=3, min_side=0, max_side=6)
MAPS = arrays.arrays(np.float32, SHAPES, elements=st.floats(0, 2, width=32))


@settings(max_examples=200, deadline=None)
@given(MAPS, st.sampled_from(["float16", "uint8"]))
def test_no_weight_is_off_by_more_than_the_stated_error(maps, dtype):
    found = rounded(maps, dtype)
    assert found is not None
    coded, error = found
    back = np.asarray(coded)
    assert back.dtype == np.float32
    assert back.shape == maps.shape
    off = np.abs(back.astype(np.float64) - maps)
    assert off.max(initial=0) == error <= float(upward(error))
    assert (back[maps == 0] == 0).all()
    if dtype == "uint8" and maps.size:
        np.testing.assert_array_equal(back.max(axis=-1), maps.max(axis=-1))
        half = maps.max(axis=-1, keepdims=True).astype(np.float64) / 510
        assert (off <= half * (1 + 1e-4) + 1e-37).all()
    again, more = rounded(coded, dtype)
    assert more == 0
    np.testing.assert_array_equal(np.asarray(again), back)


def test_levels_and_halves_in_closed_form():
    maps = np.array([[[0, 0.1, 0.25, 0.5], [0, 0, 0, 0], [1 / 510, 1.4 / 255, 1.6 / 255, 1]]])
    levels, error = rounded(maps.astype(np.float32), "uint8")
    assert levels.values[0].tolist() == [[0, 51, 128, 255], [0, 0, 0, 0], [0, 1, 2, 255]]
    assert levels.scale.tolist() == [[0.5, 0, 1]]
    assert error == pytest.approx(0.5 / 255, rel=1e-5)
    third, error = rounded(np.full((1, 1, 3), 1 / 3, np.float32), "float16")
    assert third[0, 0].tolist() == [float(np.float16(1 / 3))] * 3
    assert error == pytest.approx(abs(float(np.float16(1 / 3)) - 1 / 3), rel=1e-3)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -0.5, 70000.0])
@pytest.mark.parametrize("dtype", ["float16", "uint8"])
def test_what_cannot_be_rounded_stays(bad, dtype):
    maps = np.full((2, 3, 3), 0.5, np.float32)
    maps[1, 2, 0] = bad
    assert rounded(maps, dtype) is None
    assert rounded(maps[:1], dtype) is not None
    assert rounded(maps[:1], "float32") is None


def test_it_acts_as_the_array_it_decodes_to():
    maps = np.random.default_rng(1).dirichlet(np.ones(5), (3, 4)).astype(np.float32)
    for dtype in ("float16", "uint8"):
        coded = rounded(maps, dtype)[0]
        whole = np.asarray(coded)
        slices = slice(0, 2), slice(1, None), slice(None, None, 2)
        for index in (1, -1, (2, 3), (0, 1, 4), (1, [0, 2]), ..., [2, 0], slices, whole > 0.2):
            np.testing.assert_array_equal(coded[index], whole[index])
            assert coded[index].dtype == np.float32
        assert (coded.shape, coded.ndim, coded.size) == (whole.shape, whole.ndim, whole.size)
        assert len(coded) == 3
        np.testing.assert_array_equal(coded.mean(axis=0), whole.mean(axis=0))
        np.testing.assert_array_equal(2 * coded - coded, 2 * whole - whole)
        np.testing.assert_array_equal(np.add.reduceat(coded, [0, 2], axis=-1),
                                      np.add.reduceat(whole, [0, 2], axis=-1))  # fmt: skip
        assert np.asarray(coded, np.float64).dtype == np.float64
        assert not hasattr(coded, "_nothing")


ERRORS = {0: "0", 0.0019: "0.0019", 0.00191: "0.002", 0.5: "0.5", 0.999: "1", 2.4e-5: "2.4e-05"}


@pytest.mark.parametrize(("value", "text"), ERRORS.items())
def test_errors_are_written_upwards(value, text):
    assert upward(value) == text
    assert float(upward(value)) >= value


def largest_error(made: Capture, path: Path) -> float:
    """How far the weights in the file are off."""
    stack, read = made.stacks["self"], open_capture(path).stacks["self"]
    return max(float(np.abs(read.weights(n) - stack.weights(n)).max()) for n in stack.layers)


def notes_after(made: Capture, path: Path, *dtypes: str) -> tuple[str, ...]:
    for dtype in dtypes:
        made.save(path, dtype)
        made = open_capture(path)
    return made.notes


def test_the_note_is_made_once_and_stays(tmp_path):
    made, path = dataclasses.replace(capture(), notes=("cut",)), tmp_path / "a.safetensors"
    assert notes_after(made, path, "float32") == ("cut",)
    cut, note = notes_after(made, path, "uint8")
    assert note == rounding_note({"to": ["uint8"], "by": largest_error(made, path)})
    assert note.startswith("maps were rounded to uint8: weights are off by up to 0.00")
    assert notes_after(made, path, "uint8", "uint8") == (cut, note)
    assert notes_after(made, path, "uint8", "float32") == (cut, note)
    both = notes_after(made, path, "uint8", "float16")
    assert both[0] == cut
    assert both[1].startswith("maps were rounded to uint8 and float16: ")
    assert len(both) == 2
    assert largest_error(made, path) <= open_capture(path).plan["rounding"]["by"]


def test_all_but_the_maps_comes_back_exactly(tmp_path):
    for made in (capture(causal=True), capture(whole=False)):
        made.save(tmp_path / "a.safetensors", "uint8")
        again = open_capture(tmp_path / "a.safetensors")
        for number, one in made.stacks["self"].by_layer.items():
            other = again.stacks["self"].by_layer[number]
            for name, value in one.kept.items():
                near = 0.002 if look_up(name).rounds else 0
                np.testing.assert_allclose(np.asarray(other.kept[name]), value, atol=near, rtol=0)


def test_a_layer_with_nan_stays_as_it_is(tmp_path):
    made = capture()
    made.stacks["self"].by_layer[1].kept["weights"][0, 0, 0] = np.nan
    made.save(tmp_path / "a.safetensors", "uint8")
    stack = open_capture(tmp_path / "a.safetensors").stacks["self"]
    np.testing.assert_array_equal(stack.weights(1), made.stacks["self"].weights(1))
    assert [stack.by_layer[n].kept["weights"].values.dtype for n in (0, 1)] == ["u1", "f4"]


def test_maps_that_lose_nothing_need_no_note(tmp_path):
    one = capture().stacks["self"].by_layer[0]
    kept = {"weights": np.tile(np.eye(8, dtype=np.float32), (4, 1, 1))}
    layers = {0: dataclasses.replace(one, kept=kept)}
    made = Capture(capture().model, {"self": AttentionStack("self", layers)})
    assert notes_after(made, tmp_path / "a.safetensors", "uint8") == ()


def test_other_dtypes_are_refused(tmp_path):
    with pytest.raises(OutputError, match="cannot be stored as int4"):
        capture().save(tmp_path / "a.safetensors", "int4")
    assert list(tmp_path.iterdir()) == []
