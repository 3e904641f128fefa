"""What the arguments of an attention call tell, by the names that are known and others."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from attnviz.errors import CaptureError
from attnviz.models.anatomy.handed import anatomy_of
from attnviz.observe.head_call import head_call
from attnviz.observe.masks.mask import Mask
from attnviz.observe.sources.map_source import FunctionSource
from attnviz.tracing.head import computed

HANDED = {"scale": "temper", "softcap": "bound", "sinks": "spill"}


def bent(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    *,
    temper: float,
    bound: float,
    spill: Tensor,
    **_: Any,
) -> tuple[None, Tensor]:
    """Soft-capped attention with a learned sink, whose arguments have names of their own."""
    scores = bound * torch.tanh(query @ key.mT * temper / bound)
    sinks = spill.view(1, -1, 1, 1).expand(*scores.shape[:3], 1)
    return None, torch.cat([scores, sinks], dim=-1).softmax(dim=-1)[..., :-1]


def source(facts: dict[str, str] | None) -> FunctionSource:
    generator = torch.Generator().manual_seed(0)
    states = [torch.randn(1, 2, 5, 8, generator=generator) for _ in range(3)]
    keywords = {"temper": 0.7, "bound": 1.5, "spill": torch.tensor([0.3, -0.4])}
    mask = Mask(None, 5, 5, causal=False)
    return FunctionSource(nn.Module(), *states, mask, bent, keywords, anatomy_of(facts))


def test_arguments_of_other_names_are_handed_in() -> None:
    call = head_call(source(HANDED), None, 1, 3)
    assert (call.scale, call.softcap) == (0.7, 1.5)
    assert call.sink == pytest.approx(-0.4)
    steps = computed(call, 2, False, "L0H1")
    assert steps.difference <= 1e-6
    assert steps.weights.sum() < 1


def test_without_them_the_steps_are_not_those_of_the_model() -> None:
    call = head_call(source(None), None, 1, 3)
    assert (call.softcap, call.sink) == (None, None)
    with pytest.raises(CaptureError, match="the steps of L0H1 cannot be shown"):
        computed(call, 2, False, "L0H1")


def test_rows_of_a_sink_may_sum_to_less() -> None:
    assert source(HANDED).leaks
    assert not source(None).leaks
    assert source({"sinks": "spi"}).leaks
