"""The values behind the weights, and the projection that is proven to write them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

import attnviz
from attnviz.metrics.value_weighted import ValueWeighted
from attnviz.observe.engine import Observation
from attnviz.observe.value_vectors import (
    HeadValues,
    Proof,
    below,
    output_projection,
    projected_lengths,
    weight_of,
)
from tests.observe.runs import ids, seen_by
from tests.zoo.shrink import build


def score(seen: Observation, name: str, example: int = 0) -> np.ndarray:
    return np.stack([layer.kept[example].kept[f"score.{name}"] for layer in seen.layers])


def run(model: PreTrainedModel, **given: Any) -> Observation:
    return seen_by(model, {"input_ids": ids(2, 12)} | given, lambda _: [ValueWeighted()])


@pytest.mark.parametrize("keys", [3, 40])
def test_lengths_with_shared_values(keys: int) -> None:
    """Four heads share two values; directly for few keys, by the Gram matrix for many."""
    generator = torch.Generator().manual_seed(0)
    value = torch.randn(2, keys, 8, generator=generator)
    weight = torch.randn(32, 16, generator=generator)
    behind = HeadValues(value, (0, 2, 3), 4, weight)
    for row, head in enumerate((0, 2, 3)):
        own = value[head // 2]
        written = own @ weight[8 * head : 8 * head + 8]
        torch.testing.assert_close(behind.lengths()[row], own.norm(dim=-1))
        found = behind.written()
        assert found is not None
        torch.testing.assert_close(found[row], written.norm(dim=-1), rtol=1e-5, atol=1e-5)
    rows = torch.softmax(torch.randn(3, keys - 1, generator=generator), -1)
    expected = torch.stack([w @ value[h // 2][:-1] for w, h in zip(rows, (0, 2, 3), strict=True)])
    torch.testing.assert_close(behind.mixed(rows), expected)
    assert HeadValues(value, (0,), 4).written() is None


def test_no_length_is_negative() -> None:
    weight = torch.zeros(2, 3)
    assert projected_lengths(torch.randn(50, 2), weight).tolist() == [0] * 50


def test_the_parts_sum_to_what_the_layer_writes() -> None:
    """‖v W_O‖ of a key that gets everything is the length of the output without its bias."""
    model = build("llama")
    tokens = ids(1, 1)
    outputs: list[Tensor] = []
    attention = model.layers[0].self_attn
    heads = attention.config.num_attention_heads
    handle = attention.o_proj.register_forward_pre_hook(lambda _, given: outputs.append(given[0]))
    seen = run(model, input_ids=tokens)
    handle.remove()
    size = attention.head_dim
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        written = attention.o_proj.weight[:, part] @ outputs[0][0, 0, part]
        assert score(seen, "norm")[0, head] == pytest.approx(
            float(written.detach().norm()), rel=1e-4
        )
    assert score(seen, "value_weighted") == pytest.approx(1)


@pytest.mark.parametrize("name", ["llama", "gpt2", "bert", "opt"])
def test_projections_of_many_shapes_are_found(name: str) -> None:
    seen = run(build(name))
    for kind in ("norm", "value_weighted"):
        assert (score(seen, kind) > 0).all()
    assert (score(seen, "value_weighted") <= 1 + 1e-6).all()


def test_a_model_that_shows_its_weights_alone_has_no_such_score() -> None:
    """Of a softmax that the model calls itself nothing but the weights is seen."""
    seen = run(build("bloom"))
    assert np.isnan(score(seen, "norm")).all()
    assert np.isnan(score(seen, "value_weighted")).all()


def test_padding_changes_nothing() -> None:
    model = build("llama")
    tokens = ids(1, 12)
    alone = run(model, input_ids=tokens)
    padded = torch.cat([torch.zeros(1, 4, dtype=torch.long), tokens], 1)
    mask = (torch.arange(16) >= 4).long()[None]
    seen = run(model, input_ids=padded, attention_mask=mask)
    for name in ("norm", "value_weighted"):
        np.testing.assert_allclose(score(seen, name), score(alone, name), rtol=1e-4)


def test_windows_that_end_before_the_padding_leave_the_projection_proven() -> None:
    """The last rows of the short text see nothing but padding."""
    model = build("mistral")
    model.config.sliding_window = 4
    short, long = ids(1, 5), ids(1, 16)
    given = {"input_ids": torch.cat([torch.cat([short, torch.zeros_like(long)[:, 5:]], 1), long])}
    given["attention_mask"] = torch.tensor([[1] * 5 + [0] * 11, [1] * 16])
    seen = run(model, **given)
    for example, alone in enumerate((short, long)):
        expected = score(run(model, input_ids=alone), "norm")
        np.testing.assert_allclose(score(seen, "norm", example), expected, rtol=1e-4)


def test_what_stands_between_breaks_the_proof() -> None:
    """A gate that scales what the heads made, before the projection sees it."""
    model = build("llama")
    gate = model.layers[0].self_attn.o_proj.register_forward_pre_hook(
        lambda _, given: (given[0] * 2,)
    )
    seen = run(model)
    gate.remove()
    assert np.isnan(score(seen, "norm")[0]).all()
    assert (score(seen, "norm")[1:] > 0).all()
    assert (score(seen, "value_weighted") > 0).all()
    assert not model.layers[0].self_attn.o_proj._forward_pre_hooks


@pytest.mark.parametrize(
    ("name", "holds"),
    [("gpt_oss", True), ("albert", True), ("bitnet", False), ("qwen3_next", False)],
)
def test_gates_and_norms_in_between_are_noticed(name: str, holds: bool) -> None:
    """BitNet has a norm there, Qwen3-Next a gate; learned sinks only take from the rows."""
    seen = run(build(name))
    assert {layer.proof.holds for layer in seen.layers if layer.proof is not None} == {holds}
    assert (np.isfinite(score(seen, "norm")) == holds).all()
    assert np.isfinite(score(seen, "value_weighted")).all()


def test_a_projection_that_is_never_called_proves_nothing() -> None:
    proof = Proof(torch.ones(2, 3), 3, (0, 1), 2, 1e-3)
    layer = nn.Linear(6, 6)
    stop = proof.watch(layer)
    stop()
    layer(torch.ones(1, 1, 6))
    assert not proof.holds
    proof.watch(layer)
    layer(torch.ones(1, 4, 6))
    assert proof.holds
    proof.watch(layer)
    layer(torch.ones(4, 6))
    assert not proof.holds


def test_where_projections_are_looked_for() -> None:
    outer, inner = nn.Module(), nn.Module()
    outer.output, outer.output.dense = nn.Module(), nn.Linear(8, 4)
    inner.q_proj, inner.dense = nn.Linear(8, 8), nn.Linear(5, 8)
    assert output_projection([inner, outer], 8) is outer.output.dense
    inner.dense = nn.Linear(8, 8)
    assert output_projection([inner, outer], 8) is inner.dense
    assert output_projection([inner], 9) is None
    assert below(outer, "output.nothing") is None
    assert weight_of(nn.LayerNorm(8)) is None
    assert weight_of(nn.Embedding(8, 8)) is None


def test_selected_heads_have_the_scores_of_all() -> None:
    model = attnviz.load("sample:english")
    text = "the old sailor met the young widow"
    some = attnviz.capture(model, text, heads=[1, 3]).scores["self"]
    every = attnviz.capture(model, text).scores["self"]
    for name in ("norm", "value_weighted"):
        np.testing.assert_allclose(some[name][:, [1, 3]], every[name][:, [1, 3]], rtol=1e-4)
        assert np.isfinite(every[name]).all()
