"""Rows of attention against closed forms and torch's own attention."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.attention.flex_attention import create_block_mask

from attnviz.observe.masks.mask import Mask
from attnviz.observe.sources.map_source import FunctionSource, TensorSource
from attnviz.observe.stream import BLOCK_CELLS, spans
from attnviz.observe.taps.function import scaled_dot_product
from attnviz.observe.taps.interface import mask_of

CPU = torch.device("cpu")
LOW = torch.finfo(torch.float32).min


def allowed(mask: Mask, example: int = 0, block: int = 3) -> Tensor:
    """bool (1 or heads, queries, keys), put together from blocks of rows."""
    rows = []
    for start in range(0, mask.queries, block):
        keys, part = mask.cells(example, start, min(start + block, mask.queries), CPU)
        rows.append(F.pad(part, (keys.start, mask.keys - keys.stop)))
    return torch.cat(rows, dim=1)


def qkv(heads: int, kv: int, queries: int, keys: int, examples: int = 1) -> tuple[Tensor, ...]:
    torch.manual_seed(heads * 100 + keys)
    shapes = [(heads, queries), (kv, keys), (kv, keys)]
    return tuple(torch.randn(examples, n, rows, 8) for n, rows in shapes)


def source(q: Tensor, k: Tensor, v: Tensor, mask: Mask, **keywords: Any) -> FunctionSource:
    eager = keywords.pop("eager", scaled_dot_product)
    return FunctionSource(nn.Module(), q, k, v, mask, eager, keywords)


def assembled(
    maps: Any, heads: list[int] | None = None, block: int = 3, example: int = 0
) -> Tensor:
    picked = list(range(maps.heads)) if heads is None else heads
    rows = []
    for start in range(0, maps.queries, block):
        part = maps.block(example, picked, start, min(start + block, maps.queries))
        assert part.weights.shape[-1] == maps.width(example, start, part.stop)
        rows.append(part.whole(maps.keys))
    return torch.cat(rows, dim=1)


def shown_by_values(q: Tensor, k: Tensor, **options: Any) -> Tensor:
    """The weights of torch's fused attention, read off values that are indicators."""
    one = torch.eye(k.shape[2]).expand(k.shape[0], k.shape[1], -1, -1)
    return F.scaled_dot_product_attention(q, k, one, enable_gqa=True, **options)


@pytest.mark.parametrize(("queries", "keys"), [(7, 7), (4, 9), (1, 5), (9, 4)])
def test_upper_left_triangle_is_that_of_sdpa(queries: int, keys: int) -> None:
    q, k, v = qkv(2, 2, queries, keys)
    maps = source(q, k, v, Mask(None, queries, keys, causal=True))
    torch.testing.assert_close(
        assembled(maps), shown_by_values(q, k, is_causal=True)[0], atol=1e-6, rtol=0
    )
    assert torch.equal(allowed(maps.mask)[0], torch.ones(queries, keys).tril().bool())


@pytest.mark.parametrize(("queries", "keys"), [(5, 5), (3, 8), (1, 6)])
@pytest.mark.parametrize("window", [None, 1, 3])
def test_flash_counts_from_the_lower_right(queries: int, keys: int, window: int | None) -> None:
    mask = mask_of(
        nn.Module(),
        torch.zeros(1, 1, queries, 4),
        torch.zeros(1, 1, keys, 4),
        None,
        {"is_causal": True, "sliding_window": window},
        "flash_attention_2",
    )
    place = torch.arange(queries)[:, None] + keys - queries
    back = place - torch.arange(keys)
    expected = (back >= 0) & (back < (window or keys))
    assert torch.equal(allowed(mask)[0], expected)


def test_a_flash_window_without_causality_has_two_sides() -> None:
    empty = torch.zeros(1, 1, 6, 4)
    keywords = {"is_causal": False, "sliding_window": 2}
    mask = mask_of(nn.Module(), empty, empty, None, keywords, "flash_attention_2")
    near = (torch.arange(6)[:, None] - torch.arange(6)).abs() < 2
    assert torch.equal(allowed(mask)[0], near)


def test_flash_padding_has_one_row_per_example() -> None:
    padding = torch.tensor([[0, 0, 1, 1, 1], [1, 1, 1, 1, 0]])
    mask = Mask(padding, 5, 5, causal=True)
    lower = torch.ones(5, 5).tril().bool()
    for example in range(2):
        assert torch.equal(allowed(mask, example)[0], lower & padding[example].bool())


