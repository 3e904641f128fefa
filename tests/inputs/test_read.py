"""Texts from files and standard input."""

from __future__ import annotations

import io
import sys
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from attnviz.errors import InputError
from attnviz.inputs.read import read_file, read_stdin, read_texts
from attnviz.inputs.text import Text, without_surrogates

if TYPE_CHECKING:
    from pathlib import Path


def written(path: Path, data: bytes | str) -> Path:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("one\n", "one"),
        ("one\n\ntwo\n\n", "one\n\ntwo\n"),
        ("one\r\n", "one"),
        ("\ufeffone", "one"),
        ("  one ", "  one "),
        ("好\x00\x1b[31m", "好\x00\x1b[31m"),
    ],
)
def test_file_is_one_text(tmp_path: Path, data: str, text: str) -> None:
    assert read_file(written(tmp_path / "a.txt", data)) == text


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_not_utf8(tmp_path: Path, mark: bytes) -> None:
    path = written(tmp_path / "a.txt", mark + b"caf\xe9 au lait")
    with pytest.raises(InputError) as error:
        read_file(path)
    assert f"is not UTF-8: byte 0xe9 at offset {len(mark) + 3}" in error.value.message
    assert "iconv" in error.value.hint


def test_unreadable(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_file(tmp_path / "none.txt")
    with pytest.raises(InputError, match="is a folder"):
        read_file(tmp_path)
    with pytest.raises(InputError, match="is empty"):
        read_file(written(tmp_path / "empty.txt", "\n"))
    with pytest.raises(InputError, match="cannot be read"):
        read_file("a\0b")


def test_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    def pipe(data: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    pipe("über\nzwei\n".encode())
    assert read_stdin() == "über\nzwei"
    pipe(b"")
    with pytest.raises(InputError, match="standard input is empty"):
        read_stdin()
    pipe(b"\xff")
    with pytest.raises(InputError, match="standard input is not UTF-8"):
        read_stdin()


def test_lines(tmp_path: Path) -> None:
    path = written(tmp_path / "a.txt", "\ufeffone\n\n  \ntwo \r\nthree")
    assert list(read_texts(path)) == [
        Text("one", where=f"{path}:1"),
        Text("two ", where=f"{path}:4"),
        Text("three", where=f"{path}:5"),
    ]


def test_lines_of_all_systems(tmp_path: Path) -> None:
    path = written(tmp_path / "a.txt", "one\rtwo\r\nthree\n\rfour\ufeff\x0b\u2028five")
    assert [(text.where, text.text) for text in read_texts(path)] == [
        (f"{path}:1", "one"),
        (f"{path}:2", "two"),
        (f"{path}:3", "three"),
        (f"{path}:5", "four\ufeff\x0b\u2028five"),
    ]


def test_texts_are_read_one_by_one(tmp_path: Path) -> None:
    path = written(tmp_path / "a.txt", b"\xef\xbb\xbfone\n\xef\xbb\xbftwo\ncaf\xe9")
    texts = read_texts(path)
    assert [next(texts).text, next(texts).text] == ["one", "\ufefftwo"]
    with pytest.raises(InputError, match="is not UTF-8: byte 0xe9 at offset 17"):
        next(texts)
    path = written(tmp_path / "a.csv", 'text\r\n"a\r\nb"\rc,d\n')
    texts = read_texts(path)
    assert next(texts) == Text("a\r\nb", where=f"{path}:3")
    with pytest.raises(InputError, match=r"a\.csv:4 has 2 cells for 1 columns"):
        next(texts)


def test_a_long_file_is_never_held_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with path.open("w") as file:
        file.writelines(f"line {number} of many\n" for number in range(20_000))
    tracemalloc.start()
    try:
        assert sum(1 for _ in read_texts(path)) == 20_000
        assert tracemalloc.get_traced_memory()[1] < path.stat().st_size / 2
    finally:
        tracemalloc.stop()


def test_objects(tmp_path: Path) -> None:
    path = written(
        tmp_path / "a.jsonl",
        '{"text": "a", "label": 3}\n\n{"text": "b", "pair": "c", "target": "d"}\n',
    )
    assert list(read_texts(path)) == [
        Text("a", where=f"{path}:1"),
        Text("b", "c", "d", where=f"{path}:3"),
    ]


def test_rows(tmp_path: Path) -> None:
    path = written(tmp_path / "a.CSV", '\ufefftext,pair,n\r\n"a, b",,1\r\n"c\nd",e,2\r\n')
    assert [(one.text, one.pair) for one in read_texts(path)] == [("a, b", None), ("c\nd", "e")]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.jsonl", '{"text": "a"}\n{"text": ', r"a\.jsonl:2 is not JSON"),
        ("a.jsonl", "[1]", r"a\.jsonl:1 is not a JSON object"),
        ("a.jsonl", '{"txt": "a"}', r"a\.jsonl:1 has no text"),
        ("a.jsonl", '{"text": 3}', "text is not a text but a number"),
        ("a.jsonl", '{"text": "a", "pair": ["b"]}', "pair is not a text but a list"),
        ("a.jsonl", "[" * 100_000, r"a\.jsonl:1 is nested too deeply"),
        ("a.jsonl", '{"text": 0}', "text is not a text but a number"),
        ("a.jsonl", '{"text": null}', "has no text"),
        ("a.jsonl", '{"text": {"text": "a"}}', "text is not a text but an object"),
        ("a.jsonl", '{"text": true}', "text is not a text but true or false"),
        ("a.jsonl", '{"text": ' + "[" * 9000 + "]" * 9000 + "}", r"a\.jsonl:1 is nested too"),
        ("a.csv", f"text\n{'a' * 200_000}\n", r"a\.csv:\d has a field of over 131072"),
        ("a.csv", "text\nHello, world\n", r"a\.csv:2 has 2 cells for 1 columns"),
        ("a.csv", "words\nfoo\n", "no column text"),
        ("a.csv", 'text\n"a', r"a\.csv:\d is not CSV"),
        ("a.csv", "pair,text\nfoo\n", r"a\.csv:2 has no text"),
        ("a.csv", "text\n", "holds no text"),
        ("a.txt", " \n\n", "holds no text"),
        ("a.md", "hello", "no known kind"),
    ],
)
def test_bad_texts(tmp_path: Path, name: str, data: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        list(read_texts(written(tmp_path / name, data)))


def test_numbers_beside_a_text_may_be_huge(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", f'{{"text": "a", "id": 1{"0" * 5000}, "n": 1e999}}\n')
    assert [one.text for one in read_texts(path)] == ["a"]


def test_a_null_character_is_a_character(tmp_path: Path) -> None:
    for name, data in (("a.csv", "text\na\0b\n"), ("a.jsonl", '{"text": "a\\u0000b"}')):
        assert [one.text for one in read_texts(written(tmp_path / name, data))] == ["a\0b"]


@pytest.mark.parametrize(
    ("text", "clean", "count"),
    [
        ("plain 😀", "plain 😀", 0),
        ("\ud83d", "\ufffd", 1),
        ("a\udc80b\ud83d", "a\ufffdb\ufffd", 2),
        ("\ud83d\ude00", "😀", 0),
        ("\ude00\ud83d", "\ufffd\ufffd", 2),
    ],
)
def test_surrogates(text: str, clean: str, count: int) -> None:
    assert without_surrogates(text) == (clean, count)
