"""What a run will keep, decided before it starts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attnviz.errors import UsageError
from attnviz.models.anatomy.counts import expected_sites
from attnviz.runs.plan import (
    KEEPS,
    Plan,
    Size,
    free_memory,
    human,
    make_plan,
    parse_bytes,
)
from tests.observe.runs import maps, seen_by
from tests.zoo.oracle import inputs
from tests.zoo.shrink import build, shrunk_config


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("17", 17),
        ("17B", 17),
        ("512M", 512 * 2**20),
        ("4GiB", 2**32),
        ("4GB", 4 * 10**9),
        ("4gb", 4 * 10**9),
        ("4Gi", 2**32),
        ("4G", 2**32),
        ("1.5 kB", 1500),
        ("3KB", 3000),
        ("2MB", 2 * 10**6),
        ("1TB", 10**12),
        ("1tib", 2**40),
        ("1.5g", 3 * 2**29),
        (" 2 KiB ", 2048),
        ("1e3", 1000),
        ("1T", 2**40),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize(
    "text",
    ["", " ", "GiB", "-1", "-2G", "four", "4KK", "4X", "4iB", "4BG", "4BB", "nan", "inf", "1e999",
     "-inf", "1,5G"],
)  # fmt: skip
def test_no_sizes(text: str) -> None:
    with pytest.raises(UsageError, match="is no size"):
        parse_bytes(text)


@given(st.integers(0, 2**50))
def test_what_is_printed_reads_back(size: int) -> None:
    assert parse_bytes(human(size)) == pytest.approx(size, rel=0.06, abs=1)


def test_a_plan_keeps_whole_maps_that_fit_exactly() -> None:
    sites = [Size(4, 100, 100), Size(2, 100, 200)]
    maps, masks = 4 * (40_000 + 40_000), 10_000 + 20_000
    scores = 4 * (800 + 256) + 1600 + 2 * (1200 + 256) + 1600
    size = maps + masks + scores
    assert make_plan(sites, str(size)) == Plan(size, maps, kept=size)
    assert make_plan(sites, str(size - 1)).keeps == "pooled"
    assert make_plan([], "0").keeps == "whole"
    assert make_plan(sites, str(scores)).keeps == "scores"
    with pytest.raises(UsageError, match=r"--memory 10.1 KiB is not enough: the scores alone"):
        make_plan(sites, str(scores - 1))


@given(
    st.lists(
        st.tuples(st.integers(1, 40), st.integers(1, 5000), st.integers(1, 5000)),
        min_size=1, max_size=5,
    ),
    st.integers(0, 2**36),
)  # fmt: skip
def test_what_is_kept_stays_within_the_memory(
    sites: list[tuple[int, int, int]], memory: int
) -> None:
    try:
        found = make_plan([Size(*one) for one in sites], str(memory))
    except UsageError:
        assert memory < sum(Size(*one).scores for one in sites)
        return
    assert found.kept <= memory
    larger = make_plan([Size(*one) for one in sites], str(2 * memory))
    order = [*KEEPS]
    assert order.index(larger.keeps) <= order.index(found.keeps)


def test_the_default_is_a_quarter_of_what_is_free() -> None:
    budget = make_plan([], None).budget
    assert budget > 0
    assert budget == pytest.approx(free_memory() / 4, rel=0.5)


@pytest.mark.parametrize(
    "name",
    [
        "gpt2", "bert", "albert", "bloom", "gptj", "distilbert", "xlnet", "t5", "bart", "fsmt",
        "encoder-decoder", "t5gemma", "jamba", "recurrent_gemma", "nemotron_h", "qwen3_next",
        "gemma3n_text", "zamba2", "falcon_h1", "lfm2", "granite4_vision", "prophetnet",
    ],
)  # fmt: skip
def test_the_plan_is_what_is_kept(name: str) -> None:
    model = build(name)
    given_ = inputs(model)
    targets = given_["decoder_input_ids"].shape[1] if "decoder_input_ids" in given_ else None
    sites = expected_sites(model.config, 24, targets)
    seen = seen_by(model, given_)
    planned = sum(4 * one.heads * one.queries * one.keys for one in sites)
    kept = sum(4 * maps(layer).numel() for layer in seen.layers)
    assert planned == pytest.approx(kept, rel=0.5)


def test_layers_keep_their_numbers_in_hybrids() -> None:
    found = [one.layer for one in expected_sites(shrunk_config("recurrent_gemma"), 10, None)]
    assert found == [2]


def test_without_a_target_there_is_only_an_encoder() -> None:
    sites = expected_sites(shrunk_config("t5"), 10, None)
    assert {one.role for one in sites} == {"encoder"}
    assert [one.layer for one in sites] == [0, 1]


def test_heads_that_vary_by_layer_are_no_error() -> None:
    """transformers refuses to read a setting that differs from layer to layer."""
    assert isinstance(expected_sites(shrunk_config("dots3_note_text"), 10, None), list)


@pytest.mark.parametrize("memory", ["256MiB", "512MiB", "1GiB", "4GiB"])
def test_pooled_maps_and_top_keys_share_the_budget(memory: str) -> None:
    sites = [Size(32, 4096, 4096)] * 32
    found = make_plan(sites, memory)
    assert found.keeps == "pooled"
    assert 16 <= found.side <= 256
    assert 3 <= found.top <= 8
    size = Size(*sites[0])
    assert found.kept == 32 * (size.scores + size.pooled(found.side) + size.top(found.top))
    larger = make_plan(sites, "64GiB")
    assert (larger.side, larger.top) == (256, 8)
