"""Repeated random tokens (docs/metrics.md, prefix_matching): what is drawn, and where from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from attnviz.errors import InputError
from attnviz.inputs import repeated
from attnviz.inputs.limits import Limits
from attnviz.inputs.repeated import COPIES, EDGE, TOKENS, ordinary_ids, repeated_tokens

if TYPE_CHECKING:
    from collections.abc import Callable

    from attnviz.models.loaded import LoadedModel

    Get = Callable[[str], LoadedModel]


@pytest.mark.parametrize(
    ("name", "bos", "start"),
    [("llama", None, (1,)), ("llama", False, ()), ("gpt2", None, ()), ("gpt2", True, (0,))],
)
def test_what_is_drawn(loaded: Get, name: str, bos: bool | None, start: tuple[int, ...]) -> None:
    model = loaded(name)
    inputs = repeated_tokens(model, 0, bos)
    ids, axis = inputs.source.ids, inputs.source
    assert ids[: len(start)] == start
    assert axis.special == (True,) * len(start) + (False,) * (len(ids) - len(start))
    drawn = ids[len(start) :]
    count = len(drawn) // COPIES
    assert count == (TOKENS if name == "llama" else (64 - len(start)) // 4)
    assert drawn == drawn[:count] * COPIES
    assert len(set(drawn)) == count
    assert inputs.tensors["input_ids"][0].tolist() == list(ids)
    assert model.tokenizer is not None
    size = len(model.tokenizer)
    assert not set(drawn) & set(model.tokenizer.all_special_ids)
    assert EDGE * size <= min(drawn) <= max(drawn) < (1 - EDGE) * size


def test_seeds_draw_differently_and_again_the_same(loaded: Get) -> None:
    drawn = [repeated_tokens(loaded("llama"), seed).source.ids for seed in (0, 1, 0)]
    assert drawn[0] == drawn[2] != drawn[1]


def test_added_tokens_are_not_ordinary(loaded: Get) -> None:
    model = loaded("bert")
    assert model.tokenizer is not None
    assert not set(ordinary_ids(model, model.tokenizer)) & set(model.tokenizer.added_tokens_decoder)


def test_models_that_cannot_take_it(loaded: Get, monkeypatch: pytest.MonkeyPatch) -> None:
    model = loaded("llama")
    with pytest.raises(InputError, match="llama has no tokenizer"):
        repeated_tokens(replace(model, tokenizer=None), 0)
    with monkeypatch.context() as patch:
        patch.setattr(repeated, "limits_of", lambda _: Limits(16, None))
        with pytest.raises(InputError, match="llama takes 16 tokens: a probe needs 17"):
            repeated_tokens(model, 0)
        patch.setattr(repeated, "limits_of", lambda _: Limits(None, 17))
        assert len(repeated_tokens(model, 0).source) == 17
    monkeypatch.setattr(repeated, "EDGE", 0.48)
    with pytest.raises(InputError, match=r"has \d+ ordinary tokens: a probe draws 25"):
        repeated_tokens(model, 0)
