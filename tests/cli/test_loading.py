"""What is said on the command line of adapters, and of models that cannot be run on a text."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

import attnviz.models.load
from attnviz.cli.app import run
from attnviz.errors import ModelError
from tests.models import tiny
from tests.models.adapters import lora
from tests.models.test_what_was_loaded import other_models

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TEXT = "the cat sat on the mat"


@pytest.fixture(scope="module")
def adapter(folder: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA of the tiny GPT-2."""
    path = tmp_path_factory.mktemp("adapter") / "tuned"
    lora(folder("gpt2")).save_pretrained(path)
    return path


def test_the_adapter_stands_in_every_answer(
    answer: Callable[..., str], folder: Callable[[str], Path], adapter: Path
) -> None:
    for options in (("-m", adapter), ("-m", folder("gpt2"), "--adapter", adapter)):
        shown = answer("inspect", TEXT, *options)
        assert shown.startswith("gpt2 + tuned")
        assert "adapter tuned applied: LoRA r=4 of base gpt2" in " ".join(shown.split())
        found = json.loads(answer("inspect", TEXT, "--json", *options))
        assert found["model"]["name"] == "gpt2 + tuned"
    assert answer("check", adapter).startswith("gpt2 + tuned")
    assert answer("trace", TEXT, "-m", adapter, "--head", "L0H1").startswith("gpt2 + tuned")
    alone = answer("inspect", TEXT, "-m", adapter, "--adapter", "none")
    assert alone.startswith("gpt2  ")
    assert "is not applied: --adapter none" in " ".join(alone.split())


def test_base_and_adapter_are_compared(
    answer: Callable[..., str], folder: Callable[[str], Path], adapter: Path
) -> None:
    for options in (
        ("-m", folder("gpt2"), "--with-adapter", adapter),
        ("-m", adapter, "--adapter", "none", "--with-adapter", adapter),
        ("-m", folder("gpt2"), "--with-model", adapter),
    ):
        assert "from  gpt2  to  gpt2 + tuned" in answer("compare", TEXT, *options)


def test_adapters_where_nothing_is_loaded(
    refused: Callable[..., str], saved: Callable[[str], Path], adapter: Path
) -> None:
    err = refused(2, "inspect", saved("gpt2"), "--adapter", adapter)
    assert "a saved capture needs no model" in err
    assert "--qkv runs no model" in refused(2, "trace", "--qkv", "x.npz", "--adapter", adapter)


@pytest.mark.parametrize(
    "command",
    [
        ["inspect", TEXT, "-m"],
        ["inspect", TEXT, "--plan", "-m"],
        ["heads", TEXT, "-m"],
        ["heads", "--probe", "repeated-tokens", "-m"],
        ["compare", TEXT, "-m"],
        ["trace", TEXT, "--head", "L0H0", "-m"],
        ["export", TEXT, "-o", "x.png", "-m"],
        ["check"],
    ],
)
def test_every_command_says_that_a_model_reads_no_text(
    refused: Callable[..., str], tmp_path: Path, command: list[str]
) -> None:
    tiny.save(tmp_path / "vit", other_models()["vit"](), tiny.byte_level())
    assert "vit reads pixel_values, not text" in refused(1, *command, tmp_path / "vit")


def test_the_rest_of_an_error_comes_through_on_request(
    refused: Callable[..., str], copy: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = shutil.copytree(copy("gpt2"), copy("bert").parent / "odd\x1b[31m")
    tiny.edit(path, n_head=5)
    err = refused(1, "inspect", TEXT, "-m", path)
    assert "odd␛[31m cannot be loaded: ValueError: `embed_dim` must be divisible" in err
    assert "hint: ATTNVIZ_DEBUG=1 shows where it was raised\n" in err
    monkeypatch.setenv("ATTNVIZ_DEBUG", "1")
    with pytest.raises(ModelError) as error:
        run(["inspect", TEXT, "-m", str(path)])
    assert isinstance(error.value.__cause__, ValueError)


def test_names_from_a_folder_reach_the_terminal_as_text(
    answer: Callable[..., str], copy: Callable[[str], Path]
) -> None:
    path = copy("bert")
    settings = json.loads((path / "tokenizer_config.json").read_text())
    settings["mask_token"] = "\x1b[31m\u202e"
    (path / "tokenizer_config.json").write_text(json.dumps(settings))
    shown = answer("inspect", TEXT, "-m", path)
    assert "No prediction: no ␛[31m<U+202E> in the text." in shown
    assert "\x1b" not in shown


def test_facts_of_a_class_are_handed_in_by_a_file(
    answer: Callable[..., str],
    refused: Callable[..., str],
    folder: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    handed = []
    load = attnviz.models.load.load

    def noted(*arguments: Any, **settings: Any) -> Any:
        handed.append(settings["anatomy"])
        return load(*arguments, **settings)

    monkeypatch.setattr(attnviz.models.load, "load", noted)
    facts = tmp_path / "facts.toml"
    facts.write_text('heads = "num_attention_heads"\noutput_projection = ["dense", "mix"]\n')
    asked = ["inspect", "the cat", "-m", folder("bert"), "--anatomy", facts]
    assert "What each head does" in answer(*asked)
    [found] = handed
    assert found["heads"] == "num_attention_heads"
    facts.write_text("hedas = 3\n")
    err = refused(2, *asked)
    assert "anatomy knows no 'hedas'" in err
    assert "heads" in err.splitlines()[1]
    assert "cannot be read" in refused(1, *asked[:-1], tmp_path / "none.toml")
