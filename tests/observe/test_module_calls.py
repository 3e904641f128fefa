"""Which module is running."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from attnviz.observe.module_calls import ModuleWalk, Running


class Probe(nn.Module):
    """Reports what the walk says while it runs."""

    def __init__(self, walks: list[ModuleWalk], heard: list[Running]) -> None:
        super().__init__()
        self.walks, self.heard = walks, heard
        self.num_heads = 3

    def forward(self, x: torch.Tensor, encoder_hidden_states: object = None) -> torch.Tensor:
        running = self.walks[0].current()
        assert running is not None
        assert self.walks[0].current(self) is running
        self.heard.append(running)
        return x


class Block(nn.Module):
    def __init__(self, probe: Probe) -> None:
        super().__init__()
        self.probe = probe

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.probe(self.probe(x), encoder_hidden_states=x)


def model_of(shared: bool) -> tuple[nn.Sequential, list[ModuleWalk], list[Running]]:
    walks: list[ModuleWalk] = []
    heard: list[Running] = []
    one = Probe(walks, heard)
    blocks = [Block(one if shared else Probe(walks, heard)) for _ in range(2)]
    model = nn.Sequential(*blocks)
    walks.append(ModuleWalk(model))
    return model, walks, heard


@pytest.mark.parametrize("shared", [True, False])
def test_paths_lie_below_the_caller(shared: bool) -> None:
    model, walks, heard = model_of(shared)
    with walks[0].watch() as walk:
        model(torch.ones(1))
        assert walk.stack == []
    assert [one.path for one in heard] == ["0.probe", "0.probe", "1.probe", "1.probe"]
    assert [one.crosses for one in heard] == [False, True, False, True]
    callers = [one.caller for one in heard]
    assert callers[0] == callers[1] != callers[2] == callers[3]
    assert len({one.invocation for one in heard}) == 4
    assert set(walk.names) >= {"", "0", "1", "0.probe", "1.probe"}


def test_nothing_is_heard_outside() -> None:
    model, walks, heard = model_of(shared=False)
    with walks[0].watch():
        pass
    with pytest.raises(AssertionError):
        model(torch.ones(1))
    assert heard == []
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_a_module_that_fails_is_left() -> None:
    class Fails(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise KeyError

    class Catches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Fails()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            with pytest.raises(KeyError):
                self.inner(x)
            return x

    model, walks, heard = model_of(shared=False)
    model.insert(0, Catches())
    walks[0] = ModuleWalk(model)
    with walks[0].watch():
        model(torch.ones(1))
    assert [one.path for one in heard] == ["1.probe", "1.probe", "2.probe", "2.probe"]


def test_head_counts_come_from_the_innermost_outwards() -> None:
    model, walks, heard = model_of(shared=False)
    counts: list[list[int]] = []
    model[0].config = type("Config", (), {"num_attention_heads": 12, "n_head": "many"})()
    model[0].probe.register_forward_pre_hook(lambda *_: counts.append([*walks[0].head_counts()]))
    with walks[0].watch():
        model(torch.ones(1))
    assert counts == [[3, 12], [3, 12]]
    assert len(heard) == 4
