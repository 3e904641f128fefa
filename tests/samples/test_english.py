"""`sample:english` has induction and previous-token heads and a sink, and predicts repeats."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

import attnviz
from attnviz.inputs.read import read_file, read_texts
from attnviz.views.build import build
from tests.samples.shuffled import shuffled

if TYPE_CHECKING:
    from attnviz.models.loaded import LoadedModel

SIZE, COPIES, SEEDS = 25, 4, 5
PROMPT = (
    "The old sailor met the young widow at the harbor, and then the old sailor met the young widow"
)


def figures(model: LoadedModel) -> dict[str, np.ndarray]:
    """Scores (layer, head) on repeated random tokens (docs/metrics.md, prefix_matching)."""
    rows = []
    for seed in range(SEEDS):
        generator = torch.Generator().manual_seed(1000 + seed)
        rows.append(torch.randperm(4095, generator=generator)[:SIZE].add(1).repeat(COPIES))
    maps = []
    for capture in attnviz.captures(model.model, {"input_ids": torch.stack(rows)}):
        stack = capture.stacks["self"]
        maps.append(np.stack([stack.weights(layer) for layer in stack.layers]))
    weights = np.mean(maps, axis=0, dtype=np.float64)
    query, key = np.ogrid[: SIZE * COPIES, : SIZE * COPIES]
    followed = ((query - key + 1) % SIZE == 0) & (key >= 1) & (key <= query)
    return {
        "induction": (weights * followed).sum(-1)[..., SIZE:].mean(-1),
        "previous": np.diagonal(weights, -1, -2, -1).mean(-1),
        "first": weights[..., 1:, 0].mean(-1),
    }


def test_structure() -> None:
    found = figures(attnviz.load("sample:english"))
    assert found["induction"].max() >= 0.8
    assert found["previous"].max() >= 0.6
    assert (
        np.unravel_index(found["induction"].argmax(), (4, 4))[0]
        > (np.unravel_index(found["previous"].argmax(), (4, 4))[0])
    ), "the induction head reads what the previous-token head wrote"


def test_first_token_is_a_sink_of_text() -> None:
    model = attnviz.load("sample:english")
    first = [attnviz.capture(model, one.text).scores["self"]["first"]
             for one in read_texts("sample:text/sentences")]  # fmt: skip
    assert np.mean(first, axis=0).max() >= 0.5


def test_shuffled_weights_have_no_structure() -> None:
    found = figures(shuffled("english"))
    assert found["induction"].max() < 0.2
    assert found["previous"].max() < 0.2


def test_a_repeat_is_predicted_by_an_induction_head() -> None:
    capture = attnviz.capture(attnviz.load("sample:english"), PROMPT)
    (answer, _), *_ = capture.prediction.items[0][1]
    assert answer.strip() == "at"
    stack = capture.stacks["self"]
    words = [label.strip() for label in stack.queries(0).labels]
    follower = words.index("at")
    best = max(stack.weights(layer)[:, -1, follower].max() for layer in stack.layers)
    assert best >= 0.5


def test_the_first_screen_has_something_to_show() -> None:
    for text in (PROMPT, "The old sailor met the young widow, and then the old sailor"):
        screen = build(attnviz.capture(attnviz.load("sample:english"), text))
        grid, shown = screen.parts
        assert len({one.pattern.name for one in grid.heads}) >= 3
        assert shown.head.score("content") >= 0.15


@pytest.mark.parametrize("name", ["repeated", "long", "chat"])
def test_texts_fit(name: str) -> None:
    text = read_file(f"sample:text/{name}")
    capture = attnviz.capture(attnviz.load("sample:english"), text, memory="1MiB")
    assert len(capture.stacks["self"].queries(0)) > 40


def test_any_text_can_be_written() -> None:
    model = attnviz.load("sample:english")
    for one in read_texts("sample:text/languages"):
        labels = attnviz.capture(model, one.text).stacks["self"].queries(0).labels
        assert "<unk>" not in labels
        assert not any("\ufffd" in label for label in labels if label.isascii())


def loss_on_the_story(model: LoadedModel) -> float:
    """Nats per token of a story that no model has read."""
    assert model.tokenizer is not None
    ids = model.tokenizer(read_file("sample:text/long"), return_tensors="pt")["input_ids"]
    with torch.no_grad():
        return float(model.model(input_ids=ids, labels=ids).loss)


def test_it_knows_english() -> None:
    model = attnviz.load("sample:english")
    vocabulary = model.model.config.vocab_size
    assert loss_on_the_story(model) < 0.65 * np.log(vocabulary)
    assert loss_on_the_story(shuffled("english")) > 0.9 * np.log(vocabulary)
