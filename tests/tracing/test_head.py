"""The steps of one query, recomputed from what the attention function was given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from torch import Tensor

from attnviz.errors import CaptureError
from attnviz.inputs.tensors import from_tensors
from attnviz.mechanisms import attend
from attnviz.models.load import wrap
from attnviz.observe.head_call import HeadCall
from attnviz.runs.run import run
from attnviz.tracing.head import CLOSE, HeadSteps, computed, head_steps

BASE = {
    "vocab_size": 60, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
    "intermediate_size": 48, "max_position_embeddings": 64,
}  # fmt: skip
GROUPED = BASE | {"num_key_value_heads": 2, "head_dim": 8}
WINDOW = GROUPED | {"sliding_window": 4}
PAIR = {
    "vocab_size": 60, "d_model": 32, "encoder_layers": 2, "decoder_layers": 2,
    "encoder_attention_heads": 4, "decoder_attention_heads": 4, "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48, "pad_token_id": 1, "decoder_start_token_id": 1,
}  # fmt: skip
MODELS: dict[str, dict[str, Any]] = {
    "GPT2": {"vocab_size": 60, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64},
    "Llama": GROUPED,
    "Bert": BASE,
    "Mistral": WINDOW,
    "Gemma2": WINDOW | {"attn_logit_softcapping": 5.0, "query_pre_attn_scalar": 8},
    "GptOss": WINDOW | {"num_local_experts": 2, "num_experts_per_tok": 1},
    "ModernBert": BASE | {"local_attention": 4} | {
        f"{name}_token_id": 0 for name in ("pad", "bos", "eos", "cls", "sep")
    },
    "Marian": PAIR,
    "T5": {"vocab_size": 60, "d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4},
}  # fmt: skip
Traced = Callable[..., HeadSteps]


def model_of(name: str) -> transformers.PreTrainedModel:
    """A tiny model whose attention is far from even, with its learned sinks at random."""
    torch.manual_seed(0)
    config = getattr(transformers, f"{name}Config")(**MODELS[name])
    model = getattr(transformers, f"{name}Model")(config).eval()
    with torch.no_grad():
        for path, parameter in model.named_parameters():
            if "sink" in path or parameter.ndim > 1:
                parameter.normal_(0, 1.0 if "sink" in path else 0.35)
    return model


def traces(name: str) -> list[tuple[str, int, np.ndarray, HeadSteps]]:
    """(stack, query, captured weights, steps) of two heads and three queries of every layer."""
    tensors = {"input_ids": torch.arange(3, 15)[None]}
    if name in ("Marian", "T5"):
        tensors["decoder_input_ids"] = torch.arange(20, 29)[None]
    loaded = wrap(model_of(name))
    inputs = from_tensors(loaded.model, tensors)
    [capture] = run(loaded, inputs)
    return [
        (stack.name, row, stack.weights(layer.layer, head)[row],
         head_steps(loaded, inputs, layer, head, row))
        for stack in capture.stacks.values()
        for layer in stack.by_layer.values()
        for head in (0, 3)
        for row in (0, 5, len(layer.queries) - 1)
    ]  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_steps_give_the_captured_weights(name: str) -> None:
    found = traces(name)
    assert len(found) >= 12
    for _, _, captured, steps in found:
        assert np.abs(captured - steps.weights).max() <= CLOSE
        assert steps.difference <= CLOSE
        assert steps.written is not None
        assert np.allclose(steps.output, steps.weights @ steps.value)
    assert max(captured.max() for _, _, captured, _ in found) > 0.5  # far from even


@pytest.mark.parametrize("name", ["GPT2", "Llama", "Bert"])
def test_captured_queries_keys_and_values_through_the_mechanisms(name: str) -> None:
    for _, _, captured, steps in traces(name):
        q, k, v = (torch.from_numpy(one) for one in (steps.query[None], steps.key, steps.value))
        mask = torch.from_numpy(np.isfinite(steps.masked))[None]
        found = attend(q, k, v, scale=q.shape[-1] ** -0.5, mask=mask)
        assert np.abs(found.weights[0].numpy() - captured).max() <= CLOSE
        assert np.allclose(found.output[0].numpy(), steps.output)


def test_grouped_heads_share_keys() -> None:
    loaded = wrap(model_of("Llama"))
    inputs = from_tensors(loaded.model, {"input_ids": torch.arange(3, 15)[None]})
    [capture] = run(loaded, inputs)
    layer = capture.stacks["self"].layer(1)
    steps = [head_steps(loaded, inputs, layer, head, 7) for head in range(4)]
    assert [(one.group, one.groups, one.heads) for one in steps] == [
        (0, 2, 4), (0, 2, 4), (1, 2, 4), (1, 2, 4),
    ]  # fmt: skip
    assert np.array_equal(steps[0].key, steps[1].key)
    assert not np.array_equal(steps[1].key, steps[2].key)


def test_soft_cap() -> None:
    for _, _, _, steps in traces("Gemma2"):
        assert steps.capped is not None
        assert steps.softcap == 5.0
        assert np.allclose(steps.capped, 5 * np.tanh(steps.scaled / 5))
        assert np.abs(steps.capped - steps.scaled).max() > 0


def test_learned_sinks_take_the_rest() -> None:
    for _, _, _, steps in traces("GptOss"):
        assert steps.sink is not None
        assert 0 < steps.sink[1] < 1
        assert steps.weights.sum() + steps.sink[1] == pytest.approx(1)


def test_windows_are_masks() -> None:
    for _, row, _, steps in traces("Mistral"):
        allowed = np.isfinite(steps.masked)
        assert allowed.tolist() == [row - 4 < key <= row for key in range(12)]


def test_position_bias() -> None:
    found = traces("T5")
    for stack, _, _, steps in found:
        assert (steps.biased is None) == (stack == "cross")
        assert steps.scale == 1
    assert {stack for stack, *_ in found} == {"encoder", "decoder", "cross"}


def test_parts_of_the_heads_sum_to_the_output_of_the_layer() -> None:
    model = model_of("Bert")
    dense = model.encoder.layer[1].attention.output.dense
    given: list[Tensor] = []
    dense.register_forward_pre_hook(lambda _, args: given.append(args[0][0, 5]))
    loaded = wrap(model)
    inputs = from_tensors(model, {"input_ids": torch.arange(3, 15)[None]})
    [capture] = run(loaded, inputs)
    layer = capture.stacks["self"].layer(1)
    steps = [head_steps(loaded, inputs, layer, head, 5) for head in range(4)]
    outputs = np.concatenate([one.output for one in steps])
    assert np.abs(outputs - given[0].numpy()).max() < 1e-5
    weight = dense.weight.detach().double().numpy()
    for head, one in enumerate(steps):
        part = weight[:, head * 8 : (head + 1) * 8]
        each = np.linalg.norm((one.weights[:, None] * one.value) @ part.T, axis=-1)
        assert one.written is not None
        assert np.allclose(one.written, each)
        assert one.written_output == pytest.approx(np.linalg.norm(part @ one.output))


def call_of(**changes: Any) -> HeadCall:
    """Two keys with the scores 0 and ln 3: the weights 1/4 and 3/4."""
    key = torch.tensor([[0.0, 1.0], [np.log(3), 0.0]], dtype=torch.float64)
    call = HeadCall(
        query=torch.tensor([1.0, 0.0], dtype=torch.float64), key=key, value=torch.eye(2).double(),
        allowed=torch.tensor([True, True]), weights=torch.tensor([0.25, 0.75]).double(), scale=1.0,
        softcap=None, bias=None, sink=None, projection=None, group=0, groups=1, rounding=1e-7,
    )  # fmt: skip
    return replace(call, **changes)


def test_closed_forms() -> None:
    steps = computed(call_of(), 1, False, "L0H0")
    assert steps.weights == pytest.approx([0.25, 0.75])
    assert steps.output == pytest.approx([0.25, 0.75])
    sink = computed(call_of(sink=0.0, weights=torch.tensor([0.2, 0.6])), 1, False, "L0H0")
    assert sink.sink == (0.0, pytest.approx(0.2))
    alone = call_of(allowed=torch.tensor([True, False]), weights=torch.tensor([1.0, 0.0]))
    assert computed(alone, 1, False, "L0H0").masked.tolist() == [0.0, -np.inf]


def test_false_steps_are_refused() -> None:
    with pytest.raises(CaptureError, match=r"up to 0\.05 from the model's own"):
        computed(call_of(weights=torch.tensor([0.2, 0.8])), 1, False, "L0H0 of toy")
    with pytest.raises(CaptureError):
        computed(call_of(weights=torch.tensor([0.2, torch.nan])), 1, False, "L0H0 of toy")


def test_rounding_of_large_scores_is_allowed_for() -> None:
    off = torch.tensor([0.25, 0.75]).double() + 2e-3
    assert computed(call_of(weights=off, rounding=2**-7), 1, False, "L0H0").difference > CLOSE
