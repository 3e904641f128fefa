"""Several threads that use one model: each capture is what it is alone."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn

from attnviz.observe.module_calls import ModuleWalk, alone
from tests.observe.runs import ids, maps, seen_by
from tests.zoo.shrink import build

ROUNDS = 12


@pytest.fixture
def eager_switches() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def at_once(*work: Callable[[], None]) -> None:
    """Run these in threads of their own; what one raises is raised here."""
    start = threading.Barrier(len(work))

    def run(one: Callable[[], None]) -> None:
        start.wait()
        for _ in range(ROUNDS):
            one()

    with ThreadPoolExecutor(len(work)) as pool:
        for future in [pool.submit(run, one) for one in work]:
            future.result()


@pytest.mark.parametrize("name", ["bert", "bloom"])
def test_captures_of_one_model_take_turns(name: str, eager_switches: None) -> None:
    """One that ends sooner does not hand the model back to training under the others."""
    model = build(name).train()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.5
    texts = [{"input_ids": ids(1, 6 + i, seed=i)} for i in range(3)]
    expected = [[maps(one) for one in seen_by(model, given).layers] for given in texts]

    def check(i: int) -> None:
        found = [maps(one) for one in seen_by(model, texts[i]).layers]
        for own, wanted in zip(found, expected[i], strict=True):
            assert torch.equal(own, wanted)

    at_once(*(lambda i=i: check(i) for i in range(3)))
    assert all(module.training for module in model.modules())
    assert not any(len(m._forward_pre_hooks) + len(m._forward_hooks) for m in model.modules())


def test_a_model_may_run_while_it_is_captured(eager_switches: None) -> None:
    model, given = build("llama"), {"input_ids": ids(1, 7)}
    with torch.no_grad():
        plain = model(**given)[0]
    expected = [maps(one) for one in seen_by(model, given).layers]

    def capture() -> None:
        for own, wanted in zip(seen_by(model, given).layers, expected, strict=True):
            assert torch.equal(maps(own), wanted)

    def run() -> None:
        with torch.no_grad():
            assert torch.equal(model(**given)[0], plain)

    at_once(capture, run, run)


def test_a_hook_that_is_called_late_says_nothing() -> None:
    """torch hands a hook no keyword arguments where it was removed in the meantime."""
    model = nn.Sequential(nn.Linear(2, 2))
    walk = ModuleWalk(model)
    found: list[BaseException] = []

    def call() -> None:
        try:
            walk._enter(model[0], ())
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    assert (found, walk.stack) == ([], [])


def test_a_capture_inside_a_capture_does_not_wait_for_itself() -> None:
    model = nn.Linear(2, 2)
    with alone(model), alone(model):
        pass
