"""Saved captures with anything altered in them are refused or shown."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from attnviz.attention.kept import look_up
from attnviz.attention.store.description import SCALE
from attnviz.attention.store.seal import head_seals, seal
from tests.attention.store.make_golden import captures
from tests.captures import description, resealed
from tests.fuzz.calling import peak, survives

NESTED: list[Any] = []
for _ in range(900):
    NESTED = [NESTED]
VALUES: list[Any] = [
    None, True, False, 0, 1, 2, -1, 7, 2**20, 2**31, 2**53, 2**70, -(2**70), 10**4000, 0.5, -0.5,
    float("nan"), float("inf"), 1e300, "", "a", "1", "self", "\x1b[31mred\x07", "a\rb\nc\td",
    "\u202eabc", "\ud800", "\x9b1m", "é" * 300, [], [0], [[]], [None], ["a"], ["a", "b"], [1, 2],
    {}, {"a": 1}, {"": []}, NESTED,
]  # fmt: skip
VIEWS: list[list[object]] = [
    ["inspect"], ["inspect", "--json"], ["inspect", "--query", 1], ["inspect", "--head", "L0H1"],
    ["inspect", "--view", "grid"], ["heads"], ["heads", "--json"], ["inspect", "--ascii"],
    ["inspect", "--words"], ["inspect", "--width", 60],
]  # fmt: skip


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """One saved capture of every kind."""
    folder = tmp_path_factory.mktemp("saved")
    for name, (made, dtype) in captures().items():
        made.save(folder / f"{name}.safetensors", dtype)
    return sorted(folder.iterdir())


def shown(path: Path, rng: random.Random, capsys: pytest.CaptureFixture[str]) -> int:
    """The exit code of one view of the file."""
    command, *options = rng.choice(VIEWS)
    return survives(capsys, command, path, *options)


def test_bytes(saved: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng, path = random.Random(1), tmp_path / "a.safetensors"
    codes = []
    for _ in range(50):
        data = bytearray(rng.choice(saved).read_bytes())
        for _ in range(rng.choice([1, 1, 3, 30])):
            at = rng.choice([len(data), 8, 400, 4000])
            data[rng.randrange(min(at, len(data)))] ^= 1 << rng.randrange(8)
        if rng.random() < 0.3:
            del data[rng.randrange(len(data)) :]
        path.write_bytes(data)
        codes.append(shown(path, rng, capsys))
    assert codes.count(1) > 44


def mutate(found: Any, rng: random.Random) -> None:
    """Alter one field, however deep it lies."""
    while True:
        names = [*found] if isinstance(found, dict) else [*range(len(found))]
        name = rng.choice(names)
        if isinstance(found[name], (dict, list)) and found[name] and rng.random() < 0.85:
            found = found[name]
            continue
        way = rng.random()
        if way < 0.8:
            found[name] = rng.choice(VALUES)
        elif way < 0.9:
            del found[name]
        elif isinstance(found, dict):
            found[rng.choice(["", "note", "a\x1b[0m"])] = found.pop(name)
        else:
            found.append(found[name])
        return


def test_descriptions(
    saved: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng, path, codes = random.Random(2), tmp_path / "a.safetensors", set()
    before = peak()
    for _ in range(120):
        given = rng.choice(saved)
        found = description(given)
        for _ in range(rng.choice([1, 1, 1, 2])):
            mutate(found, rng)
        resealed(path, found, load_file(given))
        codes.add(shown(path, rng, capsys))
    assert codes == {0, 1}
    assert peak() - before < 64


ALTERED: list[Callable[[np.ndarray], np.ndarray]] = [
    lambda found: found * np.nan,
    lambda found: found - 1,
    lambda found: found * 0,
    lambda found: found * np.inf,
    lambda found: found * 1e38,
    lambda found: found.astype(np.int32),
    lambda found: found.astype(bool),
    lambda found: found.astype(np.uint8),
    lambda found: found.astype(np.float16),
    lambda found: found.astype(np.float64),
    lambda found: found[:0],
    lambda found: found[..., :1],
    lambda found: found[..., ::-1],
    lambda found: found[None],
    lambda found: found.reshape(-1),
    lambda found: np.where(np.arange(found.size).reshape(found.shape) % 3 == 0, np.nan, found),
]


@pytest.mark.filterwarnings("ignore::RuntimeWarning:tests.fuzz")
def test_arrays(saved: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng, path, codes = random.Random(3), tmp_path / "a.safetensors", set()
    for _ in range(90):
        given = rng.choice(saved)
        found, arrays = copy.deepcopy(description(given)), load_file(given)
        name = rng.choice([*arrays])
        if rng.random() < 0.15:
            other = rng.choice([*arrays])
            arrays[name], arrays[other] = arrays[other], arrays[name]
            names = (name, other)
        else:
            with np.errstate(all="ignore"):
                arrays[name] = rng.choice(ALTERED)(arrays[name])
            names = (name,)
        for one in names:
            owner = one.removesuffix(SCALE)
            parts = [arrays[part] for part in (owner, owner + SCALE) if part in arrays]
            parts = [np.ascontiguousarray(part) for part in parts]
            short = min(map(len, parts)) < len(parts[0])
            is_map = look_up(owner.rpartition("/")[2]).rounds and not short
            found["seals"][owner] = head_seals(*parts) if is_map else [seal(*parts)]
        arrays = {key: np.ascontiguousarray(value) for key, value in arrays.items()}
        resealed(path, found, arrays)
        codes.add(shown(path, rng, capsys))
    assert codes == {0, 1}


def texts(found: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every text in a description, of lists to those in the first entry."""
    for name, value in found.items() if isinstance(found, dict) else enumerate(found[:1]):
        if isinstance(value, (dict, list)):
            yield from texts(value, (*path, name))
        elif isinstance(value, str):
            yield (*path, name)


@pytest.mark.parametrize("items", [True, False])
def test_every_text(
    items: bool, saved: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.safetensors"
    [given] = (one for one in saved if one.stem == "single")
    found, arrays = description(given), load_file(given)
    found["checks"] = [{"name": "rows", "ok": False, "detail": "off by 1"}]
    found["prediction"]["note"] = "why"
    if not items:
        found["prediction"]["items"] = []
    places = list(texts(found))
    assert len(places) > 10
    for place in places:
        altered = copy.deepcopy(found)
        inner = altered
        for step in place[:-1]:
            inner = inner[step]
        inner[place[-1]] = "\x1b[31mred\x07\r\x9b1m"
        resealed(path, altered, arrays)
        refused = place[-1] == "kind" or "kept" in place
        assert survives(capsys, "inspect", path, "--untrusted") == int(refused), place
