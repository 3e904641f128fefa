"""Steps of a recurrent decoder: the score's own terms, and the weights that the model used."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from attnviz.inputs.tensors import from_tensors
from attnviz.mechanisms import FAMILIES
from attnviz.mechanisms.recurrent import RecurrentConfig, RecurrentForConditionalGeneration
from attnviz.models.load import wrap
from attnviz.runs.run import run
from attnviz.tracing.head import head_steps
from attnviz.tracing.recurrent import multiplied

SCORES = ("additive", "dot", "general", "scaled-dot")


@pytest.mark.parametrize("score", SCORES)
def test_steps_of_a_recurrent_decoder_give_its_weights(score: str) -> None:
    torch.manual_seed(0)
    config = RecurrentConfig(vocab_size=40, width=16, score=score)
    loaded = wrap(RecurrentForConditionalGeneration(config).eval())
    tensors = {"input_ids": torch.arange(3, 10)[None], "decoder_input_ids": torch.arange(9)[None]}
    inputs = from_tensors(loaded.model, tensors)
    [capture] = run(loaded, inputs)
    layer = capture.stacks["cross"].layer(0)
    for row in (0, 4, 8):
        steps = head_steps(loaded, inputs, layer, 0, row)
        weights = capture.stacks["cross"].weights(0, 0)[row]
        np.testing.assert_allclose(steps.weights, weights, atol=1e-6)
        np.testing.assert_allclose(steps.output, weights @ steps.value, atol=1e-5)
        np.testing.assert_allclose(steps.scores, steps.key @ steps.query)
        assert steps.family == score
        assert steps.scale == FAMILIES[score].scale(16)


@pytest.mark.parametrize("score", SCORES)
def test_a_score_is_the_sum_of_its_terms(score: str) -> None:
    torch.manual_seed(0)
    query, key = torch.randn(4, dtype=torch.double), torch.randn(3, 4, dtype=torch.double)
    shapes = {"W": (4, 4), "U": (4, 4), "v": (4,)}
    parameters = {name: torch.randn(shape, dtype=torch.double) for name, shape in shapes.items()}
    left, right = multiplied(score, query, key, parameters)
    exact = FAMILIES[score].score(parameters)(query[None], key)[0]
    torch.testing.assert_close(right @ left, exact)
