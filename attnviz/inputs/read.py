"""Reads texts from files, from bundled samples such as `sample:text/long`, and from stdin."""

from __future__ import annotations

import csv
import errno
import io
import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from attnviz.errors import InputError
from attnviz.inputs.text import Text
from attnviz.models.find.samples import input_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FIELDS = ("text", "pair", "target", "source_lang", "target_lang")
KINDS = {bool: "true or false", float: "a number", list: "a list", dict: "an object"}


def read_file(path: str | Path) -> str:
    """The text of a UTF-8 file, without a byte-order mark and without its last newline."""
    return one_text(read_bytes(input_file(path)), str(path))


def read_stdin() -> str:
    """The text that was piped in, without its last newline. Raises InputError."""
    try:
        data = sys.stdin.buffer.read()
    except OSError as error:
        closed = error.errno == errno.EBADF
        raise InputError(
            f"standard input cannot be read: {'it is closed' if closed else error.strerror}",
            "pipe a text in, or give it in quotes",
        ) from None
    return one_text(data, "standard input")


def read_texts(path: str | Path) -> Iterator[Text]:
    """Many texts, one after another: one per line of .txt, object of .jsonl, or row of .csv.

    JSON objects and CSV rows have `text`, and may have `pair`, `target`, `source_lang` and
    `target_lang`. Empty lines are left out. Raises InputError with file and line number.
    """
    path = input_file(path)
    readers: dict[str, Callable[[Path], Iterator[Text]]] = {
        ".txt": lines_of,
        ".jsonl": objects_of,
        ".csv": rows_of,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InputError(
            f"{path} is of no known kind of many texts",
            "give .txt (one per line), .jsonl or .csv; --file takes any file as one text",
        )
    texts = reader(path)
    first = next(texts, None)
    if first is None:
        raise InputError(f"{path} holds no text")
    yield first
    yield from texts


def read_bytes(path: Path, most: int = -1) -> bytes:
    """The bytes of a file, or an InputError that says why there are none.

    Files of more than `most` bytes are refused, unless it is negative.
    """
    with readable(path), path.open("rb") as file:
        data = file.read(most + 1 if most >= 0 else -1)
    if 0 <= most < len(data):
        raise InputError(f"{path} is larger than {most >> 20} MiB", "give less of it")
    return data


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Whatever reading the file raises inside comes out as an InputError."""
    try:
        yield
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a folder, not a file") from None
    except PermissionError:
        raise InputError(f"{path} may not be read", "check its permissions") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{str(path)!r} cannot be read: {error}") from None


def read_lines(path: Path, newline: str | None) -> Iterator[str]:
    """The lines of a file, read one by one; their ends are as `open` gives them for `newline`."""
    begun = 0
    with readable(path), path.open("rb") as file:
        for line in file:  # ended by \n, which is part of no other character in UTF-8
            text = decode(line, str(path), begun)
            begun += len(line)
            yield from io.StringIO(text, newline)  # Macs of old wrote \r


def one_text(data: bytes, where: str) -> str:
    """The bytes as one text, which must not be empty."""
    text = decode(data, where)
    for newline in ("\r\n", "\n"):
        if text.endswith(newline):
            text = text.removesuffix(newline)
            break
    if not text:
        raise InputError(f"{where} is empty")
    return text


def decode(data: bytes, where: str, begun: int = 0) -> str:
    """The bytes as UTF-8 text; without a byte-order mark, unless others came before: so many."""
    try:
        return data.decode("utf-8" if begun else "utf-8-sig")
    except UnicodeDecodeError as error:
        # error.object lacks the byte-order mark that the codec has taken off.
        at = error.start + len(data) - len(error.object)
        raise InputError(
            f"{where} is not UTF-8: byte 0x{data[at]:02x} at offset {begun + at}",
            "convert it, for example: iconv -f latin1 -t utf-8",
        ) from None


def lines_of(path: Path) -> Iterator[Text]:
    """One text per line that is not blank."""
    for number, line in enumerate(read_lines(path, None), start=1):
        if line.strip():
            yield Text(line.rstrip("\n"), where=f"{path}:{number}")


def objects_of(path: Path) -> Iterator[Text]:
    """One text per JSON object."""
    for number, line in enumerate(read_lines(path, None), start=1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        given = parsed(line, where)
        if not isinstance(given, dict):
            raise InputError(f"{where} is not a JSON object", 'write {"text": "…"}')
        yield text_from(given, where)


def parsed(text: str, where: str) -> Any:
    """What the JSON says; all its numbers are floats, infinite where they are too large."""
    try:
        return json.loads(text, parse_int=float)
    except RecursionError:
        raise InputError(f"{where} is nested too deeply for JSON") from None
    except ValueError as error:
        raise InputError(f"{where} is not JSON: {error}") from None


def csv_refused(where: str, error: csv.Error) -> InputError:
    """The error for what the reader of CSV gave up on."""
    if "field limit" in str(error):
        most = csv.field_size_limit()
        return InputError(f"{where} has a field of over {most} characters", "cut it in parts")
    return InputError(f"{where} is not CSV: {error}")


def rows_of(path: Path) -> Iterator[Text]:
    """One text per CSV row below a header."""
    reader = csv.DictReader(read_lines(path, ""), strict=True)
    try:
        columns = list(reader.fieldnames or ())
        if columns and "text" not in columns:
            raise InputError(f"{path} has no column text", f"its columns are {', '.join(columns)}")
        for row in reader:
            where = f"{path}:{reader.line_num}"
            if None in row:
                cells = len(columns) + len(row[None])
                raise InputError(
                    f"{where} has {cells} cells for {len(columns)} columns",
                    "put a text with commas in double quotes",
                )
            yield text_from({name: row[name] or None for name in FIELDS if name in row}, where)
    except csv.Error as error:
        raise csv_refused(f"{path}:{reader.line_num}", error) from None


def text_from(given: dict[str, object], where: str) -> Text:
    """The text of one object, whose fields must be texts."""
    fields: dict[str, str] = {}
    for name in FIELDS:
        value = given.get(name)
        if name == "text" and value in (None, ""):
            raise InputError(f"{where} has no text", 'each needs the field "text"')
        if value is not None and not isinstance(value, str):
            kind = KINDS.get(type(value), "something else")
            raise InputError(f"{where}: {name} is not a text but {kind}")
        if value is not None:
            fields[name] = value
    return Text(**fields, where=where)
