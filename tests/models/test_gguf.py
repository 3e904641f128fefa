"""Models in a GGUF file: the same attention as that of the same weights as safetensors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import transformers

import attnviz
from attnviz.errors import ModelError
from attnviz.models import gguf as files
from attnviz.models.load import load
from tests.models import gguf_file
from tests.models.adapters import cached

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def written(folder: Callable[[str], Path], tmp_path: Path) -> Path:
    """The tiny Llama as `tmp_path/named/tiny.gguf`."""
    (tmp_path / "named").mkdir()
    model = transformers.AutoModelForCausalLM.from_pretrained(folder("llama"))
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder("llama"))
    return gguf_file.write(tmp_path / "named" / "tiny.gguf", model, tokenizer)


def test_a_gguf_file_attends_as_its_safetensors(
    written: Path, folder: Callable[[str], Path]
) -> None:
    loaded = load(str(written))
    found = attnviz.capture(loaded, "the cat sat")
    assert found.notes == ("read from tiny.gguf: its weights are dequantized to float32",)
    assert (found.model.name, found.model.architecture) == ("tiny.gguf", "LlamaForCausalLM")
    ids = loaded.tokenizer("the cat sat", return_tensors="pt").input_ids
    assert loaded.tokenizer.decode(ids[0]) == "<s> the cat sat"
    expected = attnviz.capture(load(str(folder("llama"))), {"input_ids": ids})
    for layer in range(3):
        one, two = (c.stacks["self"].weights(layer) for c in (found, expected))
        np.testing.assert_allclose(one, two, atol=1e-6)
    assert np.abs(one - one.mean(axis=0)).max() > 1e-3


def test_a_folder_or_repository_with_one_gguf_file(written: Path, tmp_path: Path) -> None:
    cached(tmp_path / "hf" / "hub", "org/tiny", written.parent)
    for name in (str(written.parent), "org/tiny", "org/tiny/tiny.gguf"):
        assert load(name).facts.name == "tiny.gguf"
    (written.parent / "more.gguf").write_bytes(b"")
    cached(tmp_path / "hf" / "hub", "org/two", written.parent)
    with pytest.raises(ModelError, match=r"2 GGUF files: more\.gguf, tiny\.gguf") as error:
        load("org/two")
    assert error.value.hint == "-m org/two/more.gguf"
    assert load("org/two/tiny.gguf").facts.revision == "0123456"


def test_gguf_files_that_cannot_be_read(
    written: Path, folder: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = transformers.AutoModelForCausalLM.from_pretrained(folder("llama"))
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder("llama"))
    other = gguf_file.write(written.parent / "other.gguf", model, tokenizer, "bert")
    with pytest.raises(ModelError, match="does not read from GGUF: bert") as error:
        load(str(other))
    assert "llama" in error.value.hint
    other.write_bytes(written.read_bytes()[:5000])
    with pytest.raises(ModelError, match=r"other\.gguf cannot be loaded"):
        load(str(other))
    monkeypatch.setattr(files, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match="needs the package gguf") as error:
        load(str(written))
    assert error.value.hint == "pip install 'attnviz[gguf]'"
