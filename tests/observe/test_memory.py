"""What a capture holds: blocks of rows while it runs, only what was kept afterwards."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from attnviz.metrics.scores import Content, Masses
from attnviz.observe import stream
from attnviz.observe.blocks import Observer, RowBlock, Site
from attnviz.observe.checks.crosscheck import flat
from attnviz.observe.checks.self_check import SelfCheck
from attnviz.observe.retained import PooledMaps, TopKeys, WholeMaps
from tests.observe.runs import ids, maps, seen_by
from tests.zoo.oracle import inputs
from tests.zoo.shrink import build


class Births(TorchDispatchMode):
    """Remembers every tensor that is made, and the size of the largest."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[weakref.ref[Tensor]] = []
        self.largest = 0

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for one in result if isinstance(result, (tuple, list)) else [result]:
            if isinstance(one, Tensor):
                self.made.append(weakref.ref(one))
                self.largest = max(self.largest, one.numel())
        return result


@pytest.mark.parametrize("name", ["llama", "bloom", "gemma2", "t5", "longformer"])
def test_a_capture_frees_what_it_saw_without_the_collector(name: str) -> None:
    model = build(name)
    given = inputs(model)
    gc.collect()
    gc.disable()
    try:
        with Births() as births:
            seen = seen_by(model, given, lambda site: [WholeMaps(), Masses(), Content()])
        outputs = {id(one) for one in flat(seen.outputs)}
        cells = 4 * 24 * 24
        alive = [one() for one in births.made]
        large = [
            tuple(one.shape)
            for one in alive
            if one is not None
            and id(one) not in outputs
            and one.untyped_storage().nbytes() >= 4 * cells
        ]
        assert large == []
        del alive, seen
        assert [one() for one in births.made if one() is not None] == []
    finally:
        gc.enable()


def pooled(site: Site) -> Sequence[Observer]:
    return [PooledMaps(side=8), TopKeys(4), SelfCheck(), Masses(), Content()]


def test_no_tensor_grows_beyond_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """4 heads × 256 × 256 is 262,144 cells; a block has 16,384."""
    limit = 4 * 256 * 16
    model = build("llama")
    given = {"input_ids": ids(1, 256)}
    with Births() as plain, torch.no_grad():
        model(**given)
    monkeypatch.setitem(stream.BLOCK_CELLS, "cpu", limit)
    with Births() as births:
        seen_by(model, given, pooled)
    assert births.largest <= max(limit, plain.largest)
    monkeypatch.setitem(stream.BLOCK_CELLS, "cpu", 2**20)
    with Births() as births:
        seen_by(model, given, pooled)
    assert births.largest >= 4 * 256 * 256


class Sizes:
    """An observer that only measures the blocks."""

    passes = 1

    def __init__(self) -> None:
        self.cells: list[int] = []
        self.starts: list[int] = []

    def start(self, site: Site, device: torch.device) -> Sizes:
        return self

    def update(self, block: RowBlock, step: int) -> None:
        assert block.weights.shape[1:] == block.allowed.shape
        self.cells.append(block.weights.numel())
        self.starts.append(block.start)

    def result(self) -> dict[str, Tensor]:
        return {}


@pytest.mark.parametrize("cells", [1, 500, 960, 5000, 2**20])
@pytest.mark.parametrize("name", ["llama", "bert", "bloom"])
def test_blocks_stay_within_their_size(
    name: str, cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(stream.BLOCK_CELLS, "cpu", cells)
    sizes = Sizes()
    model = build(name)
    seen_by(model, inputs(model), lambda site: [sizes], lambda role, layer, heads: [0, 2])
    assert max(sizes.cells) <= max(cells, 2 * 24)  # one row of the two heads at least
    starts = sorted(set(sizes.starts))
    assert len(sizes.starts) == 4 * len(starts)  # 2 layers × 2 examples
    assert starts[0] == 0


@pytest.mark.parametrize("name", ["llama", "bert", "bloom", "gpt_oss"])
def test_small_blocks_give_the_same_maps(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = build(name)
    given = inputs(model, "left")
    large = seen_by(model, given)
    monkeypatch.setitem(stream.BLOCK_CELLS, "cpu", 100)
    for one, other in zip(seen_by(model, given).layers, large.layers, strict=True):
        torch.testing.assert_close(maps(one, 1), maps(other, 1), atol=1e-6, rtol=0)
