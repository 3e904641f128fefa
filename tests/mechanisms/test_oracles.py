"""PyTorch's own attention gives what the reference gives, and gradients are right."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attnviz.mechanisms import (
    Projections,
    additive,
    attend,
    causal,
    concat,
    cross_attention,
    dot,
    general,
    local,
    padding,
    predicted_position,
    scaled_dot,
    scaled_dot_product,
    self_attention,
)
from tests.mechanisms.examples import randoms

BATCH, HEADS, QUERIES, KEYS, WIDTH = 2, 3, 4, 5, 6


def projections(module: nn.MultiheadAttention) -> Projections:
    query, key, value = module.in_proj_weight.chunk(3)
    biases = module.in_proj_bias.chunk(3)
    return Projections(query, key, value, module.out_proj.weight, *biases, module.out_proj.bias)


def module() -> nn.MultiheadAttention:
    torch.manual_seed(0)
    made = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True, dtype=torch.float64)
    nn.init.normal_(made.in_proj_bias)
    nn.init.normal_(made.out_proj.bias)
    return made.eval()


def test_multihead_attention_across() -> None:
    states, others = randoms((BATCH, QUERIES, WIDTH), (BATCH, KEYS, WIDTH))
    real = padding(torch.tensor([KEYS, 2]), KEYS)  # (batch, 1, keys)
    wanted, weights = module()(
        states, others, others, key_padding_mask=~real[:, 0], average_attn_weights=False
    )
    output, found = cross_attention(states, others, projections(module()), HEADS, real[:, None])
    assert torch.allclose(output, wanted)
    assert torch.allclose(found.weights, weights)


def test_multihead_attention_to_itself() -> None:
    (states,) = randoms((BATCH, KEYS, WIDTH))
    wanted, weights = module()(
        states, states, states, attn_mask=~causal(KEYS), average_attn_weights=False
    )
    output, found = self_attention(states, projections(module()), HEADS, causal(KEYS))
    assert torch.allclose(output, wanted)
    assert torch.allclose(found.weights, weights)


@pytest.mark.parametrize("masked", ["nothing", "causal", "random"])
def test_scaled_dot_product_attention(masked: str) -> None:
    shape = (BATCH, HEADS, KEYS, WIDTH)
    query, key, value = randoms(shape, shape, shape)
    mask = {
        "nothing": None,
        "causal": causal(KEYS),
        "random": (randoms((BATCH, 1, KEYS, KEYS), seed=1)[0] > 0) | torch.eye(KEYS).bool(),
    }[masked]
    given = {"is_causal": True} if masked == "causal" else {"attn_mask": mask}
    wanted = F.scaled_dot_product_attention(query, key, value, **given)
    assert torch.allclose(scaled_dot_product(query, key, value, mask=mask).output, wanted)
    assert torch.allclose(attend(query, key, value, scaled_dot, mask=mask).output, wanted)


def test_concat_equals_additive() -> None:
    query, key, weight, other, vector = randoms((2, 4, 3), (2, 5, 6), (7, 3), (7, 6), (7,))
    joined = torch.cat([weight, other], dim=1)
    found = concat(query, key, joined, vector)
    assert torch.allclose(found, additive(query, key, weight, other, vector))
    assert found.shape == (2, 4, 5)


def test_general_with_the_identity_is_dot() -> None:
    query, key = randoms((4, 3), (5, 3))
    assert torch.equal(general(query, key, torch.eye(3, dtype=torch.float64)), dot(query, key))


Q, K, V = (2, 3), (4, 3), (4, 2)
PARAMETERS: dict[str, tuple[Callable[..., Tensor], list[tuple[int, ...]]]] = {
    "dot": (dot, []),
    "scaled_dot": (scaled_dot, []),
    "general": (general, [(3, 3)]),
    "additive": (additive, [(5, 3), (5, 3), (5,)]),
    "concat": (concat, [(5, 6), (5,)]),
}


@pytest.mark.parametrize("name", PARAMETERS)
@pytest.mark.parametrize("mask", [None, torch.tensor([[True, False, True, True], [False] * 4])])
def test_gradients(name: str, mask: Tensor | None) -> None:
    score, shapes = PARAMETERS[name]

    def output(query: Tensor, key: Tensor, value: Tensor, *given: Tensor) -> Tensor:
        scored = lambda q, k: score(q, k, *given)  # noqa: E731
        return attend(query, key, value, scored, mask=mask).output

    inputs = [one.requires_grad_() for one in randoms(Q, K, V, *shapes)]
    assert torch.autograd.gradcheck(output, inputs)


def test_gradients_of_local_attention() -> None:
    query, key, value, weight, vector = (
        one.requires_grad_() for one in randoms(Q, K, V, (3, 3), (3,))
    )

    def output(query: Tensor, key: Tensor, value: Tensor, weight: Tensor, v: Tensor) -> Tensor:
        place = predicted_position(query, weight, v, 4)
        return attend(query, key, value, weigh=lambda e: local(e, place, window=8.0)).output

    assert torch.autograd.gradcheck(output, (query, key, value, weight, vector))


def test_an_unsummed_row_has_a_gradient_of_zero_where_it_is_closed() -> None:
    query, key, value = (one.requires_grad_() for one in randoms(Q, K, V))
    mask = torch.tensor([[True] * 4, [False] * 4])
    attend(query, key, value, mask=mask).output.sum().backward()
    assert query.grad is not None
    assert query.grad[1].tolist() == [0, 0, 0]
    assert query.grad[0].abs().min() > 0
