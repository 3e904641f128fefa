"""A run as a call: what its arguments may be, and errors that name them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import attnviz
from attnviz.attention.selection import Selection
from attnviz.errors import InputError, SelectionError, UsageError
from tests.observe.runs import ids
from tests.zoo.shrink import build


def captured(name: str = "llama", **options: Any) -> attnviz.Capture:
    return attnviz.capture(build(name), {"input_ids": ids(1, 12)}, **options)


@pytest.mark.parametrize(
    ("options", "heads"),
    [
        ({"layers": 1}, {1: (0, 1, 2, 3)}),
        ({"layers": -1, "heads": 2}, {1: (2,)}),
        ({"layers": np.int64(0), "heads": np.array([3, 1])}, {0: (1, 3)}),
        ({"layers": range(2), "heads": (0,)}, {0: (0,), 1: (0,)}),
        ({"layers": np.arange(1, 2), "heads": torch.tensor([1, 2])}, {1: (1, 2)}),
        ({"layers": np.array(1), "heads": {0, 3}}, {1: (0, 3)}),
        ({"layers": (n for n in (0, -1)), "heads": -1}, {0: (3,), 1: (3,)}),
        ({"heads": [(0, 3), (1, 1), [1, 2]]}, {0: (3,), 1: (1, 2)}),
    ],
)
def test_numbers_alone_and_together(options: dict[str, Any], heads: dict[int, Any]) -> None:
    stack = captured(**options).main_stack
    assert {layer: stack.heads(layer) for layer in stack.layers} == heads


@pytest.mark.parametrize("name", ["layers", "heads"])
@pytest.mark.parametrize("empty", [[], (), range(0), np.array([], dtype=int), {}])
def test_nothing_is_refused(name: str, empty: Any) -> None:
    with pytest.raises(SelectionError, match=f"^{name} is empty: nothing would be observed"):
        captured(**{name: empty})


@pytest.mark.parametrize("name", ["layers", "heads"])
@pytest.mark.parametrize(
    "wrong",
    ["0-5", "3", b"3", 1.0, True, [True], [0, 1.5], ["0"], np.array([0.5]), np.array([[0, 1]]),
     [None], object(), np.array([True])],
)  # fmt: skip
def test_what_is_no_number_is_refused(name: str, wrong: Any) -> None:
    with pytest.raises(SelectionError, match=f"^{name} are whole numbers, not ") as caught:
        captured(**{name: wrong})
    assert "range(6)" in caught.value.hint


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"layers": 1, "heads": [(0, 3)]}, "heads as pairs name their layers"),
        ({"heads": [(0, 3), 1]}, "heads mixes numbers with pairs"),
        ({"heads": [(-1, 3)]}, r"heads \(-1, 3\) does not exist: in pairs both count from 0"),
        ({"heads": [(0, "3")]}, "heads are whole numbers, not '3'"),
        ({"heads": [(0, 1, 2)]}, r"heads are whole numbers, not \(0, 1, 2\)"),
        ({"heads": [(7, 1)]}, "layer 7 does not exist"),
    ],
)
def test_pairs_that_say_nothing(options: dict[str, Any], said: str) -> None:
    with pytest.raises(SelectionError, match=said):
        captured(**options)


def test_memory_is_bytes_or_a_size() -> None:
    budgets = {captured(memory=given).plan["budget"] for given in (4 * 2**20, "4MiB", 4.0 * 2**20)}
    assert budgets == {4 * 2**20}


@pytest.mark.parametrize("memory", [-1, "-1G", "lots", True, float("nan"), float("inf"), [4]])
def test_what_is_no_memory(memory: Any) -> None:
    with pytest.raises(UsageError, match=r"^memory .* is no size"):
        captured(memory=memory)
    with pytest.raises(UsageError, match=r"^memory .* is no size"):
        attnviz.captures(build("llama"), {"input_ids": ids(1, 12)}, memory=memory)


def test_errors_name_the_parameters() -> None:
    with pytest.raises(UsageError, match=r"^memory 100 B is not enough: the scores alone"):
        captured(memory=100)
    with pytest.raises(UsageError, match=r"the scores and what query and key name take") as caught:
        attnviz.captures(
            build("llama"), {"input_ids": ids(1, 12)}, selection=Selection(query="3"), memory=100
        )
    assert "--" not in str(caught.value)
    with pytest.raises(SelectionError, match=r"^query cat: no token or word"):
        attnviz.captures(
            build("llama"), {"input_ids": ids(1, 12)}, selection=Selection(query="cat")
        )


def test_a_target_is_asked_for_by_its_parameter() -> None:
    model = attnviz.load("sample:sentiment")
    with pytest.raises(InputError, match="takes no target") as caught:
        attnviz.capture(model, "a film", target="ein Film")
    assert caught.value.hint.endswith("target is for translation-like models such as T5")
    assert "--" not in str(caught.value)