@pytest.mark.parametrize(
    ("implementation", "causal", "queries", "expected"),
    [
        ("sdpa", None, 4, True),
        ("sdpa", False, 4, False),
        ("sdpa", None, 1, False),
        ("eager", None, 4, False),
        ("flex_attention", None, 4, False),
        ("flash_attention_2", None, 4, True),
    ],
)
def test_what_a_missing_mask_means(
    implementation: str, causal: bool | None, queries: int, expected: bool
) -> None:
    module = nn.Module()
    q, k = torch.zeros(1, 1, queries, 4), torch.zeros(1, 1, 4, 4)
    found = mask_of(module, q, k, None, {"is_causal": causal}, implementation)
    assert found.causal == expected
    module.is_causal = False
    assert not mask_of(module, q, k, None, {}, implementation).causal


def test_a_given_mask_replaces_the_triangle_but_for_flash() -> None:
    q = torch.zeros(2, 1, 4, 4)
    given_mask = torch.ones(2, 1, 4, 4, dtype=torch.bool)
    assert not mask_of(nn.Module(), q, q, given_mask, {"is_causal": True}, "sdpa").causal
    padding = torch.ones(2, 4, dtype=torch.long)
    assert mask_of(nn.Module(), q, q, padding, {"is_causal": True}, "flash_attention_3").causal


@pytest.mark.parametrize(
    "shape", [(1, 1, 6, 6), (2, 1, 6, 6), (2, 3, 6, 6), (2, 1, 1, 6), (1, 1, 6, 1)]
)
@pytest.mark.parametrize("kind", ["bool", "additive", "infinite"])
def test_masks_of_every_shape(shape: tuple[int, ...], kind: str) -> None:
    torch.manual_seed(sum(shape))
    free = torch.rand(shape) < 0.7
    free[..., 0] = True
    low = -torch.inf if kind == "infinite" else LOW
    given_mask = free if kind == "bool" else torch.zeros(shape).masked_fill(~free, low)
    q, k, v = qkv(3, 1, 6, 6, examples=2)
    maps = source(q, k, v, Mask(given_mask, 6, 6, causal=False))
    expected = shown_by_values(q, k, attn_mask=given_mask.expand(2, -1, 6, 6))
    for example in range(2):
        torch.testing.assert_close(
            assembled(maps, example=example), expected[example], atol=1e-6, rtol=0
        )
        full = free.expand(2, -1, 6, 6)[example]
        block = maps.block(example, range(3), 2, 5)
        assert torch.equal(block.allowed, full.any(dim=0)[2:5, block.keys])


def test_flex_masks_are_asked_by_index() -> None:
    def window(b: Tensor, h: Tensor, i: Tensor, j: Tensor) -> Tensor:
        return (i - j < 2 + b) & (j <= i)

    block = create_block_mask(window, B=2, H=None, Q_LEN=7, KV_LEN=7, device="cpu")
    mask = Mask(block, 7, 7, causal=False)
    back = torch.arange(7)[:, None] - torch.arange(7)
    for example in range(2):
        assert torch.equal(allowed(mask, example)[0], (back >= 0) & (back < 2 + example))


