"""Words in any script."""

from __future__ import annotations

import pytest

from attnviz.inputs.words import number_words


def words(*tokens: str) -> list[str]:
    """The tokens joined by word, as they stand one behind the other in one text."""
    text = "".join(tokens)
    spans, labels, start = [], [], 0
    for token in tokens:
        lead = len(token) - len(token.lstrip())
        if token.strip():
            spans.append((start + lead, start + len(token)))
        else:
            spans.append((start, start + len(token)))
        labels.append(token.strip() or token)
        start += len(token)
    n = len(tokens)
    numbers = number_words(labels, (text, ""), spans, (False,) * n, (0,) * n)
    found: dict[int | None, str] = {}
    for number, token in zip(numbers, tokens, strict=True):
        found[number] = found.get(number, "") + token
    return [word.strip() for word in found.values()]


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        (["un", "believ", "able"], ["unbelievable"]),
        (["the", " cat", "s", "."], ["the", "cats", "."]),
        (["don", "'", "t"], ["don", "'", "t"]),
        (["don", "'t"], ["don", "'t"]),
        (["3", ".", "1", "4"], ["3", ".", "14"]),
        ([".", ".", "."], [".", ".", "."]),
        (["你", "好", "世界"], ["你", "好", "世界"]),
        (["ねこ", "です"], ["ねこ", "です"]),
        (["e", "\u0301", "t", "e\u0301"], ["e\u0301te\u0301"]),
        (["👨", "\u200d", "👩", "!"], ["👨\u200d👩", "!"]),
        (["👍", "🏽"], ["👍🏽"]),
        (["हि", "न्", "दी"], ["हिन्दी"]),
        (["مر", "حبا", " بك"], ["مرحبا", "بك"]),
        (["the", " ", "cat"], ["the", "cat"]),
        (["the", "\n", "cat"], ["the", "", "cat"]),
    ],
)
def test_words(tokens: list[str], expected: list[str]) -> None:
    assert words(*tokens) == expected


def test_parts_and_special_tokens_end_words() -> None:
    texts = ("ab", "ab")
    assert number_words(
        ["[CLS]", "a", "b", "a", "b"],
        texts,
        [None, (0, 1), (1, 2), (0, 1), (1, 2)],
        [True, False, False, False, False],
        [0, 0, 0, 1, 1],
    ) == (None, 0, 0, 1, 1)
    assert number_words(
        ["a", "[SEP]", "b"], texts, [(0, 1), None, (1, 2)], [False, True, False], [0, 0, 0]
    ) == (0, None, 1)
    assert number_words(["a", "?"], texts, [(0, 1), None], [False] * 2, [0, 0]) == (0, 1)


def test_bytes_of_one_character_are_one_word() -> None:
    spans = [(0, 1), (0, 1), (1, 2)]
    assert number_words([r"\xe4", r"\xbd", "b"], ("好b",), spans, [False] * 3, [0] * 3) == (0, 0, 1)
