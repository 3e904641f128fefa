"""Which stack and which layer a module path belongs to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attnviz.observe.places import Places, distinct, pattern_of
from tests.observe.runs import ids, seen_by
from tests.zoo.oracle import inputs
from tests.zoo.shrink import build


def placed(
    paths: list[str], calls: list[str] | None = None, *, encoder_decoder: bool = False
) -> Places:
    """The places of these calls (or one call of every path) in a model with these paths."""
    places = Places(paths, encoder_decoder=encoder_decoder)
    for path in calls or paths:
        places.place(path, crosses=False)
    return places


def layers(places: Places) -> list[int]:
    return [one.layer for one in places.seen]


@pytest.mark.parametrize(
    ("path", "pattern", "numbers"),
    [
        ("layers.3.self_attn", "layers.*.self_attn", (3,)),
        ("0.attn", "*.attn", (0,)),
        ("h.10", "h.*", (10,)),
        ("block.1.layer.0.SelfAttention", "block.*.layer.*.SelfAttention", (1, 0)),
        ("layer3.attention2", "layer3.attention2", ()),
        ("", "", ()),
    ],
)
def test_numbers_are_whole_parts(path: str, pattern: str, numbers: tuple[int, ...]) -> None:
    assert pattern_of(path) == (pattern, numbers)


def test_the_number_of_the_path_is_the_layer() -> None:
    """A hybrid's attention at blocks 4 and 9 is L4 and L9, whatever its order."""
    assert layers(placed(["layers.4.attn", "layers.9.attn"])) == [4, 9]
    assert layers(placed(["layers.4.attn", "layers.9.attn"], ["layers.9.attn"])) == [9]


def test_order_counts_where_numbers_do_not_tell() -> None:
    swin = [f"stages.{i}.blocks.{j}.attn" for i in range(2) for j in range(3)]
    assert layers(placed(swin)) == [0, 1, 2, 3, 4, 5]
    assert layers(placed(["attn"], ["attn"])) == [0]


def test_a_module_that_runs_again_counts_by_order() -> None:
    """ALBERT runs one module for every layer."""
    path = "albert_layer_groups.0.albert_layers.0.attention"
    assert layers(placed([path], [path] * 4)) == [0, 1, 2, 3]
    loop = ["layers.4.attn", "layers.9.attn"]
    assert layers(placed(loop, loop * 2)) == [0, 1, 2, 3]


def test_a_second_number_that_never_varies_is_no_layer() -> None:
    t5 = [f"encoder.block.{i}.layer.0.SelfAttention" for i in range(3)]
    assert layers(placed(t5)) == [0, 1, 2]


@pytest.mark.parametrize(
    ("path", "pair", "role"),
    [
        ("encoder.layer.0.attention.self", False, "self"),
        ("encoder.layer.0.attention.self", True, "encoder"),
        ("decoder.layers.1.self_attn", True, "decoder"),
        ("decoder.layers.1.encoder_attn", True, "cross"),
        ("decoder.block.0.layer.1.EncDecAttention", True, "cross"),
        ("decoder.bert.encoder.layer.0.attention.self", True, "decoder"),
        ("decoder.bert.encoder.layer.0.crossattention.self", True, "cross"),
        ("encoder.encoder.layer.0.attention.self", True, "encoder"),
        ("layers.0.cross_attn", False, "cross"),
        ("layers.0.sequence_attn", False, "self"),
        ("shared.layers.0.attn", True, "self"),
        ("vision_model.encoder.layers.0.self_attn", False, "vision"),
        ("visual.blocks.0.attn", False, "vision"),
        ("audio_tower.layers.0.self_attn", False, "audio"),
        ("text_model.encoder.layers.0.self_attn", False, "self"),
    ],
)
def test_roles(path: str, pair: bool, role: str) -> None:
    assert Places([path], encoder_decoder=pair).role(path, crosses=False) == role
    assert Places([path], encoder_decoder=pair).role(path, crosses=True) == "cross"


def test_stacks_whose_layers_collide_are_named_apart() -> None:
    paths = [f"{side}.layers.{i}.attn" for side in ("student", "teacher") for i in range(2)]
    names = placed(paths).stack_names()
    assert sorted(names.values()) == ["student", "teacher"]


def test_kinds_of_attention_that_share_the_layers_are_one_stack() -> None:
    paths = ["layers.0.global_attn", "layers.1.local_attn", "layers.2.global_attn"]
    assert set(placed(paths).stack_names().values()) == {"self"}


def test_self_attention_beside_a_picture_is_text() -> None:
    paths = ["vision_model.layers.0.attn", "language_model.layers.0.attn"]
    assert set(placed(paths).stack_names().values()) == {"vision", "text"}


@given(st.lists(st.lists(st.sampled_from("abcd*"), min_size=1, max_size=4), min_size=2, max_size=4))
def test_names_of_different_patterns_differ(parts: list[list[str]]) -> None:
    """Patterns with the same parts in another order are told apart by that order."""
    patterns = {".".join(dict.fromkeys(one)) for one in parts}
    names = [distinct(one, patterns) for one in patterns]
    assert all(names)
    sets = {frozenset(one.split(".")) for one in patterns}
    if len(sets) == len(patterns):
        assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("name", "stacks"),
    [
        ("llama", {"self": [0, 1]}),
        ("jamba", {"self": [1]}),
        ("recurrent_gemma", {"self": [2]}),
        ("albert", {"self": [0, 1]}),
        ("t5", {"encoder": [0, 1], "decoder": [0, 1], "cross": [0, 1]}),
        ("bart", {"encoder": [0, 1], "decoder": [0, 1], "cross": [0, 1]}),
        ("encoder-decoder", {"encoder": [0, 1], "decoder": [0, 1], "cross": [0, 1]}),
        ("hrm_text", None),
        ("zamba2", None),
    ],
)
def test_the_stacks_of_real_models(name: str, stacks: dict[str, list[int]] | None) -> None:
    model = build(name)
    seen = seen_by(model, inputs(model))
    found = {stack: one.layers for stack, one in seen.stacks().items()}
    if stacks is not None:
        assert found == stacks
    assert sum(len(one) for one in found.values()) == len(seen.layers)
    orders = [
        one.place.order for one in seen.layers if one.place.pattern == seen.layers[0].place.pattern
    ]
    assert orders == sorted(orders)


def test_a_batch_shares_its_places() -> None:
    model = build("bert")
    seen = seen_by(model, {"input_ids": ids(3, 8)})
    assert [len(layer.kept) for layer in seen.layers] == [3, 3]
    assert {kept.path for kept in seen.layers[1].kept} == {"encoder.layer.1.attention.self"}
