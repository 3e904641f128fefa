"""Hand-made numbers with anything altered in their file are refused or traced."""

from __future__ import annotations

import io
import json
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

from tests.fuzz.calling import peak, survives

GIVEN = {"query": [[1, 0], [2, 1]], "key": [[1, 0], [0, 1], [1, 1]],
         "value": [[1, 0], [0, 1], [1, 1]], "note": "made by hand"}  # fmt: skip
NUMBERS = ["0", "-1", "1e999", "-1e308", "1e308", "5e-324", "NaN", "-Infinity", "1" + "0" * 5000,
           "null",
           "true", '"1"', '"\\u001b[31m"', '"\\ud800"', "[]", "{}", "[1]", "[[1]]", "[1, 2]",
           "[" * 2000 + "]" * 2000, "[" * 90 + "]" * 90, "0x1", "1_0", "+1", ""]  # fmt: skip
CELLS = ["0", "-1", "1e999", "1e308", "nan", "-inf", "1" + "0" * 5000, "", " ", "a",
         "\x1b[31m", '"', '"a\nb"', "\x00", "\r", "\u202e", "1_0", "\u0663", "x" * 140_000,
         "1,2", "1\nkey,1"]  # fmt: skip
HEADERS = ["<f8", ">f4", "<f2", "<i8", "|b1", "|O", "<U4", "|S3", "<c16", "<M8[s]", "|V8", "<f16",
           [("a", "<f8")], "<f8, <f8", "\x1b[31m", "", "O,O"]  # fmt: skip
SHAPES = [(2, 2), (), (4,), (0, 2), (2, 0), (-1, 2), (2**40, 2**40), (2**62, 0), (1, 2, 2),
          (1,) * 40, (2.5, 2), (True, 4), "4", None, [2, 2], (2**27, 1)]  # fmt: skip
OPTIONS: list[list[object]] = [
    [], ["--json"], ["--format", "csv"], ["--causal"], ["--hard"], ["--heads", 2], ["--ascii"],
    ["--mechanism", "additive"], ["--mechanism", "general"], ["--local", 1], ["--key", 0],
]  # fmt: skip


def json_file(rng: random.Random) -> bytes:
    """A field or a number of it replaced, or a few characters."""
    text = json.dumps(GIVEN)
    if rng.random() < 0.6:
        places = [i for i, c in enumerate(text) if c in '[0123"']
        at = rng.choice(places)
        return (text[:at] + rng.choice(NUMBERS) + text[at + rng.choice([0, 1]) :]).encode()
    fields: dict[str, str] = {name: json.dumps(value) for name, value in GIVEN.items()}
    name = rng.choice([*fields, "W", "v", "Q", "\\u001b[0m"])
    fields[name] = rng.choice(NUMBERS)
    return ("{" + ", ".join(f'"{name}": {value}' for name, value in fields.items()) + "}").encode()


def csv_file(rng: random.Random) -> bytes:
    """A cell of the rows replaced."""
    rows = [[name, *map(str, row)] for name in ("query", "key", "value") for row in GIVEN[name]]
    row = rng.choice(rows)
    row[rng.randrange(len(row))] = rng.choice(CELLS)
    if rng.random() < 0.3:
        rng.choice(rows).append(rng.choice(CELLS))
    return "\n".join(map(",".join, rows)).encode()


def npz_file(rng: random.Random) -> bytes:
    """An array replaced by a header that tells anything, of no, few or many bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for name in ("query", "key", "value", "note"):
            data = io.BytesIO()
            np.lib.format.write_array(data, np.array(GIVEN[name]))
            told = rng.random() < 0.25
            alias = rng.choice([name, name, name, name, "W", f"{name}\x1b[31m"]) if told else name
            if f"{alias}.npy" not in file.namelist():
                file.writestr(f"{alias}.npy", anything(rng) if told else data.getvalue())
    return damaged(out.getvalue(), rng) if rng.random() < 0.4 else out.getvalue()


def anything(rng: random.Random) -> bytes:
    """A header of an array and some zeros."""
    told = {"descr": rng.choice(HEADERS), "fortran_order": rng.random() < 0.1,
            "shape": rng.choice(SHAPES)}  # fmt: skip
    text = repr(told).encode("latin1") + b"\n"
    version = rng.choice([1, 1, 1, 1, 2, 3, 9])
    length = len(text).to_bytes(2 if version == 1 else 4, "little")
    many = 1 << 25 if rng.random() < 0.1 else 0
    body = bytes(many or rng.choice([0, 8, 32, 32, 32, 64, 1000]))
    return b"\x93NUMPY" + bytes([version, 0]) + length + text + body


def safetensors_file(rng: random.Random) -> bytes:
    """What is no file of hand-made numbers."""
    data = save({name: np.array(GIVEN[name], float) for name in ("query", "key", "value")})
    return damaged(bytes(data), rng)


def damaged(data: bytes, rng: random.Random) -> bytes:
    """The bytes with some of them flipped or cut away."""
    out = bytearray(data)
    for _ in range(rng.choice([1, 3, 20])):
        out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    return bytes(out[: rng.randrange(len(out))] if rng.random() < 0.2 else out)


FILES: dict[str, tuple[Callable[[random.Random], bytes], int]] = {
    ".json": (json_file, 120),
    ".csv": (csv_file, 120),
    ".npz": (npz_file, 160),
    ".safetensors": (safetensors_file, 10),
}


@pytest.mark.parametrize("suffix", FILES)
def test_numbers(suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make, count = FILES[suffix]
    rng, path, codes = random.Random(suffix), tmp_path / f"given{suffix}", set()
    before = peak()
    for _ in range(count):
        path.write_bytes(make(rng) if suffix != ".json" or rng.random() < 0.8
                         else damaged(make(rng), rng))  # fmt: skip
        options: list[Any] = rng.choice(OPTIONS)
        codes.add(survives(capsys, "trace", "--qkv", path, *options))
    assert codes == ({1} if suffix == ".safetensors" else {0, 1})
    assert peak() - before < 160  # MiB, of which torch takes most
