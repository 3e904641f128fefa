"""Reads queries, keys and values that were made by hand, and the parameters of a score."""

from __future__ import annotations

import csv
import io
import itertools
import math
import tokenize
import warnings
import zipfile
import zlib
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from attnviz.errors import InputError
from attnviz.inputs.read import csv_refused, decode, parsed, read_bytes
from attnviz.models.find.samples import input_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

STATES, PARAMETERS, NOTE = ("query", "key", "value"), ("W", "U", "v"), "note"
FIELDS = (*STATES, *PARAMETERS, NOTE)
NUMBERS = "write numbers: [1, 2, 3], or one row per token: [[1, 2], [3, 4]]"
LARGEST = 2**25  # bytes, of a file and of the numbers in it
# What zipfile and NumPy say of bytes that are no archive of arrays.
NO_ARCHIVE = (OSError, ValueError, TypeError, EOFError, RuntimeError, SyntaxError, MemoryError,
              zipfile.BadZipFile, zlib.error, tokenize.TokenError)  # fmt: skip


@dataclass(frozen=True)
class HandMade:
    """Queries (queries, d_q), keys (keys, d_k) and values (keys, d_v), float64.

    `parameters` are W, U and v as the scores take them; `note` is what the file says of itself.
    """

    name: str
    query: np.ndarray
    key: np.ndarray
    value: np.ndarray
    parameters: Mapping[str, np.ndarray] = field(default_factory=dict)
    note: str = ""


def read_qkv(path: str | Path) -> HandMade:
    """The numbers of a .json, .npz or .csv file, or of a sample such as `sample:qkv/luong`.

    JSON and NPZ hold fields of these names; a row of CSV starts with the name of its field. A
    vector is one token. Raises InputError that names the field and its shape.
    """
    file = input_file(path, kind="qkv")
    readers: dict[str, Callable[[bytes, str], dict[str, Any]]] = {
        ".json": fields_of_json,
        ".npz": fields_of_npz,
        ".csv": fields_of_csv,
    }
    reader = readers.get(file.suffix.lower())
    if reader is None:
        raise InputError(f"{path} is of no known kind of numbers", "give .json, .npz or .csv")
    fields = reader(read_bytes(file, LARGEST), str(path))
    for name in fields:
        known(name, str(path))
    for name in STATES:
        if name not in fields:
            raise InputError(f"{path} has no {name}", f"it needs {', '.join(STATES)}")
    note = fields.pop(NOTE, "")
    if not isinstance(note, str):
        raise InputError(f"{path}: {NOTE} is no text", "write what the numbers are in words")
    arrays = {name: numbers_of(name, value, str(path)) for name, value in fields.items()}
    states = {name: tokens_of(name, arrays.pop(name)) for name in STATES}
    return HandMade(str(path), **states, parameters=arrays, note=note)


def known(name: str, where: str) -> None:
    """Raise InputError for a field that has no meaning here."""
    if name not in FIELDS:
        raise InputError(
            f"{where}: there is no field {name}", f"the fields are {', '.join(FIELDS)}"
        )


def fields_of_json(data: bytes, where: str) -> dict[str, Any]:
    """The fields of one JSON object."""
    found = parsed(decode(data, where), where)
    if not isinstance(found, dict):
        raise InputError(f"{where} is not a JSON object", 'write {"query": …, "key": …}')
    return found


