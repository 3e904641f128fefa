"""Reads queries, keys and values that were made by hand, and the parameters of a score."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.errors import InputError
from attnviz.inputs.read import decode, read_bytes
from attnviz.models.samples import input_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

STATES, PARAMETERS, NOTE = ("query", "key", "value"), ("W", "U", "v"), "note"
NUMBERS = "write numbers: [1, 2, 3], or one row per token: [[1, 2], [3, 4]]"


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
    fields = reader(read_bytes(file), str(path))
    unknown = [name for name in fields if name not in (*STATES, *PARAMETERS, NOTE)]
    if unknown:
        known = ", ".join((*STATES, *PARAMETERS, NOTE))
        raise InputError(f"{path}: there is no field {unknown[0]}", f"the fields are {known}")
    for name in STATES:
        if name not in fields:
            raise InputError(f"{path} has no {name}", f"it needs {', '.join(STATES)}")
    note = fields.pop(NOTE, "")
    arrays = {name: numbers_of(name, value, str(path)) for name, value in fields.items()}
    states = {name: tokens_of(name, arrays.pop(name)) for name in STATES}
    return HandMade(str(path), **states, parameters=arrays, note=str(note))


def fields_of_json(data: bytes, where: str) -> dict[str, Any]:
    """The fields of one JSON object."""
    try:
        found = json.loads(decode(data, where))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where} is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise InputError(f"{where} is not a JSON object", 'write {"query": …, "key": …}')
    return found


def fields_of_npz(data: bytes, where: str) -> dict[str, Any]:
    """The arrays of a NumPy archive."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile, AttributeError) as error:
        raise InputError(f"{where} is not a NumPy archive: {error}") from None


def fields_of_csv(data: bytes, where: str) -> dict[str, Any]:
    """The rows of every field: `query,1,0`."""
    found: dict[str, Any] = {}
    try:
        for row in csv.reader(io.StringIO(decode(data, where), newline=""), strict=True):
            if row:
                found.setdefault(row[0].strip(), []).append([cell.strip() for cell in row[1:]])
    except csv.Error as error:
        raise InputError(f"{where} is not CSV: {error}") from None
    if "v" in found and len(found["v"]) == 1:
        found["v"] = found["v"][0]
    return found


def numbers_of(name: str, value: Any, where: str) -> np.ndarray:
    """A field as float64, of one or two axes and not empty."""
    try:
        ragged = isinstance(value, list) and len({np.shape(row) for row in value}) > 1
    except ValueError:
        ragged = True
    if ragged:
        raise InputError(f"{where}: the rows of {name} are not equally long", NUMBERS)
    try:
        found = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{where}: {name} holds something that is no number", NUMBERS) from None
    if found.ndim not in (1, 2) or found.size == 0:
        shape = " × ".join(map(str, found.shape)) or "a single number"
        raise InputError(f"{where}: {name} is {shape}", NUMBERS)
    if not np.isfinite(found).all():
        raise InputError(f"{where}: {name} holds a number that is not finite", NUMBERS)
    return found


def tokens_of(name: str, array: np.ndarray) -> np.ndarray:
    """The array with a row per token; a vector is one token."""
    return array[None] if array.ndim == 1 else array
