"""`sample:sentiment` decides by the words of the rationale, and one head shows which they are."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import pytest

import attnviz
from tests.samples.shuffled import shuffled

if TYPE_CHECKING:
    from attnviz.models.loaded import LoadedModel

COUNT = 100


def figures(model: LoadedModel) -> tuple[float, float, float]:
    """The accuracy on all and on negated reviews, and the best head's mean share of [CLS]."""
    from reviews import LABELS, reviews

    right, negated, shares = [], [], []
    for one in islice(reviews(99, held_out=True), COUNT):
        words = [word if word != "[SEP]" else ";" for word in one.words]
        capture = attnviz.capture(model, " ".join(words))
        (answer, _), *_ = capture.prediction.items[0][1]
        right.append(answer == LABELS[one.label])
        negated.append(one.negator is not None)
        stack = capture.stacks["self"]
        rationale = [index + 1 for index in one.rationale]  # after [CLS]
        shares.append([stack.weights(layer)[:, 0, rationale].sum(-1) for layer in stack.layers])
    correct = np.array(right)
    return correct.mean(), correct[negated].mean(), np.mean(shares, axis=0).max()


def test_rationale_decides_and_one_head_shows_it() -> None:
    accuracy, negated, share = figures(attnviz.load("sample:sentiment"))
    assert accuracy >= 0.99
    assert negated >= 0.99
    assert share >= 0.9


def test_shuffled_weights_show_nothing() -> None:
    accuracy, _, share = figures(shuffled("sentiment"))
    assert accuracy < 0.8
    assert share < 0.5


@pytest.mark.parametrize("text", ["the film was not bad", "the film was not good"])
def test_negation(text: str) -> None:
    capture = attnviz.capture(attnviz.load("sample:sentiment"), text)
    (answer, _), *_ = capture.prediction.items[0][1]
    assert answer == ("positive" if "bad" in text else "negative")
