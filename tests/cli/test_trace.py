"""`attnviz trace` on tiny models."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.text import Text

from attnviz.attention.capture import ModelFacts
from attnviz.cli.sink import Sink
from attnviz.render.image.draw import draw
from attnviz.render.image.style import ImageStyle
from attnviz.views.answer import Answer, Facts
from attnviz.views.steps.head_trace import HeadTrace

TEXT = "the cat sat on the mat"
Folder = Callable[[str], Path]


def traced(answer: Callable[..., str], folder: Folder, name: str, *options: object) -> dict:
    """The trace as JSON."""
    return json.loads(answer("trace", TEXT, "-m", folder(name), "--json", *options))


@pytest.mark.parametrize("name", ["gpt2", "bert", "llama"])
def test_weights_are_those_of_inspect(
    answer: Callable[..., str], folder: Folder, name: str
) -> None:
    found = traced(answer, folder, name, "--head", "L1H2", "--query", "sat")
    appearance = json.loads(answer("inspect", TEXT, "-m", folder(name), "--head", "L1H2", "--json"))
    row = appearance["heads"][0]["map"]["weights"][found["query"]["index"]]
    weights = found["weights"][0][0]
    assert weights == pytest.approx([weight or 0.0 for weight in row], abs=1e-5)
    assert found["difference"] <= 1e-5
    assert (found["layer"], found["head"], found["query"]["label"].strip()) == (1, 2, "sat")


def test_json(answer: Callable[..., str], folder: Folder) -> None:
    found = traced(answer, folder, "llama", "--head", "L2H3", "--query", "-1", "--key", "cat")
    keys = len(found["keys"])
    assert found["shapes"] == {
        "query": [8], "key": [keys, 8], "value": [keys, 8], "scores": [1, 1, keys],
        "scaled": [1, 1, keys], "masked": [1, 1, keys], "weights": [1, 1, keys],
        "output": [1, 1, 8],
    }  # fmt: skip
    assert found["key_value_head"] == {"head": 1, "of": 2, "query_heads": 4}
    assert found["capped"] is found["biased"] is found["sink"] is None
    assert found["scale"] == pytest.approx(8**-0.5)
    assert found["key"]["label"].strip("▁ ") == "cat"
    terms = found["products"]["terms"]
    assert sum(one["product"] for one in terms) == pytest.approx(
        found["scores"][0][0][found["key"]["index"]], rel=1e-5
    )
    sizes = [abs(one["product"]) for one in terms]
    assert sizes == sorted(sizes, reverse=True)
    assert len(found["added"]) == keys


def test_the_screen(answer: Callable[..., str], folder: Folder) -> None:
    arguments = ("trace", TEXT, "-m", folder("llama"), "--head", "L2H3", "--query", "mat")
    out = answer(*arguments, "--width", 80)
    assert "L2H3   from mat (query 6)   key-value head 1 of 2, shared by L2H2-L2H3" in out
    steps = [line.split()[0] for line in out.splitlines() if line.startswith("  ")]
    assert steps[:9] == ["query", "key", "scores", "scaled", "masked", "weights", "value", "added",
                         "output"]  # fmt: skip
    assert "× 1/√8 = × 0.3536" in out
    assert "after any rotary embedding" in out
    assert out.splitlines()[-1].startswith("These weights ")
    assert "the model's own (float32)." in out
    assert max(map(len, out.splitlines())) <= 80
    short = answer(*arguments, "--top", 2, "--key", "cat")
    assert "more together" in short
    assert "--top 7" in short
    assert "score of mat (6) and cat (2)   q·k = " in short


@pytest.mark.parametrize("width", [20, 40, 60])
def test_narrow_screens(answer: Callable[..., str], folder: Folder, width: int) -> None:
    out = answer("trace", TEXT, "-m", folder("gpt2"), "--key", "cat", "--width", width)
    assert max(map(len, out.splitlines())) <= width


def test_ascii(answer: Callable[..., str], folder: Folder) -> None:
    out = answer("trace", TEXT, "-m", folder("gpt2"), "--key", "cat", "--ascii")
    assert out.isascii()
    assert "#" in out


def test_tokens_are_data(answer: Callable[..., str], folder: Folder) -> None:
    out = answer("trace", "the [/b] \x1b[31mcat", "-m", folder("gpt2"), "--top", 30, "--color",
                 "never")  # fmt: skip
    assert "\x1b" not in out


def test_defaults_are_stated(answer: Callable[..., str], folder: Folder) -> None:
    out = answer("trace", TEXT, "-m", folder("bert"))
    assert "note  picked: " in out
    assert "note  query: the one with the strongest link to a token that is no sink" in out


def test_without_a_link_the_last_query_is_traced(
    answer: Callable[..., str], folder: Folder
) -> None:
    for options in (["--memory", "3KiB"], ["--no-bos"]):
        text = TEXT if "--memory" in options else "the"
        out = answer("trace", text, "-m", folder("gpt2"), *options)
        assert "note  query: the last one, as none is named" in out


def test_a_masked_key(answer: Callable[..., str], folder: Folder) -> None:
    out = answer("trace", TEXT, "-m", folder("gpt2"), "--query", "cat", "--key", "mat")
    [line] = [line for line in out.splitlines() if line.startswith(">")]
    assert line.split()[2] == "mat"
    assert "masked" in line
    assert "-∞: 4 later keys" in out


def test_cross_attention(answer: Callable[..., str], folder: Folder) -> None:
    arguments = ("--target", "eine katze", "--stack", "cross", "--head", "L1H1")
    found = traced(answer, folder, "bart", *arguments, "--query", 1, "--key", "cat")
    assert found["stack"] == "cross"
    assert None not in found["masked"][0][0]
    out = answer("trace", TEXT, "-m", folder("bart"), *arguments)
    assert "L1H1 · cross   from " in out
    assert "no key is masked" in out


def test_a_score_of_a_recurrent_decoder(answer: Callable[..., str]) -> None:
    pair = ("the old king .", "--target", "le vieux roi .", "--query", "roi", "--key", "old")
    out = answer("trace", *pair, "-m", "sample:rnn-additive", "--top", "3")
    assert "tanh(W q + U k), with q of this token" in out
    assert "v·tanh =" in out and "v × tanh" in out
    assert "from the model's own (float32)." in out
    assert "qᵀW, with q" in answer("trace", *pair, "-m", "sample:rnn-general")


def test_words_of_several_tokens(answer: Callable[..., str], folder: Folder) -> None:
    arguments = ("trace", "the cat was believable", "-m", folder("bert"), "--head", "L0H0")
    out = answer(*arguments, "--query", "believable", "--key", "believable")
    assert "tokens: its last is traced" in out
    assert "tokens: its heaviest is traced" in out


def test_rows(answer: Callable[..., str], folder: Folder) -> None:
    arguments = ("trace", TEXT, "-m", folder("gpt2"), "--head", "L0H0", "--query", "sat")
    rows = [line.split("\t") for line in answer(*arguments, "--format", "tsv").splitlines()]
    assert rows[0] == ["key", "key_label", "scores", "scaled", "exp", "masked", "weight", "added"]
    assert [row[5] for row in rows[1:]] == ["0"] * 3 + ["1"] * 3
    assert sum(float(row[6]) for row in rows[1:]) == pytest.approx(1)


@pytest.mark.parametrize("kind", ["png", "svg", "pdf", "txt", "json", "csv"])
def test_files(answer: Callable[..., str], folder: Folder, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "new" / f"trace.{kind}"
    assert answer("trace", TEXT, "-m", folder("gpt2"), "--key", "cat", "-o", path) == ""
    assert path.stat().st_size > 200


def test_the_figure(
    answer: Callable[..., str], folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    views: list[HeadTrace] = []
    monkeypatch.setattr(Sink, "put", lambda self, answer: views.append(answer.parts[0]))
    answer("trace", TEXT, "-m", folder("llama"), "--head", "L1H1", "--query", "mat", "--key", "cat")
    [view] = views
    figure = draw(Answer(Facts(ModelFacts("toy")), (view,)), ImageStyle()).figure
    words = [one.get_text() for one in figure.findobj(Text)]
    assert "toy · L1H1, from mat (query 6)" in words
    assert {"q·k", "scaled", "exp", "weight", "‖αvW‖", "q", "k", "q × k"} <= set(words)
    weights = [f"{weight:.4f}" for weight in view.steps.weights[view.listed]]
    assert set(weights) <= set(words)
    lengths = [[bar.get_width() for bar in axes.patches] for axes in figure.axes]
    assert np.allclose(lengths[3], view.steps.weights[view.listed])


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--head", "L9H0"], 1, "layer 9 does not exist"),
        (["--head", "L0H9"], 1, "head 9 does not exist"),
        (["--query", "dog"], 1, "--query dog: no token or word of the text reads so"),
        (["--key", "dog"], 1, "--key dog: no token or word of the text reads so"),
        (["--query", "the#3"], 1, "the occurs 2 times"),
        (["--query", "0-2"], 2, "--query 0-2 names several tokens"),
        (["--key", "0-2"], 2, "--key 0-2 names several tokens"),
        (["--stack", "cross"], 1, "stack cross does not exist"),
        (["-o", "x.safetensors"], 2, "is no format that attnviz writes here"),
        (["--mechanism", "dot"], 2, "--mechanism needs --qkv"),
    ],
)
def test_wrong_use(
    refused: Callable[..., str], folder: Folder, arguments: list[str], code: int, said: str
) -> None:
    assert said in refused(code, "trace", TEXT, "-m", folder("gpt2"), *arguments)


def test_saved_captures_hold_no_queries(
    refused: Callable[..., str], saved: Callable[[str], Path]
) -> None:
    said = refused(2, "trace", saved("gpt2"))
    assert "holds weights, not the queries and keys that made them" in said
    assert 'hint: run the model again: attnviz trace "…" -m ' in said


def test_no_text(refused: Callable[..., str]) -> None:
    assert "no text was given" in refused(2, "trace")


def test_models_that_compute_attention_themselves(
    refused: Callable[..., str], tmp_path: Path
) -> None:
    from transformers import GPTJConfig, GPTJForCausalLM

    from tests.models.tiny import built, byte_level, save

    tokenizer = byte_level()
    config = GPTJConfig(vocab_size=len(tokenizer), n_embd=32, n_layer=2, n_head=4, rotary_dim=4)
    folder = save(tmp_path / "gptj", built(GPTJForCausalLM, config), tokenizer)
    said = refused(1, "trace", TEXT, "-m", folder, "--head", "L1H2")
    assert "the queries and keys of L1H2 cannot be seen" in said
    assert "attnviz inspect" in said


def test_windows_caps_and_biases_have_their_lines(
    answer: Callable[..., str], folder: Folder, tmp_path: Path
) -> None:
    from transformers import Gemma2Config, Gemma2ForCausalLM

    from tests.models.tiny import built, byte_fallback, save

    tokenizer = byte_fallback()
    config = Gemma2Config(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=8, intermediate_size=48, max_position_embeddings=64,
        attn_logit_softcapping=5.0, sliding_window=4, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    gemma = save(tmp_path / "gemma2", built(Gemma2ForCausalLM, config), tokenizer)
    out = answer("trace", TEXT, "-m", gemma, "--head", "L0H2", "--query", "mat", "--width", 80)
    assert "capped   7      5 · tanh(scaled / 5)" in out
    assert "-∞: 3 earlier keys out of reach" in out
    assert "   capped" in out.split("  key ")[2].splitlines()[0]
    biased = answer("trace", TEXT, "-m", folder("t5"), "--stack", "encoder", "--head", "L1H0")
    assert "× 1: this model does not scale" in biased
    assert "+ position bias" in biased
