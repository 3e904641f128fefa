"""A saved capture is read where it is touched, without a model's packages."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from attnviz.attention.capture import AttentionStack, Capture
from attnviz.attention.store.mapped import DTYPES, MappedArrays
from attnviz.attention.store.reader import open_capture
from tests.captures import FACTS, axis, capture, layer


def test_every_array_comes_back(tmp_path: Path) -> None:
    path, rng = tmp_path / "a.safetensors", np.random.default_rng(0)
    made = {name: (rng.random((3, 0 if name == "F16" else 5)) * 9).astype(dtype)
            for name, dtype in DTYPES.items()}  # fmt: skip
    save_file(made | {"none": np.float64(0.5)[...]}, path, metadata={"a": "b"})
    found = MappedArrays(path)
    assert found.metadata == {"a": "b"}
    assert set(found) == {*made, "none"}
    assert len(found) == len(made) + 1
    assert "some" not in found
    for name, value in load_file(path).items():
        np.testing.assert_array_equal(found[name], value)
        assert found[name].dtype == value.dtype


def test_what_is_written_into_an_array_stays_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"a": np.zeros(3, np.float32)}, path)
    before = path.read_bytes()
    found = MappedArrays(path)
    found["a"][1] = 5
    assert found["a"].tolist() == [0, 5, 0]
    assert path.read_bytes() == before


@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8"])
def test_only_what_is_touched_is_read(dtype: str, tmp_path: Path) -> None:
    """A layer of 8 heads and 256 tokens takes 2 MiB, one head a quarter."""
    path, tokens = tmp_path / "run.safetensors", axis([f"t{i}" for i in range(256)])
    maps = np.random.default_rng(0).random((8, 256, 256), np.float32)
    one = dataclasses.replace(layer(0, tokens, tokens), kept={"weights": maps})
    one = dataclasses.replace(one, heads=tuple(range(8)), n_heads=8)
    layers = {number: dataclasses.replace(one, layer=number) for number in range(6)}
    Capture(FACTS, {"self": AttentionStack("self", layers)}).save(path, dtype)
    open_capture(path)
    tracemalloc.start()
    opened = open_capture(path)
    head = opened.stacks["self"].weights(3, 5)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert np.asarray(head) == pytest.approx(maps[5], abs=0.002)
    assert peak < 1.2 * 2**20


def test_opening_and_drawing_need_no_torch(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    capture().save(path, "uint8")
    code = (
        "import sys, attnviz; from attnviz.views.build import build; "
        "build(attnviz.open(sys.argv[1])); attnviz.open(sys.argv[1]).save(sys.argv[1]); "
        "print([name for name in ('torch', 'transformers', 'matplotlib') if name in sys.modules])"
    )
    command = [sys.executable, "-c", code, str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]"
