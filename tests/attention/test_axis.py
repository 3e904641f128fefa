"""What stands at each position."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attnviz.attention.axis import Axis, fitted, is_punctuation, joined, slots

FLAGS = st.lists(st.booleans(), max_size=12)


def test_every_field_has_an_entry_per_position() -> None:
    axis = Axis(labels=("a", "b", "c"))
    assert axis.ids == (-1, -1, -1)
    assert axis.words == (0, 1, 2)
    assert axis.spans == (None, None, None)
    assert axis.special == axis.padding == (False,) * 3
    assert axis.segments == (0, 0, 0)
    assert len(axis) == 3
    assert len(Axis(labels=())) == 0


@pytest.mark.parametrize(
    "field",
    [{"ids": (1,)}, {"words": (0, 1, 2)}, {"special": (True,) * 3}, {"padding": (False,)},
     {"spans": ((0, 1),)}, {"segments": (0,) * 5}],
)  # fmt: skip
def test_a_field_of_another_length_is_refused(field: dict[str, tuple[int, ...]]) -> None:
    with pytest.raises(ValueError, match=r"entries for 2 labels"):
        Axis(labels=("a", "b"), **field)  # type: ignore[arg-type]


@given(FLAGS)
def test_positions_count_without_padding(padding: list[bool]) -> None:
    axis = Axis(labels=tuple("x" * len(padding)), padding=tuple(padding))
    real = [i for i, padded in enumerate(padding) if not padded]
    assert [axis.positions[i] for i in real] == list(range(len(real)))
    assert all(axis.positions[i] == -1 for i in range(len(padding)) if padding[i])
    assert axis.first == (real[0] if real else 0)


@pytest.mark.parametrize("label", [".", ",", "…", "—", " !? ", "「", "$", "§", "#"])
def test_punctuation(label: str) -> None:
    assert is_punctuation(label)


@pytest.mark.parametrize("label", ["", " ", "a", "a.", "1", "你", "é", "\u200d", "\ud800", "\n"])
def test_no_punctuation(label: str) -> None:
    assert not is_punctuation(label)


def test_special_tokens_are_no_punctuation() -> None:
    axis = Axis(labels=("[", ".", "a"), special=(True, False, False))
    assert axis.punctuation == (False, True, False)


@given(st.lists(st.integers(0, 4), max_size=8))
def test_take_picks_every_field(indices: list[int]) -> None:
    axis = Axis(
        labels=tuple("abcde"),
        ids=(5, 6, 7, 8, 9),
        words=(None, 0, 1, 1, None),
        spans=(None, (0, 1), (2, 4), (4, 5), None),
        special=(True, False, False, False, True),
        segments=(0, 0, 0, 1, 1),
        padding=(False, False, False, False, True),
        grid=(1, 5),
        kind="patch",
    )
    taken = axis.take(indices)
    assert taken.grid is None
    assert taken.kind == "patch"
    for name in ("labels", "ids", "words", "spans", "special", "segments", "padding"):
        assert getattr(taken, name) == tuple(getattr(axis, name)[i] for i in indices)


def test_slots_are_numbered() -> None:
    axis = slots(3)
    assert axis.labels == ("0", "1", "2")
    assert axis.kind == "slot"
    assert len(slots(0)) == 0


def test_an_axis_of_another_length_does_not_fit() -> None:
    axis = Axis(labels=("a", "b"))
    assert fitted(axis, 2) is axis
    assert fitted(axis, 3) == slots(3)


def test_joined_axes_are_told_apart() -> None:
    first = Axis(labels=("a", "b"), ids=(1, 2), padding=(False, True))
    both = joined(first, Axis(labels=("c",), special=(True,)))
    assert both.labels == ("a", "b", "c")
    assert both.segments == (0, 0, 1)
    assert both.ids == (1, 2, -1)
    assert both.padding == (False, True, False)
    assert both.special == (False, False, True)


def test_equal_axes_are_one() -> None:
    axis = Axis(labels=("a",), ids=(1,))
    assert len({axis, Axis(labels=("a",), ids=(1,)), Axis(labels=("a",), ids=(2,))}) == 2
