"""Tokenizers written in Python, which do not say where their tokens stand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from attnviz.inputs.axes import axis_of
from attnviz.inputs.slow import find_part, locate
from attnviz.inputs.tokenized import tokenize
from attnviz.models.sides import target_side

if TYPE_CHECKING:
    from pathlib import Path

    from attnviz.attention.axis import Axis


def axis(tokenizer: Any, text: str, pair: str | None = None) -> Axis:
    assert not tokenizer.is_fast
    return axis_of(tokenizer, tokenize(tokenizer, text, pair), (text, pair or ""))


def cut(found: Axis, *texts: str) -> list[str | None]:
    return [
        None if span is None else texts[segment][span[0] : span[1]]
        for span, segment in zip(found.spans, found.segments, strict=True)
    ]


def test_bytes() -> None:
    from transformers import ByT5Tokenizer

    found = axis(ByT5Tokenizer(), "Tü x", "你")
    assert found.labels == (
        *("T", r"\xc3", r"\xbc", " ", "x", "</s>"),
        *(r"\xe4", r"\xbd", r"\xa0", "</s>"),
    )
    assert cut(found, "Tü x", "你") == ["T", "ü", "ü", " ", "x", None, "你", "你", "你", None]
    assert found.words == (0, 0, 0, 1, 1, None, 2, 2, 2, None)
    assert found.segments == (0,) * 6 + (1,) * 4


def test_characters() -> None:
    from transformers import CanineTokenizer

    text = "Thé cat"
    found = axis(CanineTokenizer(), text, "it")
    assert "".join(part or "" for part in cut(found, text, "it")) == text + "it"
    assert found.special == (True, *(False,) * 7, True, False, False, True)
    assert found.words[1:8] == (0, 0, 0, 1, 1, 1, 1)


def test_merged_pieces_with_at_signs(tmp_path: Path) -> None:
    from transformers import CTRLTokenizer

    pieces = ["<unk>", "c@@", "a@@", "t", "at", "the", "un@@"]
    (tmp_path / "vocab.json").write_text(json.dumps({p: i for i, p in enumerate(pieces)}))
    (tmp_path / "merges.txt").write_text("#version: 0.2\nt h\nth e</w>\na t</w>\n\n")
    tokenizer = CTRLTokenizer(str(tmp_path / "vocab.json"), str(tmp_path / "merges.txt"))
    found = axis(tokenizer, "the cat")
    assert found.labels == ("the", "c", "at")
    assert found.spans == ((0, 3), (4, 5), (5, 7))
    assert found.words == (0, 1, 1)


def test_word_pieces(tmp_path: Path) -> None:
    from transformers import ProphetNetTokenizer

    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "un", "##able", "cat", "it"]
    (tmp_path / "vocab.txt").write_text("\n".join(pieces))
    tokenizer = ProphetNetTokenizer(str(tmp_path / "vocab.txt"))
    found = axis(tokenizer, "The unable ☃☃ cat", "it")
    assert found.labels == ("the", "un", "able", "[UNK]", "cat", "[SEP]", "it", "[SEP]")
    assert found.words == (0, 1, 1, 2, 3, None, 4, None)
    assert found.spans[:5] == ((0, 3), (4, 6), (6, 10), (11, 13), (14, 17))
    assert found.segments == (0, 0, 0, 0, 0, 0, 1, 1)


def test_sentencepiece(tmp_path: Path) -> None:
    import sentencepiece
    from transformers import MarianTokenizer

    lines = tmp_path / "lines.txt"
    lines.write_text("the cat sat on the mat\nit was the cat on a mat\n" * 20)
    sentencepiece.SentencePieceTrainer.train(
        input=str(lines), model_prefix=str(tmp_path / "m"), vocab_size=17, minloglevel=2
    )
    model = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "m.model"))
    pieces = [model.id_to_piece(i) for i in range(model.get_piece_size())] + ["<pad>"]
    (tmp_path / "vocab.json").write_text(json.dumps({p: i for i, p in enumerate(pieces)}))
    tokenizer = MarianTokenizer(
        str(tmp_path / "m.model"), str(tmp_path / "m.model"), str(tmp_path / "vocab.json")
    )
    text = "the cat on a mat"
    found = axis(tokenizer, text)
    assert "▁" not in "".join(found.labels)
    assert "".join(part or "" for part in cut(found, text)).replace(" ", "") == "thecatonamat"
    assert len({word for word in found.words if word is not None}) == 5
    target = tokenize(target_side(tokenizer), "the mat")
    assert target.added[-1]


def test_cut_pairs_keep_their_parts() -> None:
    from transformers import ByT5Tokenizer

    row = tokenize(ByT5Tokenizer(), "abcdefgh", "xyzxyz", limit=8)
    assert len(row) == 8
    assert {0, 1} <= set(row.segments)


@pytest.mark.parametrize(
    ("labels", "text", "spans"),
    [
        (["the", "cat"], "The  CAT", [(0, 3), (5, 8)]),
        (["e", "cole"], "École", [(0, 1), (1, 5)]),
        (["fi", "x"], "ﬁx", [(0, 1), (1, 2)]),
        (["?", "b"], "☃ b", [(0, 1), (2, 3)]),
        (["a", "zzz", "b"], "a b", [(0, 1), None, (2, 3)]),
        ([" ", "a", " "], " a ", [(0, 1), (1, 2), (2, 3)]),
        (["a", "b"], "", [None, None]),
    ],
)
def test_locate(labels: list[str], text: str, spans: list[tuple[int, int] | None]) -> None:
    assert locate(labels, text) == spans


def test_find_part() -> None:
    assert find_part([9, 1, 2, 8, 1, 2, 3], [1, 2, 3], 0) == (4, 7)
    assert find_part([9, 1, 2, 8], [1, 2, 3], 0) == (1, 3)
    assert find_part([9], [1], 0) == (0, 0)
