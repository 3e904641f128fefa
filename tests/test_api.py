"""The public names, and what it takes to have them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import attnviz
from tests.captures import capture
from tests.observe.runs import ids
from tests.zoo.shrink import build


def test_every_public_name_is_there() -> None:
    for name in attnviz.__all__:
        assert getattr(attnviz, name).__doc__, name
    assert set(attnviz.__all__) == set(attnviz._HOMES)
    with pytest.raises(AttributeError, match="has no attribute 'attention_maps'"):
        _ = attnviz.attention_maps  # type: ignore[attr-defined]


HEAVY = ("torch", "transformers", "matplotlib", "numpy", "safetensors")


def imported(code: str) -> set[str]:
    """The heavy packages that this code imports, in a fresh interpreter."""
    script = f"{code}\nimport sys\nprint(*[n for n in {HEAVY!r} if n in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_importing_attnviz_imports_nothing_heavy() -> None:
    assert imported("import attnviz; attnviz.__version__; attnviz.AttnvizError") == set()


def test_a_saved_capture_opens_without_torch(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    capture().save(path)
    code = f"import attnviz; print(attnviz.open({str(path)!r}).stacks['self'].weights(0).shape)"
    found = imported(code)
    assert found & {"torch", "transformers", "matplotlib"} == set()
    assert {"(4,", "8,", "8)", "numpy"} <= found


def test_a_notebook_in_one_go(tmp_path: Path) -> None:
    """The lines of the documented API, on a model and its tensors."""
    found = attnviz.capture(build("llama"), {"input_ids": ids(1, 9)}, layers=[0, 1], heads=[0, 3])
    assert isinstance(found, attnviz.Capture)
    stack = found.stacks["self"]
    assert isinstance(stack, attnviz.AttentionStack)
    assert stack.layers == [0, 1]
    assert isinstance(stack.queries(layer=1), attnviz.Axis)
    weights = stack.weights(layer=1)
    assert weights.shape == (2, 9, 9)
    assert weights.dtype == np.float32
    np.testing.assert_array_equal(weights, np.tril(weights))
    np.testing.assert_array_equal(stack.weights(layer=1, head=3), weights[1])
    entropy = found.scores["self"]["entropy"]
    assert entropy.shape == (2, 4)
    assert np.isnan(entropy).tolist() == [[False, True, True, False]] * 2
    found.save(tmp_path / "run.safetensors")
    again = attnviz.open(tmp_path / "run.safetensors")
    np.testing.assert_array_equal(again.stacks["self"].weights(1), weights)
    np.testing.assert_array_equal(again.scores["self"]["entropy"], entropy)


def test_errors_are_of_one_family() -> None:
    with pytest.raises(attnviz.AttnvizError) as caught:
        attnviz.capture(build("llama"), {"input_ids": ids(1, 5)}, layers=[9])
    assert caught.value.exit_code == 1
    assert str(caught.value).startswith(caught.value.message)
    with pytest.raises(attnviz.AttnvizError):
        attnviz.open("nowhere.safetensors")
