"""Observing changes nothing of the run, leaves nothing behind, and minds its own thread."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from transformers import (
    AttentionInterface,
    BertConfig,
    BertModel,
    CLIPConfig,
    CLIPModel,
)
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, sdpa_mask

import attnviz
from attnviz.errors import CaptureError
from attnviz.observe.blocks import Observer, Site
from attnviz.observe.checks.crosscheck import flat
from attnviz.observe.taps.interface import active, interface_tap
from tests.observe.runs import ids, maps, seen_by
from tests.zoo.oracle import inputs
from tests.zoo.shrink import build


def traces(model: nn.Module) -> int:
    """How many hooks a model carries."""
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


@pytest.mark.parametrize("name", ["llama", "bert", "bloom", "gemma2", "t5", "albert"])
def test_twice_gives_the_same(name: str) -> None:
    model = build(name)
    given = inputs(model, "left")
    first, second = seen_by(model, given), seen_by(model, given)
    assert [one.place for one in first.layers] == [one.place for one in second.layers]
    for one, other in zip(first.layers, second.layers, strict=True):
        for example in range(2):
            assert torch.equal(maps(one, example), maps(other, example))
    assert traces(model) == 0
    assert active() is None


class BrokenError(RuntimeError):
    pass


@pytest.mark.parametrize("name", ["llama", "bloom"])
def test_an_error_in_the_model_leaves_nothing_behind(name: str) -> None:
    model = build(name)
    given = inputs(model)
    before = seen_by(model, given)

    def fail(*_: object) -> None:
        raise BrokenError

    module = model.get_submodule(before.layers[1].place.path)
    handle = module.register_forward_hook(fail)
    model.train()
    with pytest.raises(BrokenError):
        seen_by(model, given)
    handle.remove()
    assert model.training
    assert traces(model) == 0
    assert active() is None
    assert torch.overrides._get_current_function_mode() is None
    assert torch.is_grad_enabled()
    again = seen_by(model.eval(), given)
    assert torch.equal(maps(again.layers[1]), maps(before.layers[1]))


def test_an_error_in_an_observer_leaves_nothing_behind() -> None:
    model = build("llama")

    def fail(site: Site) -> Sequence[Observer]:
        raise BrokenError

    with pytest.raises(BrokenError):
        seen_by(model, inputs(model), fail)
    assert traces(model) == 0
    assert active() is None


def test_every_module_gets_its_own_mode_back() -> None:
    model = build("bert").train()
    frozen = model.encoder.layer[0]
    frozen.eval()
    modes = [module.training for module in model.modules()]
    model.config.hidden_dropout_prob = 0.5
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.5
    given = inputs(model)
    seen = seen_by(model, given)
    assert [module.training for module in model.modules()] == modes
    model.eval()
    assert torch.equal(maps(seen.layers[1]), maps(seen_by(model, given).layers[1]))


def test_gradients_are_off_inside_and_on_outside() -> None:
    model = build("bert")
    seen = seen_by(model, inputs(model))
    assert not any(one.requires_grad for one in flat(seen.outputs))
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("name", ["llama", "bert"])
def test_the_whole_model_is_compiled_after_a_capture_as_before(name: str) -> None:
    model = build(name)
    given = {"input_ids": ids(1, 8)}
    with torch.no_grad():
        plain = model(**given)[0]
        for _ in range(2):
            torch.compiler.reset()
            whole = torch.compile(model, backend="eager", fullgraph=True)
            torch.testing.assert_close(whole(**given)[0], plain)
            seen_by(model, given)
            torch.testing.assert_close(whole(**given)[0], plain)


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_compiled_model_is_observed_as_it_is_written(wrapped: bool) -> None:
    model = build("llama")
    given = {"input_ids": ids(1, 8)}
    plain = attnviz.capture(model, given).main_stack.layer(1)
    torch.compiler.reset()
    if wrapped:
        whole = torch.compile(model, backend="eager", fullgraph=True)
    else:
        model.compile(backend="eager", fullgraph=True)
        whole = model
    seen = attnviz.capture(whole, given)
    np.testing.assert_array_equal(seen.main_stack.layer(1).kept["weights"], plain.kept["weights"])
    assert seen.model == attnviz.capture(model, given).model
    assert wrapped or model._compiled_call_impl is not None
    torch.compiler.reset()


def test_the_wrappers_go_with_the_last_tap_of_any_thread() -> None:
    watcher: Any = None
    opened, over = threading.Event(), threading.Event()

    def wrapped() -> tuple[bool, bool]:
        method, mask = AttentionInterface.get_interface, ALL_MASK_ATTENTION_FUNCTIONS["sdpa"]
        return "attnviz" in method.__module__, mask is not sdpa_mask

    def tap() -> None:
        with interface_tap(watcher):
            opened.set()
            over.wait(10)

    thread = threading.Thread(target=tap)
    with interface_tap(watcher):
        thread.start()
        assert opened.wait(10)
    assert wrapped() == (True, True)
    over.set()
    thread.join()
    assert wrapped() == (False, False)


def test_two_models_in_two_threads_and_a_third_unobserved() -> None:
    names = ["llama", "bert", "bloom"]
    models = {name: build(name) for name in names}
    given = {name: inputs(models[name]) for name in names}
    alone = {name: seen_by(models[name], given[name]) for name in names[:2]}
    barrier = threading.Barrier(3)
    found: dict[str, list[Any]] = {name: [] for name in names}

    def capture(name: str) -> None:
        barrier.wait()
        for _ in range(5):
            found[name].append(seen_by(models[name], given[name]))

    def run(name: str) -> None:
        barrier.wait()
        for _ in range(15):
            found[name].append(models[name](**given[name])[0])

    threads = [threading.Thread(target=capture, args=[name]) for name in names[:2]]
    threads.append(threading.Thread(target=run, args=["bloom"]))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in names[:2]:
        assert len(found[name]) == 5
        for seen in found[name]:
            assert [one.place for one in seen.layers] == [one.place for one in alone[name].layers]
            assert torch.equal(maps(seen.layers[1]), maps(alone[name].layers[1]))
    assert len(found["bloom"]) == 15


def test_the_same_model_running_in_another_thread_is_not_seen() -> None:
    model = build("llama")
    given = inputs(model)
    alone = seen_by(model, given)
    runs: list[Tensor] = []

    def run() -> None:
        with torch.no_grad():
            runs.append(model(**given)[0])

    def meanwhile(*_: object) -> None:
        if threading.current_thread() is threading.main_thread():
            thread = threading.Thread(target=run)
            thread.start()
            thread.join()

    module = model.get_submodule(alone.layers[0].place.path)
    handle = module.register_forward_pre_hook(meanwhile)
    seen = seen_by(model, given)
    handle.remove()
    assert len(runs) == 1
    assert [one.place for one in seen.layers] == [one.place for one in alone.layers]
    for one, other in zip(seen.layers, alone.layers, strict=True):
        assert torch.equal(maps(one), maps(other))


@pytest.mark.parametrize(
    ("outer", "inner"), [("llama", "bert"), ("bloom", "gptj"), ("gptj", "bert")]
)
def test_a_capture_inside_a_capture(outer: str, inner: str) -> None:
    models = {name: build(name) for name in (outer, inner)}
    given = {name: inputs(model) for name, model in models.items()}
    alone = {name: seen_by(models[name], given[name]) for name in models}
    within: list[Any] = []
    path = alone[outer].layers[1].place.path

    def nested(*_: object) -> None:
        within.append(seen_by(models[inner], given[inner]))

    handle = models[outer].get_submodule(path).register_forward_pre_hook(nested)
    around = seen_by(models[outer], given[outer])
    handle.remove()
    for seen, name in ((around, outer), (within[0], inner)):
        assert [one.place for one in seen.layers] == [one.place for one in alone[name].layers]
        for one, other in zip(seen.layers, alone[name].layers, strict=True):
            assert torch.equal(maps(one), maps(other))


def test_unwanted_layers_are_placed_and_cost_nothing() -> None:
    model = build("bloom")
    seen = seen_by(
        model, inputs(model), wanted=lambda role, layer, heads: [1] if layer == 1 else ()
    )
    assert [len(one.kept) for one in seen.layers] == [0, 2]
    assert seen.layers[0].row is None
    assert seen.stacks()["self"].layers == [1]
    assert seen.stacks()["self"].heads(1) == (1,)


def test_a_model_without_attention_is_an_error() -> None:
    model = build("mamba")
    with pytest.raises(CaptureError, match="no attention was seen in MambaModel"):
        seen_by(model, {"input_ids": ids(1, 8)})


def test_axes_name_what_they_can() -> None:
    """The labels belong to the text; caches and images get slots, even of the same length."""
    model = build("bart")
    given = {"input_ids": ids(1, 9), "decoder_input_ids": ids(1, 5, seed=1)}
    stacks = seen_by(model, given).stacks()
    source = tuple(str(i) for i in given["input_ids"][0].tolist())
    target = tuple(str(i) for i in given["decoder_input_ids"][0].tolist())
    assert stacks["encoder"].queries(0).labels == stacks["encoder"].keys(0).labels == source
    assert stacks["decoder"].keys(1).labels == stacks["cross"].queries(1).labels == target
    assert stacks["cross"].keys(0).labels == source


@pytest.mark.parametrize(("texts", "images"), [(2, 2), (2, 1), (1, 2)])
def test_pictures_and_text_are_told_apart(texts: int, images: int) -> None:
    """17 patches and 17 tokens: a patch is not named after a token."""
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = CLIPConfig(
        text_config=sizes | {"vocab_size": 100, "eos_token_id": 99},
        vision_config=sizes | {"image_size": 32, "patch_size": 8, "num_hidden_layers": 3},
    )
    torch.manual_seed(0)
    model = CLIPModel(config).eval()
    pixels = torch.randn(images, 3, 32, 32)
    seen = seen_by(model, {"input_ids": ids(texts, 17), "pixel_values": pixels})
    for example in range(texts):
        stacks = seen.stacks(example)
        assert stacks["text"].layers == [0, 1]
        assert stacks["text"].queries(0).kind == "token"
        assert ("vision" in stacks) == (texts in (1, images))
        if "vision" in stacks:
            assert stacks["vision"].layers == [0, 1, 2]
            assert stacks["vision"].keys(2).kind == "slot"
            assert len(stacks["vision"].keys(2)) == 17


def test_states_handed_over_are_slots() -> None:
    """A decoder alone does not know what its cross attention looks at."""
    config = BertConfig(
        vocab_size=100, hidden_size=16, num_hidden_layers=1, num_attention_heads=4,
        intermediate_size=16, is_decoder=True, add_cross_attention=True,
    )  # fmt: skip
    model = BertModel(config).eval()
    given = {"input_ids": ids(1, 7), "encoder_hidden_states": torch.randn(1, 7, 16)}
    stacks = seen_by(model, given).stacks()
    assert stacks["cross"].keys(0).kind == "slot"
    assert stacks["cross"].queries(0).kind == stacks["self"].keys(0).kind == "token"
    assert float(stacks["cross"].weights(0)[:, 0, 1:].min()) > 0