@pytest.mark.parametrize("scale", [None, 0.0, 1.0, 0.1])
@settings(max_examples=15, deadline=None)
@given(
    groups=st.integers(1, 3),
    kv=st.integers(1, 3),
    queries=st.integers(1, 7),
    keys=st.integers(1, 7),
    block=st.integers(1, 7),
    causal=st.booleans(),
)
def test_plain_rows_are_those_of_sdpa(
    groups: int, kv: int, queries: int, keys: int, block: int, causal: bool, scale: float | None
) -> None:
    q, k, v = qkv(groups * kv, kv, queries, keys)
    maps = source(q, k, v, Mask(None, queries, keys, causal=causal), scaling=scale)
    assert maps.plain
    found = assembled(maps, block=block)
    expected = shown_by_values(q, k, is_causal=causal, scale=scale)[0]
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(found.sum(-1), torch.ones(groups * kv, queries))
    last = groups * kv - 1
    for heads in ([last], sorted({0, last})):
        torch.testing.assert_close(assembled(maps, heads, block), found[heads], atol=1e-6, rtol=0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_rows_sum_to_one(dtype: torch.dtype) -> None:
    q, k, v = (one.to(dtype) for one in qkv(4, 2, 9, 9))
    maps = source(q, k, v, Mask(None, 9, 9, causal=True))
    rows = assembled(maps)
    assert rows.dtype == torch.float32
    torch.testing.assert_close(rows.sum(-1), torch.ones(4, 9), atol=1e-5, rtol=0)
    exact = shown_by_values(q.float(), k.float(), is_causal=True)[0]
    torch.testing.assert_close(rows, exact, atol=0.02, rtol=0)


def special_eager(
    module: nn.Module, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, **keywords: Any
) -> tuple[None, Tensor]:
    """Soft-capped, with a position bias and a sink, as no plain path computes it."""
    scores = q @ k.repeat_interleave(q.shape[1] // k.shape[1], 1).transpose(-1, -2)
    scores = 5 * torch.tanh(scores / 5)
    if keywords.get("position_bias") is not None:
        scores = scores + keywords["position_bias"]
    if mask is not None:
        scores = scores + mask
    sink = keywords["sinks"].reshape(1, -1, 1, 1).expand(*scores.shape[:3], 1)
    return None, torch.cat([scores, sink], -1).softmax(-1)[..., :-1]


@pytest.mark.parametrize("examples", [1, 2, 3])
@pytest.mark.parametrize("bias", [(1, 4, 9, 9), (3, 4, 9, 9), (1, 4, 1, 9), (3, 1, 9, 9), None])
@pytest.mark.parametrize("causal", [True, False])
def test_the_models_own_function_by_rows(
    examples: int, bias: tuple[int, ...] | None, causal: bool
) -> None:
    if bias is not None and bias[0] == 3:
        bias = (examples, *bias[1:])
    q, k, v = qkv(4, 2, 9, 9, examples)
    keywords = {
        "sinks": torch.randn(4),
        "position_bias": None if bias is None else torch.randn(bias),
    }
    maps = source(q, k, v, Mask(None, 9, 9, causal=causal), eager=special_eager, **keywords)
    assert not maps.plain
    assert maps.leaks
    triangle = torch.zeros(9, 9).masked_fill(~torch.ones(9, 9).tril().bool(), LOW)
    expected = special_eager(nn.Module(), q, k, v, triangle if causal else None, **keywords)[1]
    for example in range(examples):
        found = assembled(maps, block=4, example=example)
        torch.testing.assert_close(found, expected[example], atol=1e-6, rtol=0)
        one = assembled(maps, [2], block=2, example=example)
        torch.testing.assert_close(one[0], expected[example, 2], atol=1e-6, rtol=0)


def test_a_function_that_is_not_plain_is_found_out() -> None:
    def windowed(m: nn.Module, q: Tensor, k: Tensor, v: Tensor, mask: Any, **_: Any) -> Any:
        return None, (q @ k.transpose(-1, -2) * 2).softmax(-1)

    q, k, v = qkv(2, 2, 5, 5)
    assert not source(q, k, v, Mask(None, 5, 5, causal=False), eager=windowed).plain
    assert source(q, k, v, Mask(None, 5, 5, causal=False)).plain


@pytest.mark.parametrize("off", [0, 1e-4])
def test_large_logits_are_plain_up_to_their_rounding(off: float) -> None:
    def scaled_first(m: nn.Module, q: Tensor, k: Tensor, v: Tensor, mask: Any, **_: Any) -> Any:
        return None, ((q * (3 * (8**-0.5))) @ k.transpose(-1, -2) / 3 * (1 + off)).softmax(-1)

    q, k, v = qkv(8, 8, 40, 400)
    maps = source(30 * q, k, v, Mask(None, 40, 400, causal=False), eager=scaled_first)
    assert maps.plain == (off == 0)


def test_a_function_that_gives_nothing_where_all_is_forbidden_is_not_plain() -> None:
    def empty(m: nn.Module, q: Tensor, k: Tensor, v: Tensor, mask: Any, **_: Any) -> Any:
        return None, torch.zeros(1, 2, q.shape[2], k.shape[2])

    q, k, v = qkv(2, 2, 5, 5)
    forbidden = torch.zeros(1, 1, 5, 5, dtype=torch.bool)
    assert not source(q, k, v, Mask(forbidden, 5, 5, causal=False), eager=empty).plain


def test_a_learned_scale_per_head_is_left_to_the_model() -> None:
    q, k, v = qkv(3, 3, 5, 5)
    scale = torch.rand(3, 1, 1) + 0.5
    maps = source(q, k, v, Mask(None, 5, 5, causal=False), scaling=scale)
    expected = (q @ k.transpose(-1, -2) * scale).softmax(-1)[0]
    torch.testing.assert_close(assembled(maps), expected, atol=1e-6, rtol=0)


def test_causal_is_what_the_mask_of_every_example_says() -> None:
    """A first example with one token looks causal, whatever the model."""
    q, k, v = qkv(1, 1, 6, 6, examples=2)
    keys = torch.tensor([[1, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1]]).bool()
    padding = keys[:, None, None].expand(2, 1, 6, 6)
    assert not source(q, k, v, Mask(padding, 6, 6, causal=False)).causal
    lower = torch.ones(6, 6).tril().bool()
    assert source(q, k, v, Mask(padding & lower, 6, 6, causal=False)).causal
    assert not source(q, k, v, Mask(None, 6, 6, causal=False)).causal


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_tensor_source_reads_its_mask_off_the_weights(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    back = torch.arange(8)[:, None] - torch.arange(8)
    inside = (back >= 0) & (back < 3)
    weights = torch.randn(2, 3, 8, 8).masked_fill(~inside, -torch.inf)
    weights[1, :, 3:, 2] = -torch.inf  # a padded key in the middle
    weights[1, :, 2, 2] = -torch.inf
    weights = weights.softmax(-1).to(dtype)
    maps = TensorSource(weights)
    assert maps.causal
    assert torch.equal(maps.block(0, range(3), 2, 7).allowed, inside[2:7])
    padded = maps.block(1, range(3), 0, 8).allowed[:, 2]
    assert torch.equal(padded, torch.zeros(8, dtype=torch.bool))
    assert torch.equal(maps.block(1, [2, 0], 1, 4).weights, weights[1, [2, 0], 1:4].float())
    assert not TensorSource(torch.full((1, 1, 4, 4), 0.25)).causal


@settings(max_examples=50, deadline=None)
@given(
    queries=st.integers(1, 300),
    heads=st.integers(1, 9),
    window=st.integers(1, 300),
    kind=st.sampled_from(["causal", "window", "given", "none"]),
)
def test_blocks_hold_every_row_once_and_few_enough_cells(
    queries: int, heads: int, window: int, kind: str
) -> None:
    q, k, v = qkv(heads, heads, queries, queries)
    back = torch.arange(queries)[:, None] - torch.arange(queries)
    masks = {
        "causal": Mask(None, queries, queries, causal=True),
        "window": Mask(None, queries, queries, causal=True, window=window),
        "given": Mask(((back >= 0) & (back < window))[None, None], queries, queries, causal=False),
        "none": Mask(None, queries, queries, causal=False),
    }
    maps = source(q, k, v, masks[kind])
    with patch.dict(BLOCK_CELLS, cpu=3000):
        found = spans(maps, 0, heads)
    assert [row for start, stop in found for row in range(start, stop)] == [*range(queries)]
    for start, stop in found:
        block = maps.block(0, range(heads), start, stop)
        assert stop - start == 1 or block.weights.numel() <= 3000
        if kind in ("window", "given"):
            assert block.weights.shape[-1] <= stop - start + window - 1


@pytest.mark.parametrize("padded", [0, 3])
def test_a_window_leaves_out_the_keys_before_it(padded: int) -> None:
    """But for rows that may look nowhere: their weights are spread over every key."""
    q, k, v = qkv(4, 2, 40, 40)
    back = torch.arange(40)[:, None] - torch.arange(40)
    given_mask = (back >= 0) & (back < 5) & (torch.arange(40) >= padded)
    maps = source(q, k, v, Mask(given_mask[None, None], 40, 40, causal=False))
    assert maps.plain
    assert maps.block(0, range(4), 20, 24).keys == slice(16, 24)
    assert maps.block(0, range(4), 0, 3).keys == slice(0, 40 if padded else 3)
    scores = (q @ k.repeat_interleave(2, 1).transpose(2, 3) / 8**0.5)[0]
    expected = scores.masked_fill(~given_mask, LOW).softmax(-1)
    torch.testing.assert_close(assembled(maps, block=7), expected, atol=1e-6, rtol=0)


def test_a_function_that_disobeys_its_mask_is_seen_to() -> None:
    """All keys are computed by the model's own function, so that the self-check sees the weight."""

    def deaf(m: nn.Module, q: Tensor, k: Tensor, v: Tensor, mask: Any, **_: Any) -> Any:
        return None, (q @ k.transpose(-1, -2)).softmax(-1)

    q, k, v = qkv(2, 2, 9, 9)
    back = torch.arange(9)[:, None] - torch.arange(9)
    window = ((back >= 0) & (back < 3))[None, None]
    maps = source(q, k, v, Mask(window, 9, 9, causal=False), eager=deaf)
    assert not maps.plain
    block = maps.block(0, range(2), 4, 6)
    assert block.keys == slice(0, 9)
    assert float(block.weights[:, ~block.allowed].sum()) > 0.1
