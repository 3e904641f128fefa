"""Many texts: checked first, tokenized once, held as numbers until their run."""

from __future__ import annotations

import gc
import tracemalloc
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import attnviz
from attnviz.cli.source import LoadRequest, Source, captures
from attnviz.cli.talk import Talk
from attnviz.errors import SelectionError
from attnviz.inputs.encode import encode_batch
from attnviz.inputs.text import Text
from attnviz.runs import batch as module
from attnviz.runs.batch import Batch, batches, prepare, run_batch
from attnviz.runs.request import RunRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from attnviz.inputs.encode import ModelInputs
    from attnviz.models.loaded import LoadedModel

WORDS = ["the", "cat", "sat", "on", "the", "mat", "it", "was", "tired"]


def lines(count: int) -> Iterator[Text]:
    """Texts of one to nine words."""
    for number in range(count):
        yield Text(" ".join(WORDS[: 1 + number % 9]), where=f"texts.txt:{number + 1}")


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Callable[[LoadedModel], list[str]]:
    """A list of what the model's tokenizer is given from now on."""

    def counting(loaded: LoadedModel) -> list[str]:
        given: list[str] = []
        kind = type(loaded.tokenizer)
        real = kind.__call__

        def noted(self: Any, text: str, *args: Any, **options: Any) -> Any:
            given.append(text)
            return real(self, text, *args, **options)

        monkeypatch.setattr(kind, "__call__", noted)
        return given

    return counting


@pytest.mark.parametrize("size", [1, 3, 20])
@pytest.mark.parametrize("name", ["bert", "gpt2", "t5"])
def test_no_text_is_tokenized_twice(
    loaded: Callable[[str], LoadedModel],
    reads: Callable[[LoadedModel], list[str]],
    name: str,
    size: int,
) -> None:
    model, request = loaded(name), RunRequest(batch_size=size)
    given = reads(model)
    ready = prepare(model, lines(7), request)
    assert given == [text.text for text in lines(7)]
    found = [capture.text for batch in ready for capture in run_batch(model, batch, request)]
    assert found == given
    assert len(given) == 7


def test_a_target_is_tokenized_once_too(
    loaded: Callable[[str], LoadedModel], reads: Callable[[LoadedModel], list[str]]
) -> None:
    model, request = loaded("t5"), RunRequest(batch_size=2)
    given = reads(model)
    texts = [Text(word, target=f"{word} too") for word in WORDS[:3]]
    for batch in prepare(model, texts, request):
        run_batch(model, batch, request)
    assert given == [part for word in WORDS[:3] for part in (word, f"{word} too")]


def test_a_text_that_is_cut_is_read_once_more(
    loaded: Callable[[str], LoadedModel], reads: Callable[[LoadedModel], list[str]]
) -> None:
    model = loaded("bert")
    given = reads(model)
    [batch] = prepare(model, [Text("the cat " * 100)], RunRequest(truncate=True))
    assert batch.texts[0].notes[0].startswith("the text was cut to ")
    assert len(given) == 2


def test_waiting_texts_take_few_bytes(loaded: Callable[[str], LoadedModel]) -> None:
    """Twenty a token and some hundred a text; as inputs of a model they would take many more."""
    model = loaded("gpt2")
    texts = [Text(" ".join(WORDS * 3), where=f"texts.txt:{number}") for number in range(300)]
    prepare(model, texts[:2], RunRequest())
    tracemalloc.start()
    try:
        ready = prepare(model, texts, RunRequest())
        gc.collect()
        held, peak = tracemalloc.get_traced_memory()
        inputs = [batch.inputs(model) for batch in ready[:50]]
        gc.collect()
        whole = (tracemalloc.get_traced_memory()[0] - held) / len(inputs)
    finally:
        tracemalloc.stop()
    each = held / len(ready)
    assert each < 700 + 20 * ready[0].tokens
    assert whole > 3 * each
    assert peak - held < 100 * whole  # what the garbage collector has not yet taken


def test_the_first_result_comes_before_the_last_text_is_run(
    folder: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[str] = []
    real = module.run

    def noted(loaded: LoadedModel, inputs: ModelInputs, request: RunRequest) -> Any:
        runs.append(inputs.text)
        return real(loaded, inputs, request)

    monkeypatch.setattr(module, "run", noted)
    path = tmp_path / "texts.txt"
    path.write_text("".join(f"{text.text}\n" for text in lines(5)), encoding="utf-8")
    source = Source(None, None, path, None, None)
    load = LoadRequest(str(folder("bert")), "cpu", "auto", None, False, True)
    found = captures(source, load, RunRequest(batch_size=2), Talk(True))
    assert next(found).text == "the"
    assert runs == ["the"]
    assert len([*found]) == 4
    assert runs == ["the", "the cat sat", "the cat sat on the"]


def test_what_a_late_text_lacks_is_told_before_the_first_run(
    loaded: Callable[[str], LoadedModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "run", None)
    request = RunRequest(attnviz.Selection(query="cat"), batch_size=2)
    with pytest.raises(SelectionError, match=r"^texts.txt:10: --query cat: no token or word"):
        prepare(loaded("bert"), [*lines(10)][1:], request)


def test_neighbours_of_one_form_are_run_together() -> None:
    texts = [Text("a"), Text("b"), Text("c", pair="d"), Text("e"), Text("f", source_lang="de")]
    assert [[text.text for text in batch] for batch in batches(texts, 2)] == [
        ["a", "b"],
        ["c"],
        ["e"],
        ["f"],
    ]
    assert [len(batch) for batch in batches(lines(7), 3)] == [3, 3, 1]


@pytest.mark.parametrize("name", ["bert", "gpt2", "t5", "bart"])
def test_a_batch_gives_the_inputs_of_its_texts(
    loaded: Callable[[str], LoadedModel], name: str
) -> None:
    model = loaded(name)
    for size in (1, 4):
        [batch] = prepare(model, lines(size), RunRequest(batch_size=4))
        assert isinstance(batch, Batch)
        inputs = batch.inputs(model)
        other = encode_batch(model, [*lines(size)], side="right" if size > 1 else None)
        assert (inputs.sources, inputs.targets) == (other.sources, other.targets)
        assert (inputs.texts, inputs.notes) == (other.texts, other.notes)
        for key, value in other.tensors.items():
            np.testing.assert_array_equal(inputs.tensors[key], value)
