"""Every text architecture that transformers can build: captured under its own default attention,
compared with its own eager weights, without padding and with padding on either side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest
import torch
from torch import Tensor

from attnviz.attention.axis import Axis
from attnviz.errors import CaptureError
from attnviz.models.load import wrap
from attnviz.observe import stream
from attnviz.observe.checks.crosscheck import flat
from attnviz.observe.checks.self_check import IGNORES_PADDING, SelfCheck, verdicts
from attnviz.observe.engine import Layer, Observation, everything, observe
from attnviz.observe.retained import WholeMaps
from tests.zoo.oracle import CASES, Map, Padding, dropped, eager_run, inputs
from tests.zoo.overrides import NO_ORACLE, NOT_ATTENTION
from tests.zoo.shrink import build, quiet

Wanted = Callable[[str, int, int], Sequence[int]]
ROLES = {
    "attentions": "self",
    "encoder_attentions": "encoder",
    "decoder_attentions": "decoder",
    "cross_attentions": "cross",
}
# The model's eager attention computes something else than its default.
EAGER_DIFFERS = {"falcon+alibi": "eager adds the ALiBi bias twice, the default once"}
# Our maps are in one piece where the model returns slices, or exceed what it returns.
MERGED = {"t5gemma2": "one softmax over the decoder's and the encoder's keys"}
MORE = {
    "blt": "its patcher, local encoder and cross attention are captured, not returned",
    "reformer+local": "attends by exponentials of chunks, without a softmax call",
}
IGNORE_PADDING = {
    "xlm+causal": "masks by position only",
    "fastspeech2_conformer_with_hifigan": "takes no attention mask",
}
UNSEEN = {"reformer", "reformer+local", "big_bird+block_sparse"}


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Row blocks of five rows, so that every map is put together from several."""
    monkeypatch.setitem(stream.BLOCK_CELLS, "cpu", 4 * 24 * 5)
    return iter(())


def axes(ids: Tensor, mask: Tensor) -> list[Axis]:
    return [
        Axis(labels=tuple(str(i) for i in row), padding=tuple(not real for real in known))
        for row, known in zip(ids.tolist(), mask.bool().tolist(), strict=True)
    ]


def run(
    name: str,
    padding: Padding,
    wanted: Wanted = everything,
    implementation: str | None = None,
) -> tuple[Observation, bool]:
    """The observation, and whether the outputs are those of an unobserved run."""
    model = build(name, attn_implementation=implementation)
    given = inputs(model, padding)
    targets = None
    if "decoder_input_ids" in given:
        ids = given["decoder_input_ids"]
        ids = ids[..., 0] if ids.ndim > 2 else ids
        targets = axes(ids, torch.ones_like(ids))
    with quiet(), torch.no_grad():
        torch.manual_seed(1)
        seen = observe(
            wrap(model),
            given,
            axes(given["input_ids"], given["attention_mask"]),
            targets,
            lambda site: [WholeMaps(), SelfCheck()],
            wanted,
        )
        torch.manual_seed(1)
        plain = model(**given)
    same = [torch.equal(a, b) for a, b in zip(flat(seen.outputs), flat(plain), strict=True)]
    return seen, bool(same) and all(same)


def kept(seen: Observation) -> list[Layer]:
    return [layer for layer in seen.layers if layer.kept and layer.parts == 1]


def expected(name: str, padding: Padding) -> list[Map]:
    found = eager_run(name, inputs(build(name), padding))
    return [one for one in found if one.weights.ndim == 4 and not dropped(name, one)]


def stack_of(layers: list[Layer], field: str) -> list[Layer]:
    """The layers that belong to an output field of the model, in order of invocation."""
    own = [layer for layer in layers if layer.place.role == ROLES[field]]
    if own or field == "cross_attentions":
        return own
    side = [layer for layer in layers if field.split("_")[0] in layer.place.path]
    return side or layers


