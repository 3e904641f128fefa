"""Layers counted from the end: found without a run of their own where the config tells of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

import attnviz
from attnviz.attention.selection import Selection
from attnviz.errors import SelectionError
from attnviz.inputs.tensors import from_tensors
from attnviz.models.load import wrap
from attnviz.runs.forecast import forecast, foreseen
from attnviz.runs.request import RunRequest
from tests.observe.runs import ids
from tests.zoo.oracle import inputs
from tests.zoo.shrink import build

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def forwards(model: PreTrainedModel) -> list[int]:
    """Grows with every forward of the model."""
    runs: list[int] = []
    model.register_forward_pre_hook(lambda *_: runs.append(1))
    return runs


def last_layer(model: PreTrainedModel, layer: str = "-1", stack: str | None = None) -> list[int]:
    selection = Selection.parse(layer=layer, stack=stack)
    capture = attnviz.captures(model, inputs(model), selection=selection)[0]
    return sorted({number for stack in capture.stacks.values() for number in stack.layers})


@pytest.mark.parametrize(
    ("name", "stack", "layers"),
    [
        ("bert", None, [1]),
        ("llama", None, [1]),
        ("t5", None, [1]),
        ("t5", "encoder", [1]),
        ("bart", "cross", [1]),
        ("qwen3_next", None, [1]),
        ("lfm2", None, [1]),
        ("recurrent_gemma", None, [2]),
    ],
)
def test_one_forward_where_the_config_tells(
    name: str, stack: str | None, layers: list[int]
) -> None:
    model = build(name)
    runs = forwards(model)
    assert last_layer(model, stack=stack) == layers
    assert len(runs) == 1


@pytest.mark.parametrize(
    ("told", "layer", "layers"),
    [
        (3, "-1", [1]),  # more than there are: observes a layer that is not there
        (1, "-1", [1]),  # fewer: observes the wrong one
        (1, "-2", [0]),  # fewer than are asked for: a run that only counts
        (0, "-1", [1]),
        (0, "0--1", [0, 1]),
    ],
)
def test_a_second_forward_where_it_does_not(told: int, layer: str, layers: list[int]) -> None:
    model = build("bert")
    model.config.num_hidden_layers = told
    runs = forwards(model)
    assert last_layer(model, layer) == layers
    assert len(runs) == 2


def test_a_module_without_a_config_is_run_twice() -> None:
    layer = torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    module = torch.nn.TransformerEncoder(layer, 3, enable_nested_tensor=False)
    runs: list[int] = []
    module.register_forward_pre_hook(lambda *_: runs.append(1))
    capture = attnviz.capture(module, (torch.rand(1, 5, 8),), layers=[-1])
    assert capture.main_stack.layers == [2]
    assert len(runs) == 2


def test_layers_that_do_not_exist_are_told_of_what_was_seen() -> None:
    model = build("llama")
    model.config.num_hidden_layers = 7
    with pytest.raises(SelectionError, match="layer -5 does not exist: LlamaModel has layers 0-1"):
        last_layer(model, "-5")


def test_a_cache_is_read_as_it_was_by_the_second_run() -> None:
    tokens = ids(1, 12)
    weights = []
    for told in (2, 1):
        model = build("gpt2")
        with torch.no_grad():
            cache = model(tokens[:, :8], use_cache=True).past_key_values
        model.config.n_layer = told
        given = {"input_ids": tokens[:, 8:], "past_key_values": cache}
        weights.append(attnviz.capture(model, given, layers=[-1]).main_stack.weights(1))
    assert weights[0].shape == (4, 4, 12)
    np.testing.assert_array_equal(*weights)


@pytest.mark.parametrize("told", [2, 3, 0])
def test_a_plan_reads_the_model_only_to_count(told: int) -> None:
    model = build("gpt2")
    given = from_tensors(model, {"input_ids": ids(1, 60)})
    model.config.n_layer = told
    runs = forwards(model)
    foreseen(wrap(model), given, RunRequest(Selection.parse(layer="-1")))
    assert len(runs) == (told == 0)
    paths = forecast(wrap(model), given, RunRequest(Selection.parse(layer="-1"))).paths
    assert [path.layers for path in paths if path.origin is not None] == [(1,)]
