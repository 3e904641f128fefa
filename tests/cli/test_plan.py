"""What `--plan` says, on real tiny models, and that nothing is run or written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from attnviz.cli.planning import path_line
from attnviz.runs.forecast import Path as Layers
from attnviz.runs.memory import human

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TEXT = "the cat sat on the mat it was tired " * 6


@pytest.mark.parametrize("command", ["inspect", "heads", "compare", "trace"])
def test_the_plan_is_told_and_the_text_not_read(
    answer: Callable[..., str],
    folder: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
) -> None:
    from attnviz.runs import forecast

    lengths: list[int] = []
    real = forecast.guarded

    def noted(loaded, inputs, wants, keeper):
        lengths.append(inputs.tensors["input_ids"].shape[1])
        return real(loaded, inputs, wants, keeper)

    monkeypatch.setattr(forecast, "guarded", noted)
    asked = [command, TEXT, "-m", folder("llama"), "--layer", "1", "--plan", "--width", 200]
    lines = answer(*asked).splitlines()
    tokens = int(lines[0].split(" · ")[-1].split()[0])
    assert lines[2] == "reads   sdpa attention"
    assert lines[3].startswith("keeps   whole maps, with all scores: ")
    assert "short runs" in lines[5]
    assert lines[6:] == [
        "layers  self 0, 2: not observed",
        "layers  self 1: 4 heads each, in row blocks of these heads alone",
    ]
    assert 0 < max(lengths) <= tokens / 2


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (Layers("self", (0, 2), 0, None), "self 0, 2: not observed"),
        (
            Layers("self", (0, 1), 1, "recomputed"),
            "self 0-1: 1 head each, in row blocks of these heads alone",
        ),
        (
            Layers("cross", (3,), 2, "own function"),
            "cross 3: 2 heads each, in row blocks of all heads, by the model's own function",
        ),
        (
            Layers("self", (1,), 4, "own tensor"),
            "self 1: 4 heads each, from the tensor that the model makes of all heads",
        ),
    ],
)
def test_a_line_tells_how_layers_are_observed(path: Layers, line: str) -> None:
    assert path_line(path) == f"layers  {line}"


def test_the_plan_of_export_writes_nothing(
    answer: Callable[..., str], folder: Callable[[str], Path], tmp_path: Path
) -> None:
    path = tmp_path / "grid.png"
    out = answer("export", TEXT, "-m", folder("bert"), "--truncate", "--plan", "-o", path)
    assert out.startswith("bert  ")
    assert not path.exists()


@pytest.mark.parametrize(
    ("memory", "keeps"),
    [("1GiB", "whole"), ("64KiB", "pooled"), ("30KiB", "bins"), ("13KiB", "scores")],
)
def test_the_plan_is_what_a_run_obeys(
    answer: Callable[..., str], folder: Callable[[str], Path], memory: str, keeps: str
) -> None:
    asked = ["inspect", TEXT, "-m", folder("gpt2"), "--truncate", "--memory", memory]
    plan = json.loads(answer(*asked, "--plan", "--json"))
    assert plan["plan"]["keeps"] == keeps
    assert plan["plan"]["kept"] <= plan["plan"]["budget"]
    assert plan["seconds"] > 0
    notes = "\n".join(json.loads(answer(*asked, "--json"))["notes"])
    said = {"whole": "", "pooled": "keys of every query kept", "bins": "heaviest keys dropped",
            "scores": "maps dropped, scores kept"}[keeps]  # fmt: skip
    assert said in notes
    assert ("maps" in notes) == (keeps != "whole")


@pytest.mark.parametrize("eager", [True, False])
def test_what_an_eager_model_makes_itself_is_told(
    answer: Callable[..., str], copy: Callable[[str], Path], eager: bool
) -> None:
    path = copy("llama")
    if eager:
        config = json.loads((path / "config.json").read_text())
        (path / "config.json").write_text(json.dumps(config | {"attn_implementation": "eager"}))
    asked = ["inspect", TEXT, "-m", path, "--head", "L1H0", "--plan"]
    found = json.loads(answer(*asked, "--json"))
    size = 4 * 4 * found["tokens"] ** 2  # heads × float32
    assert found["attention"] == ("eager" if eager else "sdpa")
    assert found["own_maps"] == (size if eager else 0)
    lines = answer(*asked, "--width", 200).splitlines()
    assert lines[0].endswith(f" · {found['tokens']} tokens")
    assert f"reads   {found['attention']} attention" in lines
    said = [line for line in lines if line.startswith("beside  ")]
    assert [human(size) in line for line in said] == [True] * eager


def test_many_texts_and_both_models(
    answer: Callable[..., str], folder: Callable[[str], Path], tmp_path: Path
) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text("the cat\nthe cat sat on the mat\n", encoding="utf-8")
    out = answer("heads", "--texts", texts, "-m", folder("llama"), "--plan")
    assert "the longest of 2 texts" in out
    out = answer("compare", "the cat", "-m", folder("gpt2"), "--with-dtype", "bfloat16", "--plan")
    assert "· float32 ·" in out
    assert "· bfloat16 ·" in out


@pytest.mark.parametrize("command", ["inspect", "heads", "compare", "trace", "export"])
def test_not_enough_for_the_smallest_plan(
    refused: Callable[..., str], folder: Callable[[str], Path], tmp_path: Path, command: str
) -> None:
    place = ["-o", tmp_path / "a.png"] if command == "export" else []
    for plan in ([], ["--plan"]):
        err = refused(
            2, command, "the cat", "-m", folder("llama"), "--memory", "100", *plan, *place
        )
        assert "--memory 100 B is not enough: the scores alone take" in err
    assert not list(tmp_path.iterdir())


def test_what_runs_no_model_has_no_plan(
    refused: Callable[..., str], saved: Callable[[str], Path]
) -> None:
    assert "--plan runs no model" in refused(2, "inspect", saved("bert"), "--plan")
    assert "run the model again" in refused(2, "trace", saved("bert"), "--plan")
    assert "--qkv and --plan" in refused(2, "trace", "--qkv", "sample:qkv/luong", "--plan")


def test_a_plan_without_maps_is_refused_like_the_run(refused: Callable[..., str]) -> None:
    for plan in ([], ["--plan"]):
        err = refused(1, "inspect", "the cat", "-m", "sample:rnn-dot", *plan)
        assert "the decoder needs a text" in err


def test_a_trace_reads_the_text_twice(
    answer: Callable[..., str], folder: Callable[[str], Path]
) -> None:
    asked = ["the cat sat", "-m", folder("gpt2"), "--plan"]
    assert " for 2 runs beside loading" in answer("trace", *asked)
    assert "runs" not in answer("inspect", *asked).splitlines()[3].split("beside")[0]


@pytest.mark.parametrize(
    ("text", "maps", "memory"),
    [
        ("the cat sat on the mat", 4, "1GiB"),
        ("the cat", 2, "1GiB"),
        ("the cat sat on the mat", 0, "4KiB"),
    ],
)
def test_the_plan_of_a_check_counts_its_runs(
    answer: Callable[..., str],
    folder: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    maps: int,
    memory: str,
) -> None:
    import torch

    asked = ["check", folder("gpt2"), "--text", text, "--memory", memory]
    plan = json.loads(answer(*asked, "--plan", "--json"))
    heads = sum(len(path["layers"]) * path["heads"] for path in plan["layers"])
    assert plan["plan"]["kept"] == maps * 4 * heads * plan["tokens"] ** 2
    keeps = answer(*asked, "--plan", "--width", 200).splitlines()[3]
    assert keeps.startswith(
        f"keeps   {'whole maps beside those of eager: ' if maps else 'no maps ('}"
    )

    read = []
    real = torch.nn.Module.__call__

    def counted(module, *args, **kwargs):
        if type(module).__name__ == "GPT2LMHeadModel":
            read.append(len(kwargs["input_ids"]))
        return real(module, *args, **kwargs)

    monkeypatch.setattr(torch.nn.Module, "__call__", counted)
    answer(*asked)
    assert plan["runs"] == sum(read)


def test_the_plan_of_a_probe(answer: Callable[..., str], folder: Callable[[str], Path]) -> None:
    out = answer("heads", "--probe", "repeated-tokens", "-m", folder("gpt2"), "--plan")
    assert "the longest of 5 texts" in out


@pytest.mark.parametrize("plan", [[], ["--plan"]])
@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize(
    ("last", "said"), [("the cat the cat", "could be any of 2"), ("the mat", "no token or word")]
)
def test_words_are_looked_for_in_every_text_before_a_run(
    refused: Callable[..., str],
    folder: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    plan: list[str],
    size: int,
    last: str,
    said: str,
) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text(f"the cat sat\n{last}\n", encoding="utf-8")
    monkeypatch.setattr("attnviz.runs.run.observe", None)  # whoever runs the model fails
    asked = ["--texts", texts, "--batch-size", size, "-m", folder("bert"), "--query", "cat"]
    err = refused(1, "heads", *asked, "--key", "the#1", *plan)
    assert f"texts.txt:2: --query cat{' could' if 'could' in said else ':'}" in err
    assert said in err


def test_a_trace_names_its_tokens_before_the_run(
    refused: Callable[..., str], folder: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("attnviz.runs.run.observe", None)
    for option in ("--query", "--key"):
        err = refused(1, "trace", "the cat the cat", "-m", folder("bert"), option, "cat")
        assert f"{option} cat could be any of 2 tokens" in err
