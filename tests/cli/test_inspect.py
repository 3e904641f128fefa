"""What a user gets from `attnviz inspect`, on real tiny models."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from rich.cells import cell_len

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Result

TEXT = "the cat sat on the mat"


def test_first_screen(answer: Callable[..., str], folder: Callable[[str], Path]) -> None:
    out = answer("inspect", TEXT, "-m", folder("bert"), "--width", 100)
    first = " ".join(out.splitlines()[:2])
    assert first.startswith("bert  BertForMaskedLM")
    for fact in (
        "2 layers × 4 heads",
        "float32",
        "cpu",
        "8 tokens",
        "whole maps 2.0 KiB",
        "checked ✓",
    ):
        assert fact in first
    assert "What each head does" in out
    assert "attends to" in out
    assert "picked:" in out
    for token in ("[CLS]", "cat", "mat", "[SEP]"):
        assert token in out


@pytest.mark.parametrize(
    ("model", "text", "said"),
    [
        ("bert", "the [MASK] sat", "masked token"),
        ("bert", TEXT, "No prediction: no [MASK] in the text."),
        ("bert.ForSequenceClassification", TEXT, "class"),
        ("bert.ForQuestionAnswering", TEXT, "No prediction"),
        ("gpt2", TEXT, "next token"),
        ("llama", TEXT, "next token"),
    ],
)
def test_prediction(
    answer: Callable[..., str], folder: Callable[[str], Path], model: str, text: str, said: str
) -> None:
    assert said in answer("inspect", text, "-m", folder(model))


def test_sample_knows_negation(answer: Callable[..., str]) -> None:
    good = answer("inspect", "the film was good", "-m", "sample:sentiment", "--json")
    bad = answer("inspect", "the film was not good at all", "-m", "sample:sentiment", "--json")
    best = [
        json.loads(one)["prediction"]["items"][0]["answers"][0]["answer"] for one in (good, bad)
    ]
    assert best == ["positive", "negative"]


@pytest.mark.parametrize(
    ("options", "shown", "hidden"),
    [
        (["--head", "L1H2"], ["L1H2", "attends to"], ["What each head does", "L0H2"]),
        (["--layer", "1", "--head", "2"], ["L1H2", "attends to"], ["What each head does", "L0H2"]),
        (["--layer", "1"], ["L1H0", "L1H1", "L1H2", "L1H3", "one scale"], ["L0H"]),
        (["--layer", "-1"], ["L1H0", "L1H3"], ["L0H"]),
        (["--layer", "0-1"], ["L0H0", "L1H3"], []),
        (["--head", "3"], ["L0H3", "L1H3", "one scale"], ["L0H1", "L1H2"]),
        (["--head", "1-2"], ["L0H1", "L1H2"], ["L0H0", "L1H3"]),
        (["--head", "L0H1,L1H0"], ["L0H1", "L1H0", "2 heads"], ["L0H0", "L1H1"]),
        (["--query", "cat"], ["From cat (token 2)", "H3", "L1"], ["picked"]),
        (["--query", "the#2"], ["(token 5", "2 of 2"], []),
        (["--query", "-1"], ["From [SEP] (token 7)"], []),
        (["--query", "1-2"], ["\n1 the", "\n2 cat"], ["\n3 sat"]),
        (["--query", "cat", "--key", "mat"], ["goes to mat"], []),
        (["--head", "L0H0", "--query", "cat"], ["\n2 cat", "L0H0"], ["\n3 sat"]),
        (["--head", "L0H0", "--key", "mat"], ["mat", "other keys hidden"], []),
        (["--view", "heads"], ["What each head does"], ["attends to"]),
        (["--view", "grid"], ["L0H0", "L1H3", "8 heads on one scale"], ["What each head does"]),
        (["--view", "table", "--head", "L0H0"], ["attends to", "query"], []),
        (["--view", "map", "--head", "L0H0"], ["L0H0"], ["attends to"]),
        (["--view", "map"], ["picked"], ["attends to", "What each head does"]),
        (["--stack", "self"], ["What each head does"], []),
    ],
)
def test_selection(
    answer: Callable[..., str],
    folder: Callable[[str], Path],
    options: list[str],
    shown: list[str],
    hidden: list[str],
) -> None:
    out = answer("inspect", TEXT, "-m", folder("bert"), "--width", 120, *options)
    assert [one for one in shown if one not in out] == []
    assert [one for one in hidden if one in out] == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--hide-special"], "special tokens hidden"),
        (["--words"], "words: keys summed, queries averaged"),
        (["--hide-special", "--renormalize"], "rows renormalised to 1"),
        (["--memory", "4KiB"], "maps dropped, scores kept: whole ones take 2.0 KiB"),
        (["--dtype", "bfloat16"], "bfloat16"),
        (["--scale", "sqrt", "--layer", "0"], "square root"),
        (["--scale", "log", "--layer", "0"], "log"),
        (["--scale", "row", "--layer", "0"], "row"),
        (["--scale", "rank", "--layer", "0"], "rank"),
    ],
)
def test_the_picture_says_what_was_done(
    answer: Callable[..., str], folder: Callable[[str], Path], options: list[str], said: str
) -> None:
    plain = answer("inspect", TEXT, "-m", folder("bert"), "--width", 120)
    out = answer("inspect", TEXT, "-m", folder("bert"), "--width", 120, *options)
    assert said in " ".join(out.split())
    assert said not in " ".join(plain.split())


def test_words_are_merged(answer: Callable[..., str], folder: Callable[[str], Path]) -> None:
    text = "the unbelievable cat"
    asked = ["inspect", text, "-m", folder("bert"), "--head", "L0H0"]
    assert "unbelievable" not in answer(*asked)
    assert "unbelievable" in answer(*asked, "--words")


@pytest.mark.parametrize(
    ("reduce", "said"),
    [("mass", "(sum over keys"), ("mean", "(mean weight)"), ("max", "(largest weight)")],
)
def test_wide_maps_are_pooled(
    answer: Callable[..., str], folder: Callable[[str], Path], reduce: str, said: str
) -> None:
    text = "the cat sat on the mat it was tired " * 12
    options = ["--width", 60, "--view", "map", "--reduce", reduce]
    out = answer("inspect", text.strip(), "-m", folder("llama"), *options)
    assert said in out
    assert max(map(cell_len, out.splitlines())) <= 60


def test_top(answer: Callable[..., str], folder: Callable[[str], Path]) -> None:
    asked = ["inspect", TEXT, "-m", folder("bert"), "--head", "L0H0", "--json", "--top"]
    for top in (1, 2):
        table = json.loads(answer(*asked, top))["heads"][0]["table"]
        assert {len(row["keys"]) for row in table} == {top}


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 200])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_width(
    answer: Callable[..., str], folder: Callable[[str], Path], width: int, ascii_only: bool
) -> None:
    options = ["--ascii"] if ascii_only else []
    for model in ("bert", "bart"):
        target = ["--target", "eine katze"] if model == "bart" else []
        out = answer("inspect", TEXT, "-m", folder(model), "--width", width, *target, *options)
        assert max(map(cell_len, out.splitlines())) <= width
        assert out.isascii() == ascii_only


def test_color(answer: Callable[..., str], folder: Callable[[str], Path]) -> None:
    asked = ["inspect", TEXT, "-m", folder("bert"), "--color"]
    assert "\x1b[" in answer(*asked, "always")
    assert "\x1b" not in answer(*asked, "auto")
    assert "\x1b" not in answer(*asked, "never")


def test_pair(answer: Callable[..., str], folder: Callable[[str], Path]) -> None:
    out = answer("inspect", "the cat", "--pair", "sat on", "-m", folder("bert"))
    assert "A ─" in out
    assert "B ─" in out
    assert "4 B sat" in out


def test_target(call: Callable[..., Result], folder: Callable[[str], Path]) -> None:
    for model in ("bart", "t5"):
        result = call("inspect", "the cat", "--target", "eine katze", "-m", folder(model))
        assert result.code == 0
        for stack in ("cross", "encoder", "decoder"):
            assert f"What each head does · {stack}" in result.out
        assert "next target token" in result.out
        assert result.err == ""


def test_one_stack(answer: Callable[..., str], folder: Callable[[str], Path]) -> None:
    asked = ["inspect", "the cat", "--target", "eine katze", "-m", folder("bart"), "--stack"]
    cross = answer(*asked, "cross", "--head", "L0H1")
    assert "eine" in cross
    assert "cat" in cross
    decoder = answer(*asked, "decoder", "--head", "L0H1")
    assert "eine" in decoder
    assert "cat" not in decoder


def test_encoder_without_target(call: Callable[..., Result], folder: Callable[[str], Path]) -> None:
    result = call("inspect", "the cat", "-m", folder("bart"))
    assert result.code == 0
    assert "only the encoder" in result.out
    assert "--target" in result.out
    assert result.err == ""


def test_default_model(
    call: Callable[..., Result], folder: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    result = call("inspect", "the film was good")
    assert result.out.startswith("english  GPT2")
    assert result.err == "hint: no model named: using sample:english (choose one with -m MODEL)\n"
    assert call("inspect", "the film was good", "--quiet").err == ""
    assert call("inspect", "the film was good", "-m", "sample:sentiment").err == ""
    monkeypatch.setenv("ATTNVIZ_MODEL", str(folder("gpt2")))
    result = call("inspect", "the cat")
    assert result.out.startswith("gpt2  GPT2")
    assert result.err == ""


def test_bos(answer: Callable[..., str], folder: Callable[[str], Path]) -> None:
    asked = ["inspect", "the cat", "-m", folder("llama"), "--json"]
    labels = {
        option: json.loads(answer(*asked, *option))["stacks"]["self"]["queries"]["labels"]
        for option in [(), ("--bos",), ("--no-bos",)]
    }
    assert labels[()] == labels["--bos",] == ["<s>", *labels["--no-bos",]]


def test_truncate(answer: Callable[..., str], folder: Callable[[str], Path]) -> None:
    out = answer("inspect", "cat " * 99, "-m", folder("bert"), "--truncate", "--view", "heads")
    assert "40 tokens" in out
    assert "cut" in out


def test_standard_input(
    answer: Callable[..., str],
    folder: Callable[[str], Path],
    stdin: Callable[[bytes], None],
) -> None:
    stdin(b"\xef\xbb\xbfthe cat\n")
    got = answer("inspect", "-", "-m", folder("bert"))
    assert got == answer("inspect", "the cat", "-m", folder("bert"))


def test_file(answer: Callable[..., str], folder: Callable[[str], Path], tmp_path: Path) -> None:
    path = tmp_path / "notes.md"
    path.write_text("the cat\n")
    got = answer("inspect", "--file", path, "-m", folder("bert"))
    assert got == answer("inspect", "the cat", "-m", folder("bert"))


@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        ("txt", "the cat\n\nit was tired\n"),
        ("jsonl", '{"text": "the cat"}\n{"text": "it was tired"}\n'),
        ("csv", "text,note\nthe cat,1\nit was tired,2\n"),
    ],
)
def test_many_texts(
    answer: Callable[..., str],
    folder: Callable[[str], Path],
    tmp_path: Path,
    suffix: str,
    content: str,
) -> None:
    path = tmp_path / f"texts.{suffix}"
    path.write_text(content)
    asked = ["inspect", "--texts", path, "-m", folder("gpt2")]
    runs = [json.loads(line) for line in answer(*asked, "--json").splitlines()]
    assert [one["input"]["text"] for one in runs] == ["the cat", "it was tired"]
    headings = [line for line in answer(*asked).splitlines() if line.startswith("text ")]
    assert headings == ["text 1: the cat", "text 2: it was tired"]
    rows = answer(*asked, "--format", "csv", "--head", "L0H0").splitlines()
    assert rows[0].startswith("text,stack,layer,head,query")
    assert {row.split(",")[0] for row in rows[1:]} == {"1", "2"}


def test_pairs_of_a_file(
    answer: Callable[..., str], folder: Callable[[str], Path], tmp_path: Path
) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text('{"text": "the cat", "pair": "the mat"}\n{"text": "it"}\n')
    asked = ["inspect", "--texts", path, "--pair", "was tired", "-m", folder("bert"), "--json"]
    runs = [json.loads(line)["input"] for line in answer(*asked).splitlines()]
    assert [(one["text"], one["pair"]) for one in runs] == [
        ("the cat", "the mat"),
        ("it", "was tired"),
    ]
