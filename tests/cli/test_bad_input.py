"""Bad input gives exit code 1 (2 for usage), one plain error, and nothing on stdout."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Result

TEXT = "the cat"


@pytest.mark.parametrize(
    ("name", "said", "hint"),
    [
        ("./nowhere", "./nowhere does not exist", "config.json"),
        ("/", "/ is a folder without config.json", "save_pretrained"),
        (__file__, "is a file, not a model", "folder"),
        ("sample:none", "sample:none is not a bundled sample", "sample:sentiment"),
        ("two words", "neither a folder that exists nor a Hub id", "gpt2"),
        ("nobody/nothing", "nothing is fetched while offline", "hf download nobody/nothing"),
    ],
)
def test_no_model(refused: Callable[..., str], name: str, said: str, hint: str) -> None:
    for command in (["inspect", TEXT, "-m", name], ["check", name]):
        err = refused(1, *command)
        assert said in err.splitlines()[0]
        assert hint in err.splitlines()[1]


def test_offline_option(refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    err = refused(1, "inspect", TEXT, "-m", "nobody/nothing", "--offline")
    assert "nobody/nothing is not in the local cache" in err


def test_damaged_weights(refused: Callable[..., str], copy: Callable[[str], Path]) -> None:
    weights = copy("bert") / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:500])
    err = refused(1, "inspect", TEXT, "-m", weights.parent)
    assert f"the weights of {weights.parent} are damaged" in err


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--layer", "9"], 1, "layer 9 does not exist: bert has layers 0-1"),
        (["--layer", "-3"], 1, "layer -3 does not exist: bert has layers 0-1"),
        (["--layer", "0-7"], 1, "layer 7 does not exist: bert has layers 0-1"),
        (["--head", "4"], 1, "head 4 does not exist: bert has heads 0-3"),
        (["--head", "L2H0"], 1, "layer 2 does not exist: bert has layers 0-1"),
        (["--head", "L1H4"], 1, "head 4 does not exist: bert has heads 0-3"),
        (["--stack", "cross"], 1, "stack cross does not exist: bert has self"),
        (["--query", "dog"], 1, "--query dog: no token or word of the text reads so"),
        (["--key", "cat#2"], 1, "--key cat#2 does not exist: cat occurs once"),
        (["--query", "99"], 1, "--query 99 does not exist: there are tokens 0-3"),
        (["--layer", "x"], 2, "--layer x is no number and no range"),
        (["--layer", ""], 2, "--layer  is no number and no range"),
        (["--layer", "1-0"], 2, "--layer 1-0: the range 1-0 runs backwards"),
        (["--head", "L1"], 2, "'L1' does not name a layer and a head"),
        (["--head", "L1H2,3"], 2, "'3' does not name a layer and a head"),
        (["--layer", "0", "--head", "L1H2"], 2, "contradict each other"),
        (["--query", " "], 2, "--query is empty"),
        (["--memory", "lots"], 2, "--memory lots is no size"),
        (["--target", "die katze"], 1, "bert takes no target"),
        (["--revision", "main"], 1, "bert has no revisions: it is a folder"),
        (["--device", "gpu"], 1, "'gpu' is not a device"),
        (["--bos"], 1, "has no beginning-of-sequence token"),
        (["--view", "pie"], 2, "--view pie is no view"),
        (["--view", "arcs"], 2, "--view arcs is for pictures and data"),
        (["--view", "query"], 2, "--view query is about one token"),
        (["--view", "matrix", "--query", "cat"], 2, "shows scores of whole heads"),
        (["--view", "table", "-o", "x.png"], 2, "--view has no effect on .png"),
        (["--scale", "cubic"], 2, "'cubic' is not one of 'linear'"),
        (["--dtype", "int8"], 2, "'int8' is not one of 'auto'"),
        (["--color", "red"], 2, "'red' is not one of 'auto', 'always', 'never'"),
        (["--width", "5"], 2, "invalid value for '--width': must be greater than or equal to 20"),
        (["--width", "wide"], 2, "invalid value for '--width': must be a valid integer"),
        (["--top", "0"], 2, "invalid value for '--top': must be greater than or equal to 1"),
        (["--layer"], 2, "option '--layer' requires an argument"),
        (["--nope"], 2, "no such option: --nope"),
        (["second", "third"], 2, "unexpected extra arguments (second third)"),
        (["-o", "out.gif"], 2, ".gif is no format that attnviz writes"),
        (["-o", "out"], 2, "no suffix is no format that attnviz writes"),
        (["--json", "--format", "csv"], 2, "--json and --format csv exclude each other"),
        (["-o", "out.csv", "--json"], 2, "-o out.csv and --json contradict each other"),
        (["-o", f"{__file__}/out.txt"], 1, "is no folder"),
        (["-o", "L{layer}.txt"], 2, "-o L{layer}.txt: nothing fills {layer} here"),
        (["--layer", "1" * 5000], 2, "is no number and no range"),
        (["--head", f"L{'1' * 5000}H0"], 2, "does not name a layer and a head"),
        (["--query", "1" * 5000], 1, "no token or word of the text reads so"),
        (["--query", "cat#" + "1" * 5000], 1, "no token or word of the text reads so"),
    ],
)
def test_options(
    refused: Callable[..., str],
    folder: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    code: int,
    said: str,
) -> None:
    model = folder("bert")
    monkeypatch.chdir(tmp_path)
    err = refused(code, "inspect", TEXT, "-m", model, *options)
    assert said in err.splitlines()[0]
    assert [one.name for one in tmp_path.iterdir()] == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_absent_gpu(refused: Callable[..., str], device: str) -> None:
    err = refused(1, "inspect", TEXT, "-m", "sample:sentiment", "--device", device)
    assert f"{device} is not available" in err


def test_output_is_a_folder(refused: Callable[..., str], tmp_path: Path) -> None:
    path = tmp_path / "folder.txt"
    path.mkdir()
    assert "it is a folder" in refused(1, "inspect", TEXT, "-o", path)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="this system has no /proc")
@pytest.mark.parametrize("name", ["out.txt", "out.safetensors"])
def test_place_that_takes_no_files(refused: Callable[..., str], name: str) -> None:
    err = refused(1, "inspect", TEXT, "-m", "sample:sentiment", "-o", f"/proc/{name}")
    assert f"cannot write /proc/{name}" in err


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "the text is empty"), ("the cat " * 30, "the text has 62 tokens: bert takes 40")],
)
def test_texts_that_do_not_fit(
    refused: Callable[..., str], folder: Callable[[str], Path], text: str, said: str
) -> None:
    err = refused(1, "inspect", text, "-m", folder("bert"))
    assert said in err
    assert ("--truncate" in err) == bool(text)


def test_too_long_for_a_decoder(refused: Callable[..., str], folder: Callable[[str], Path]) -> None:
    err = refused(1, "inspect", TEXT, "--target", "katze " * 99, "-m", folder("bart"))
    assert "target" in err
    assert "bart takes 64" in err


def test_empty_parts(refused: Callable[..., str], folder: Callable[[str], Path]) -> None:
    assert "the pair is empty" in refused(1, "inspect", TEXT, "--pair", "", "-m", folder("bert"))
    err = refused(1, "inspect", TEXT, "--target", "", "-m", folder("bart"))
    assert "the target is empty" in err


def test_forms_a_model_does_not_read(
    refused: Callable[..., str], folder: Callable[[str], Path]
) -> None:
    err = refused(1, "inspect", TEXT, "--target", "the mat", "-m", folder("gpt2"))
    assert "gpt2 takes no target: it is not an encoder-decoder model" in err
    err = refused(1, "inspect", TEXT, "--pair", "the mat", "-m", folder("gpt2"))
    assert "the tokenizer of gpt2 has no form for pairs" in err
    for stack in ("decoder", "cross"):
        err = refused(1, "inspect", TEXT, "--stack", stack, "-m", folder("bart"))
        assert f"stack {stack} was not run" in err
        assert "--target" in err


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("latin.txt", b"caf\xe9", "latin.txt is not UTF-8: byte 0xe9 at offset 3"),
        ("empty.txt", b"", "empty.txt"),
        ("bad.jsonl", b'{"text": "the cat"}\n{oops\n', "bad.jsonl:2 is not JSON"),
        ("bad.csv", b"words\nthe cat\n", "bad.csv has no column text"),
        ("texts.xml", b"<text/>", "texts.xml is of no known kind of many texts"),
        ("absent.txt", None, "absent.txt does not exist"),
    ],
)
def test_files(
    refused: Callable[..., str], tmp_path: Path, name: str, content: bytes | None, said: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    assert said in refused(1, "inspect", "--texts", path, "-m", "sample:sentiment")
    if path.suffix == ".txt":
        assert said in refused(1, "inspect", "--file", path, "-m", "sample:sentiment")


def test_long_line_of_many(
    call: Callable[..., Result], folder: Callable[[str], Path], tmp_path: Path
) -> None:
    path = tmp_path / "texts.txt"
    path.write_text("the cat\n" + "the cat " * 30)
    result = call("inspect", "--texts", path, "-m", folder("bert"), "--json")
    assert result.code == 1
    assert not result.lines  # nor is the first text run
    assert "texts.txt:2: the text has 62 tokens" in result.err


def test_standard_input(refused: Callable[..., str], stdin: Callable[[bytes], None]) -> None:
    stdin(b"\xff\xfe")
    assert "standard input is not UTF-8" in refused(1, "inspect", "-", "-m", "sample:sentiment")
    stdin(b"")
    assert "standard input is empty" in refused(1, "inspect", "-", "-m", "sample:sentiment")


def test_captures_that_are_none(
    refused: Callable[..., str],
    folder: Callable[[str], Path],
    saved: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    weights = folder("bert") / "model.safetensors"
    assert "holds no capture" in refused(1, "inspect", weights)
    assert "no saved capture at" in refused(1, "inspect", tmp_path / "absent.safetensors")
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(weights.read_bytes()[:100])
    assert "no readable safetensors file" in refused(1, "inspect", cut)
    assert "a saved capture needs no model" in refused(2, "inspect", saved("bert"), "-m", "gpt2")
    err = refused(2, "inspect", saved("bert"), "--pair", "x")
    assert "a saved capture has its text already" in err


def test_sources(refused: Callable[..., str], tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("the cat")
    assert "no text was given" in refused(2, "inspect")
    assert "TEXT and --file exclude each other" in refused(2, "inspect", TEXT, "--file", path)
    err = refused(2, "inspect", "--texts", path, "--file", path)
    assert "--file and --texts exclude each other" in err
    err = refused(2, "inspect", "--texts", path, "-o", tmp_path / "o.txt")
    assert "-o holds one text" in err


def test_places_that_nothing_fills(refused: Callable[..., str]) -> None:
    for command in ("heads", "compare"):
        said = refused(2, command, TEXT, "-o", "{index}.csv")
        assert said.splitlines()[1] == "hint: there are {model}"
    said = refused(2, "trace", "--qkv", "sample:qkv/luong", "-o", "{model}.csv")
    assert said.splitlines()[1] == "hint: there are no places"


def test_a_trace_is_named_by_its_model(
    answer: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    answer("trace", "good", "-m", "sample:sentiment", "-o", "{model}.csv")
    assert [one.name for one in tmp_path.iterdir()] == ["sentiment.csv"]


def test_weights_of_another_model(
    refused: Callable[..., str], copy: Callable[[str], Path], folder: Callable[[str], Path]
) -> None:
    path = copy("bert")
    shutil.copy(folder("gpt2") / "model.safetensors", path / "model.safetensors")
    assert "do not belong to BertForMaskedLM" in refused(1, "inspect", TEXT, "-m", path)


def test_empty_text_is_refused_before_a_model_is_sought(refused: Callable[..., str]) -> None:
    assert "the text is empty" in refused(1, "inspect", "", "-m", "./nowhere")


def test_name_of_a_file_as_text(
    call: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "notes.txt").write_text("good\n")
    monkeypatch.chdir(tmp_path)
    for name in ("notes.txt", "sample:text/chat"):
        result = call("inspect", name, "-m", "sample:sentiment")
        assert result.code == 0
        assert result.err.endswith(f"to read the file: --file {name}\n")
    assert call("inspect", "notes", "-m", "sample:sentiment").err == ""