def fields_of_npz(data: bytes, where: str) -> dict[str, Any]:
    """The arrays of a NumPy archive, none of them read before all that is declared is small."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NumPy warns of headers that it has to guess at
            members = {one.filename.removesuffix(".npy"): one for one in archive.infolist()}
            total = 0
            for name, member in members.items():
                known(name, where)
                with archive.open(member) as file:
                    total += declared_bytes(file, member, f"{where}: {name}", name == NOTE)
                if total > LARGEST:
                    raise too_large(where)
            found: dict[str, Any] = {}
            for name, member in members.items():
                with archive.open(member) as file:
                    found[name] = np.lib.format.read_array(file, allow_pickle=False)
    except NO_ARCHIVE as error:
        raise InputError(f"{where} is not a NumPy archive: {error}") from None
    if NOTE in found:
        found[NOTE] = str(found[NOTE])
    return found


def declared_bytes(file: IO[bytes], member: zipfile.ZipInfo, what: str, text: bool = False) -> int:
    """The memory that an array in an archive will take as float64, by its header.

    Raises InputError for what holds no numbers (a `text` holds characters), ValueError when the
    header and the archive declare different lengths.
    """
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError("it is compressed in a way that NumPy does not write")
    version = np.lib.format.read_magic(file)
    reader = np.lib.format.read_array_header_1_0
    shape, _, dtype = (reader if version == (1, 0) else np.lib.format.read_array_header_2_0)(file)
    if dtype.kind not in ("U" if text else "iuf"):
        raise InputError(f"{what} holds something that is no {'text' if text else 'number'} "
                         f"({'objects' if dtype.hasobject else dtype})", NUMBERS)  # fmt: skip
    if len(shape) not in ((0,) if text else (1, 2)) or min(shape, default=1) < 1:
        raise wrong_shape(what, shape)
    size = math.prod(shape)
    if size * dtype.itemsize != member.file_size - file.tell():
        raise ValueError(f"the length of {member.filename} is not that of its header")
    return size * max(dtype.itemsize, np.dtype(np.float64).itemsize)


def too_large(where: str) -> InputError:
    """The error for a file of more numbers than are worth showing by hand."""
    return InputError(f"{where} holds over {LARGEST >> 20} MiB of numbers", "give fewer tokens")


def wrong_shape(what: str, shape: tuple[int, ...]) -> InputError:
    """The error for an array that is neither one token nor rows of tokens."""
    said = " × ".join(map(str, shape[:9])) or "a single number"
    return InputError(f"{what} is {said}", NUMBERS)


def fields_of_csv(data: bytes, where: str) -> dict[str, Any]:
    """The rows of every field: `query,1,0`."""
    found: dict[str, Any] = {}
    try:
        for row in csv.reader(io.StringIO(decode(data, where), newline=""), strict=True):
            if row:
                name, *cells = (cell.strip() for cell in row)
                given = cells if name == NOTE else [cell_of(cell) for cell in cells]
                found.setdefault(name, []).append(given)
    except csv.Error as error:
        raise csv_refused(where, error) from None
    if NOTE in found:
        found[NOTE] = "\n".join(", ".join(row) for row in found[NOTE])
    if "v" in found and len(found["v"]) == 1:
        found["v"] = found["v"][0]
    return found


def cell_of(text: str) -> float | str:
    """The number in a cell, or the text that is none."""
    try:
        return float(text)
    except ValueError:
        return text


def numbers_of(name: str, value: Any, where: str) -> np.ndarray:
    """A field as float64, of one or two axes and not empty."""
    what = f"{where}: {name}"
    if isinstance(value, list):
        value = array_of(name, value, where)
    found = np.asarray(value)
    if found.dtype.kind not in "iuf":
        raise InputError(f"{what} holds something that is no number", NUMBERS)
    if found.ndim not in (1, 2) or found.size == 0:
        raise wrong_shape(what, found.shape)
    with np.errstate(over="ignore"):
        found = found.astype(np.float64, copy=False)
    if not np.isfinite(found).all():
        raise InputError(f"{what} holds a number that is not finite in float64", NUMBERS)
    return found


def array_of(name: str, rows: list[Any], where: str) -> np.ndarray:
    """A list of floats, or of equally long lists of floats, as float64."""
    what = f"{where}: {name}"
    shape: list[int] = []
    inner: Any = rows
    while isinstance(inner, list):
        shape.append(len(inner))
        inner = inner[0] if inner else None
    if len(shape) > 2:
        raise wrong_shape(what, tuple(shape))
    lengths = {len(row) if isinstance(row, list) else None for row in rows}
    if len(lengths) > 1:
        raise InputError(f"{where}: the rows of {name} are not equally long", NUMBERS)
    cells = rows if len(shape) == 1 else itertools.chain.from_iterable(rows)
    if not all(type(cell) is float for cell in cells):
        raise InputError(f"{what} holds something that is no number", NUMBERS)
    return np.array(rows, np.float64)


def tokens_of(name: str, array: np.ndarray) -> np.ndarray:
    """The array with a row per token; a vector is one token."""
    return array[None] if array.ndim == 1 else array