def difference(layer: Layer, weights: Tensor) -> float:
    """The largest difference in any row that is not padding."""
    worst = 0.0
    for one, eager in zip(layer.kept, weights, strict=True):
        own = torch.from_numpy(one.kept["weights"])
        assert own.shape == eager.shape
        real = ~torch.tensor(one.queries.padding)
        worst = max(worst, float((own - eager.float()).abs()[:, real].max()))
    return worst


@pytest.mark.parametrize("padding", ["none", "left", "right"])
@pytest.mark.parametrize("name", [n for n in CASES if n not in EAGER_DIFFERS | MERGED | MORE])
def test_equals_eager(name: str, padding: Padding) -> None:
    seen, unchanged = run(name, padding)
    assert unchanged
    layers = kept(seen)
    oracle = expected(name, padding)
    for field in {one.field for one in oracle}:
        maps = [one.weights for one in oracle if one.field == field]
        own = stack_of(layers, field)
        assert len(own) == len(maps), f"{field}: {[layer.place for layer in own]}"
        for layer, weights in zip(own, maps, strict=True):
            assert difference(layer, weights) <= 1e-5, layer.place
    for example in range(2):
        stacks = seen.stacks(example)
        assert sum(len(stack.by_layer) for stack in stacks.values()) == len(layers)
        failed = [check.name for check in verdicts(stacks.values()) if not check.ok]
        assert failed == [] or (failed == [IGNORES_PADDING] and name in IGNORE_PADDING)


@pytest.mark.parametrize("name", [n for n in CASES if n not in UNSEEN])
def test_one_layer_is_the_same_alone(name: str) -> None:
    everything_seen, _ = run(name, "left")
    last = kept(everything_seen)[-1]

    def wanted(role: str, layer: int, heads: int) -> Sequence[int]:
        same = (role, layer) == (last.place.role, last.place.layer)
        return [heads - 1] if same else []

    alone, unchanged = run(name, "left", wanted)
    assert unchanged
    found = [
        layer
        for layer in kept(alone)
        if layer.place.path == last.place.path and layer.place.order == last.place.order
    ]
    assert len(found) == 1
    for one, whole in zip(found[0].kept, last.kept, strict=True):
        real = ~torch.tensor(one.queries.padding).numpy()
        gap = abs(one.kept["weights"][0] - whole.kept["weights"][-1])[real]
        assert gap.max() <= 1e-5


@pytest.mark.parametrize("name", EAGER_DIFFERS)
def test_the_default_is_what_is_shown(name: str) -> None:
    """Eager computes something else: under eager the capture shows that, by default not."""
    default = kept(run(name, "none")[0])
    eager = kept(run(name, "none", implementation="eager")[0])
    for ours, own, oracle in zip(default, eager, expected(name, "none"), strict=True):
        assert difference(own, oracle.weights) <= 1e-5
        assert difference(ours, oracle.weights) > 1e-3


def test_merged_attention_shows_both_sequences() -> None:
    layers = kept(run("t5gemma2", "none")[0])
    oracle = expected("t5gemma2", "none")
    decoder = [layer for layer in layers if layer.place.role == "decoder"]
    own = [one.weights for one in oracle if one.field == "decoder_attentions"]
    cross = [one.weights for one in oracle if one.field == "cross_attentions"]
    assert len(decoder) == len(own) == len(cross)
    for layer, left, right in zip(decoder, own, cross, strict=True):
        assert difference(layer, torch.cat([left, right], dim=-1)) <= 1e-5
        assert set(layer.kept[0].keys.segments) == {0, 1}


@pytest.mark.parametrize("name", sorted(set(NO_ORACLE) - UNSEEN))
def test_captured_without_an_oracle(name: str) -> None:
    seen, unchanged = run(name, "none")
    assert unchanged
    assert kept(seen)
    assert all(check.ok for check in verdicts(seen.stacks().values()))


@pytest.mark.parametrize("name", sorted({*NOT_ATTENTION, *UNSEEN}))
def test_no_attention_is_an_error(name: str) -> None:
    with pytest.raises(CaptureError, match="no attention was seen"):
        run(name, "none")
