"""What cannot be loaded, and what is said about it."""

from __future__ import annotations

import shutil
import socket
import time
from typing import TYPE_CHECKING

import pytest
import torch
import transformers

from attnviz.errors import ModelError
from attnviz.models.find import hub
from attnviz.models.load import load
from tests.models import tiny

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "gpu"}, "'gpu' is not a device"),
        ({"device": "cuda:x"}, "not a device"),
        ({"dtype": "int8"}, "not a dtype"),
        ({"revision": "main"}, "no revisions"),
    ],
)
def test_refused_options(
    folder: Callable[[str], Path], options: dict[str, str], message: str
) -> None:
    with pytest.raises(ModelError, match=message) as error:
        load(str(folder("bert")), **options)  # type: ignore[arg-type]
    assert error.value.hint


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_absent_gpu(folder: Callable[[str], Path], device: str) -> None:
    with pytest.raises(ModelError, match=f"{device} is not available"):
        load(str(folder("bert")), device=device)


def test_weights_of_another_model(
    copy: Callable[[str], Path], folder: Callable[[str], Path]
) -> None:
    path = copy("bert")
    shutil.copy(folder("gpt2") / "model.safetensors", path / "model.safetensors")
    with pytest.raises(ModelError, match="do not belong to BertForMaskedLM"):
        load(str(path))


def test_weights_of_another_size(copy: Callable[[str], Path]) -> None:
    path = copy("bert")
    tiny.edit(path, hidden_size=64)
    with pytest.raises(ModelError, match=r"do not fit its config\.json"):
        load(str(path))


@pytest.mark.parametrize("damage", ["empty", "cut", "noise"])
def test_damaged_weights(copy: Callable[[str], Path], damage: str) -> None:
    weights = copy("bert") / "model.safetensors"
    data = weights.read_bytes()
    weights.write_bytes(
        {"empty": b"", "cut": data[: len(data) // 2], "noise": b"\xff" * 99}[damage]
    )
    with pytest.raises(ModelError, match=r"weights of .* are damaged"):
        load(str(weights.parent))


def test_damaged_pickled_weights(copy: Callable[[str], Path]) -> None:
    path = copy("bert")
    (path / "model.safetensors").unlink()
    (path / "pytorch_model.bin").write_bytes(b"not a checkpoint")
    with pytest.raises(ModelError, match="damaged"):
        load(str(path))


def test_no_weights(copy: Callable[[str], Path]) -> None:
    path = copy("bert")
    (path / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="holds no weights"):
        load(str(path))


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
def test_damaged_json(copy: Callable[[str], Path], name: str) -> None:
    path = copy("bert")
    (path / name).write_text("{ nope")
    with pytest.raises(ModelError, match="damaged"):
        load(str(path))


def test_unknown_kind_of_model(copy: Callable[[str], Path]) -> None:
    path = copy("bert")
    tiny.edit(path, model_type="from-the-future")
    with pytest.raises(ModelError, match="does not know: from-the-future"):
        load(str(path))
    tiny.edit(path, model_type=None)
    with pytest.raises(ModelError, match="does not say which model"):
        load(str(path))


def test_unforeseen_errors_say_what_was_raised(
    folder: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object, **options: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(transformers.AutoConfig, "from_pretrained", broken)
    with pytest.raises(
        ModelError, match="bert cannot be loaded: ZeroDivisionError: a bug"
    ) as error:
        load(str(folder("bert")))
    assert "ATTNVIZ_DEBUG=1" in error.value.hint
    assert isinstance(error.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
    ],
)
def test_too_big_for_memory(
    folder: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def big(*args: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(transformers.BertForMaskedLM, "from_pretrained", big)
    with pytest.raises(ModelError, match="does not fit into memory"):
        load(str(folder("bert")))


@pytest.mark.parametrize("package", ["sentencepiece", "tiktoken", "protobuf"])
def test_missing_tokenizer_package(
    folder: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    def poor(*args: object, **options: object) -> None:
        raise ImportError(f"this tokenizer requires the {package} library but it was not found")

    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", poor)
    with pytest.raises(ModelError, match=f"needs the package {package}") as error:
        load(str(folder("bert")))
    assert error.value.hint == f"pip install {package}"


def test_offline_and_not_cached() -> None:
    start = time.perf_counter()
    with pytest.raises(ModelError, match="not in the local cache") as error:
        load("org/nothing")
    assert "hf download org/nothing" in error.value.hint
    assert time.perf_counter() - start < 2


def test_unreachable_hub_fails_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{port}")
    start = time.perf_counter()
    with pytest.raises(ModelError, match="not in the local cache and the Hub cannot be reached"):
        load("org/nothing")
    assert time.perf_counter() - start < 2


def test_silent_hub_is_given_up_on() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        start = time.perf_counter()
        assert not hub.reachable(f"http://127.0.0.1:{silent.getsockname()[1]}", seconds=0.3)
        assert time.perf_counter() - start < 2
    assert not hub.reachable("file:///etc")
