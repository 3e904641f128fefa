"""Whole modules: torch's transformer, and models that call fused attention."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import attnviz
from attnviz.errors import InputError
from tests.plain.modules import HEADS, WIDTH, Reader, outputs, own_weights, random, uneven

SOURCE, TARGET = 6, 5
pytestmark = pytest.mark.filterwarnings("ignore:enable_nested_tensor is True")


def transformer(batch_first: bool) -> nn.Module:
    sizes = (WIDTH, HEADS, 2, 2, 32)
    return uneven(nn.Transformer(*sizes, dropout=0.3, batch_first=batch_first))


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("target", [TARGET, SOURCE])
def test_transformer(batch_first: bool, target: int) -> None:
    module = transformer(batch_first)
    source, written = random(2, SOURCE, WIDTH), random(2, target, WIDTH, seed=2)
    if not batch_first:
        source, written = source.transpose(0, 1), written.transpose(0, 1)
    padded = torch.tensor([[False] * SOURCE, [False] * 4 + [True] * 2])
    given = {
        "src": source,
        "tgt": written,
        "tgt_mask": torch.ones(target, target, dtype=torch.bool).triu(1),
        "src_key_padding_mask": padded,
        "memory_key_padding_mask": padded,
    }
    found = attnviz.captures(module, given)
    with torch.enable_grad():
        own = own_weights_with_gradients(module, given)
    names = {"encoder": "encoder.layers.{}.self_attn", "decoder": "decoder.layers.{}.self_attn",
             "cross": "decoder.layers.{}.multihead_attn"}  # fmt: skip
    assert [list(one.stacks) for one in found] == [list(names)] * 2
    for stack, path in names.items():
        for layer in (0, 1):
            maps = [one.stacks[stack].weights(layer) for one in found]
            gap = np.abs(np.stack(maps) - own[path.format(layer)])
            assert np.nanmax(gap[0]) <= 1e-5
            real = slice(4) if stack == "encoder" else slice(None)
            assert gap[1][:, real].max() <= 1e-5
    stacks = found[1].stacks
    assert stacks["decoder"].by_layer[0].causal
    assert stacks["cross"].keys(0).padding == tuple(padded[1].tolist())
    assert len(stacks["cross"].queries(0)) == target


def own_weights_with_gradients(module: nn.Module, given: dict) -> dict[str, np.ndarray]:
    """`own_weights` of a run that torch does not fuse."""
    enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        return own_weights(module, **given)
    finally:
        torch.backends.mha.set_fastpath_enabled(enabled)


def test_encoder_outputs() -> None:
    """Bit-identical where torch does not fuse, equal up to rounding where it does."""
    layer = nn.TransformerEncoderLayer(WIDTH, HEADS, 32, batch_first=True)
    module = uneven(nn.TransformerEncoder(layer, 2))
    states, kept = random(2, SOURCE, WIDTH), outputs(module)
    found = attnviz.captures(module, (states,))
    module(states)
    with torch.no_grad():
        module(states)
    seen, plain, fused = kept
    assert torch.equal(seen, plain)
    assert torch.allclose(seen, fused, atol=1e-5)
    assert list(found[0].stacks["self"].layers) == [0, 1]
    assert sum("fused attention was left" in note for note in found[0].notes) == 1


@pytest.mark.parametrize("fused", [True, False])
def test_the_note_on_fusing_is_there_only_where_torch_fuses(fused: bool) -> None:
    layer = nn.TransformerEncoderLayer(WIDTH, HEADS, 32, batch_first=fused)
    capture = attnviz.captures(uneven(layer), (random(1, SOURCE, WIDTH),))[0]
    assert any("fused" in note for note in capture.notes) == fused


def test_a_decoder_alone() -> None:
    layer = nn.TransformerDecoderLayer(WIDTH, HEADS, 32, batch_first=True)
    module = uneven(nn.TransformerDecoder(layer, 2))
    written, memory = random(1, SOURCE, WIDTH), random(1, SOURCE, WIDTH, seed=2)
    capture = attnviz.capture(module, (written, memory))
    own = own_weights(module, written, memory)
    assert list(capture.stacks) == ["decoder", "cross"]
    for stack, name in (("decoder", "self_attn"), ("cross", "multihead_attn")):
        for layer in (0, 1):
            gap = capture.stacks[stack].weights(layer) - own[f"layers.{layer}.{name}"][0]
            assert np.abs(gap).max() <= 1e-5


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("heads", [1, HEADS])
@pytest.mark.parametrize("examples", [0, 1, 3])
def test_fused_attention(examples: int, heads: int, causal: bool) -> None:
    module = uneven(Reader(heads, causal))
    ids = torch.randint(0, 30, (examples, 7) if examples else (7,))
    kept = outputs(module)
    found = attnviz.captures(module, (ids,))
    with torch.no_grad():
        module(ids)
        own = module.weights(ids)
    own = own if examples else own.unsqueeze(0)
    assert torch.equal(*kept)
    for capture, wanted, row in zip(found, own, ids.view(-1, 7), strict=True):
        stack = capture.stacks["self"]
        assert np.abs(stack.weights(0) - wanted.numpy()).max() <= 1e-6
        assert stack.queries(0).ids == tuple(row.tolist())
        assert stack.by_layer[0].causal == causal
        assert capture.notes == ()


def test_a_model_of_ones_own() -> None:
    """A classifier with its own embedding, positions and head."""

    class Classifier(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(30, WIDTH)
            layer = nn.TransformerEncoderLayer(WIDTH, HEADS, 32, batch_first=True)
            self.body = nn.TransformerEncoder(layer, 2)
            self.head = nn.Linear(WIDTH, 2)

        def forward(self, text: torch.Tensor, scale: float = 1.0) -> torch.Tensor:
            return self.head(self.body(scale * self.embedding(text)).mean(1))

    module, ids = uneven(Classifier()), torch.randint(0, 30, (2, 7))
    found = attnviz.captures(module, {"text": ids, "scale": 0.5})
    own = own_weights(module, ids, 0.5)
    for example, capture in enumerate(found):
        stack = capture.stacks["self"]
        assert stack.queries(0).labels == tuple(map(str, ids[example].tolist()))
        for layer in (0, 1):
            wanted = own[f"body.layers.{layer}.self_attn"][example]
            assert np.abs(stack.weights(layer) - wanted).max() <= 1e-5


def test_sides_under_other_names() -> None:
    class Writer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(30, WIDTH)
            sizes = (WIDTH, HEADS, 32)
            self.reads = nn.TransformerEncoderLayer(*sizes, batch_first=True)
            self.writes = nn.TransformerDecoderLayer(*sizes, batch_first=True)

        def forward(self, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
            return self.writes(self.embedding(target), self.reads(self.embedding(source)))

    given = torch.arange(6)[None], torch.arange(6, 12)[None]
    stacks = attnviz.capture(uneven(Writer()), given).stacks
    asked = {name: one.queries(0).ids[0] for name, one in stacks.items()}
    assert asked == {"encoder": 0, "decoder": 6, "cross": 6}
    assert stacks["cross"].keys(0).ids[0] == 0
    assert stacks["decoder"].keys(0).ids[0] == 6


def test_images_have_positions_that_only_the_model_knows() -> None:
    class Patches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cut = nn.Conv2d(3, WIDTH, 4, 4)
            self.attention = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            patches = self.cut(image).flatten(2).transpose(1, 2)
            return self.attention(patches, patches, patches)[0]

    capture = attnviz.captures(uneven(Patches()), (random(2, 3, 12, 12),))[1]
    assert capture.stacks["self"].weights(0).shape == (HEADS, 9, 9)
    assert capture.stacks["self"].queries(0).kind == "slot"


def test_layers_and_heads_can_be_chosen() -> None:
    module = transformer(True)
    given = (random(1, SOURCE, WIDTH), random(1, TARGET, WIDTH, seed=2))
    whole = attnviz.capture(module, given).stacks["cross"].weights(1, 2)
    alone = attnviz.capture(module, given, layers=[1], heads=[2]).stacks["cross"]
    assert list(alone.layers) == [1]
    assert np.array_equal(alone.weights(1, 2), whole)


def test_one_tensor_is_the_first_argument() -> None:
    module, ids = uneven(Reader(HEADS)), torch.arange(7)[None]
    alone = attnviz.capture(module, ids).stacks["self"].weights(0)
    assert np.array_equal(alone, attnviz.capture(module, (ids,)).stacks["self"].weights(0))


def test_what_does_not_fit_is_said() -> None:
    module = uneven(Reader(1))
    with pytest.raises(InputError, match=r"2 inputs do not fit Reader.forward\(ids"):
        attnviz.captures(module, (torch.zeros(1, 3), 1))
    with pytest.raises(InputError, match="no tensor among the inputs"):
        attnviz.captures(module, {"ids": [1, 2]})
    with pytest.raises(InputError, match="inputs do not fit"):
        attnviz.captures(Anything(), (torch.zeros(1, 3),))


class Anything(nn.Module):
    def forward(self, *args: torch.Tensor) -> torch.Tensor:
        return args[0]
