"""What is no capture, a newer one or a damaged one is refused, with the reason."""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from attnviz.attention.capture import AttentionStack
from attnviz.attention.kept import look_up
from attnviz.attention.store.description import FORMAT
from attnviz.attention.store.reader import open_capture
from attnviz.attention.store.seal import head_seals, seal
from attnviz.errors import CaptureError, InputError
from attnviz.views.build import build
from tests.captures import axis, capture, description, layer, long_capture, resealed


def refused(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        open_capture(path)
    return str(caught.value)


def test_what_is_no_capture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    assert "no saved capture at" in refused(path)
    assert "is a folder" in refused(tmp_path)
    for content in (b"", b"hello, this is no safetensors file", bytes(200)):
        path.write_bytes(content)
        assert "no readable safetensors file" in refused(path)
    save_file({"layer.weight": np.zeros(3, np.float32)}, path)
    assert "holds no capture" in refused(path)
    save_file({"w": np.zeros(3, np.int8)}, path, metadata={"format": "pt"})
    assert "holds no capture" in refused(path)


@pytest.mark.parametrize("keep", [0, 7, 8, 100, -1])
def test_a_truncated_file_is_refused(keep: int, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    capture().save(path)
    path.write_bytes(path.read_bytes()[:keep])
    assert "no readable safetensors file" in refused(path)


def test_a_newer_format_asks_for_an_upgrade(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    capture().save(path)
    resealed(path, {"format_version": FORMAT + 1, "shape": "unheard of"})
    assert f"has capture format {FORMAT + 1}" in refused(path)
    assert "upgrade attnviz" in refused(path)


DAMAGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "no json": lambda found: "{",
    "a list": lambda found: "[1]",
    "no format_version": lambda found: found.pop("format_version"),
    "format_version is a text": lambda found: found.update(format_version="one"),
    "no stacks": lambda found: found.pop("stacks"),
    "an unknown fact": lambda found: found["model"].update(colour="red"),
    "an unknown axis": lambda found: found["stacks"]["self"][0].update(queries=99),
    "an unknown mask": lambda found: found["stacks"]["self"][0].update(allowed=7),
    "an unknown array": lambda found: found["stacks"]["self"][0]["kept"].append("dreams"),
    "too few heads": lambda found: found["stacks"]["self"][0].update(heads=[0, 1]),
    "a head twice": lambda found: found["stacks"]["self"][0].update(heads=[0, 1, 2, 2]),
    "a head beyond all": lambda found: found["stacks"]["self"][0].update(heads=[0, 1, 2, 4]),
    "an axis cut": lambda found: found["axes"][0].update(labels=["a"]),
    "a shorter axis": lambda found: found["axes"].append(shorter(found)),
}


def shorter(found: dict[str, Any]) -> dict[str, Any]:
    """The first axis without its last position, which the first layer then has as its keys."""
    found["stacks"]["self"][0]["keys"] = 1
    return {name: value[:-1] if isinstance(value, list) else value
            for name, value in found["axes"][0].items()}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_description_is_refused(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    capture().save(path)
    found = description(path)
    text = DAMAGES[damage](found)
    resealed(path, text if isinstance(text, str) and text[0] in "{[" else found)
    assert "holds a damaged capture" in refused(path)


@pytest.mark.parametrize("name", ["weights", "row_sums", "column_means", "links", "score.first",
                                  "top_keys", "top_weights", "pooled"])  # fmt: skip
def test_arrays_that_do_not_fit_their_layer_are_refused(name: str, tmp_path: Path) -> None:
    made, path = capture(whole=name in ("weights", "links")), tmp_path / "a.safetensors"
    made.save(path)
    found, arrays = description(path), load_file(path)
    arrays[f"self/1/{name}"] = twice = np.repeat(arrays[f"self/1/{name}"], 2, axis=0)
    found["seals"][f"self/1/{name}"] = head_seals(twice) if look_up(name).rounds else [seal(twice)]
    resealed(path, found, arrays)
    assert f"{name} of layer 1 has shape" in refused(path)


def test_a_mask_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    capture().save(path)
    found, arrays = description(path), load_file(path)
    arrays["allowed/0"] = arrays["allowed/0"][:-1].copy()
    found["seals"]["allowed/0"] = [seal(arrays["allowed/0"])]
    resealed(path, found, arrays)
    assert "allowed of layer 0 has shape (7, 8)" in refused(path)


@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8"])
@pytest.mark.parametrize("name", ["weights", "pooled"])
def test_an_altered_head_is_refused_when_it_is_read(name: str, dtype: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    capture(whole=name == "weights").save(path, dtype)
    arrays, found = load_file(path), description(path)
    arrays[f"self/1/{name}"][2, 1, 3] = 0
    resealed(path, found, arrays)
    maps = open_capture(path).stacks["self"].by_layer[1].kept[name]
    assert np.isfinite(maps[1]).all()
    assert np.isfinite(maps[3, 0]).all()
    for index in (2, -2, (2, 0), slice(0, 3), ...):
        with pytest.raises(InputError, match=f"was altered: self/1/{name}"):
            maps[index]


@pytest.mark.parametrize("name", ["self/0/score.first", "self/1/row_sums", "allowed/0"])
def test_altered_numbers_are_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    capture().save(path)
    found, arrays = description(path), load_file(path)
    arrays[name].ravel()[0] = ~arrays[name].ravel()[0] if name[0] == "a" else 0.25
    resealed(path, found, arrays)
    assert f"was altered: {name}" in refused(path)


def test_an_altered_description_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    capture().save(path)
    content = path.read_bytes()
    assert b"tiny" in content
    path.write_bytes(content.replace(b"tiny", b"tinY", 1))
    assert "was altered: its description" in refused(path)


def test_an_altered_header_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    capture().save(path)
    content = path.read_bytes()
    for old, new in ((b'"shape":[4,8,8]', b'"shape":[4,8,9]'), (b'"F32"', b'"F99"')):
        assert old in content
        path.write_bytes(content.replace(old, new))
        assert "no readable safetensors file" in refused(path)


@pytest.mark.parametrize(("scale", "reason"), [(np.zeros((4, 7), np.float32), "its scale (4, 7)"),
                                               (np.full((4, 8), np.inf, np.float32), "no weight"),
                                               (np.full((4, 8), 0.5, np.float16), "float16"),
                                               (None, "weights.scale' is missing")])  # fmt: skip
def test_a_scale_that_does_not_fit_is_refused(scale: Any, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    capture().save(path, "uint8")
    found, arrays = description(path), load_file(path)
    del arrays["self/1/weights.scale"]
    if scale is not None:
        arrays["self/1/weights.scale"] = scale
    resealed(path, found, arrays)
    assert reason in refused(path)


@pytest.mark.parametrize("version", [0, -1, "1", True, 1.5, None, [1], {}, float("nan"), 2**70])
def test_what_is_no_version_is_refused(version: object, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    capture().save(path)
    resealed(path, {**description(path), "format_version": version})
    assert "format_version" in (said := refused(path))
    assert "holds a damaged capture" in said


def test_a_far_newer_format_asks_for_an_upgrade(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    capture().save(path)
    resealed(path, {**description(path), "format_version": 10**9})
    assert "has capture format 1000000000" in refused(path)


@pytest.mark.parametrize("given", [None, "1", 1.0, [], True])
def test_a_missing_seal_is_refused(given: object, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    capture().save(path)
    found = description(path)
    resealed(path, {**found, "seal": given})
    assert "holds a damaged capture: seal is" in refused(path)
    resealed(path, json.dumps(found))
    assert "holds a damaged capture: 'seal' is missing" in refused(path)


@pytest.mark.parametrize("text", ["[" * 10**5, '{"a":' * 10**5, '{"seal": 1' + "0" * 5000 + "}",
                                  "", "0", "[]", "{}", "true", '"attnviz"'])  # fmt: skip
def test_absurd_metadata_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    capture().save(path)
    resealed(path, text)
    assert "holds a damaged capture" in refused(path)


WRONG: dict[type, list[object]] = {
    str: [0, None, [], {}, True, ["a"]],
    int: ["0", None, [], {}, True, 0.5, float("nan"), 2**70, -(2**70)],
    bool: [0, 1, "true", [], {}],
    float: ["0", None, [], {}, True, 2**70],
    list: [{}, "ab", 0, None, {"a": 1}, [[[]]], [{}]],
    dict: [[], "ab", 0, None, {"surely": {"unknown": []}}],
    type(None): [{}, [[]], 0.5, [{}]],
}
NULLABLE = ("revision", "pair", "target", "words", "spans", "grid", "ok", "allowed")


def places(found: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Everything a description holds, of lists the first entry, with the way to it."""
    yield path, found
    items = found.items() if isinstance(found, dict) else enumerate(found[:1])
    for name, value in items if path != ("plan",) else ():
        if isinstance(value, (dict, list)):
            yield from places(value, (*path, name))
        else:
            yield (*path, name), value


def test_every_field_of_another_type_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    spanned = axis(spans=((0, 3), *[None] * 7), words=(None, *range(7)), grid=(2, 4))
    made = dataclasses.replace(capture(), notes=("one",), pair="b", target=None)
    by_layer = {0: layer(0, spanned, spanned), 1: layer(1, spanned, spanned, whole=False)}
    made = dataclasses.replace(made, stacks={"self": AttentionStack("self", by_layer)})
    made.save(path, "uint8")
    found, arrays = description(path), load_file(path)
    tried = 0
    for place, value in list(places(found)):
        for wrong in WRONG[type(value)]:
            free = place == ("plan",) and isinstance(wrong, dict)
            if not place or free or (wrong is None and named(place) in NULLABLE):
                continue
            altered = copy.deepcopy(found)
            inner = altered
            for step in place[:-1]:
                inner = inner[step]
            inner[place[-1]] = wrong
            resealed(path, altered, arrays)
            said = refused(path)
            assert "holds a damaged capture" in said or "has capture format" in said, place
            tried += 1
    assert tried > 300


def named(place: tuple[Any, ...]) -> str:
    """The last name on the way to a place."""
    return str([step for step in place if isinstance(step, str)][-1])


NUMBERS: dict[str, list[object]] = {
    "layer": [-1, 2**30, 1],
    "order": [-1],
    "n_heads": [-4, 0, 2**40],
    "heads": [[], [-1, 0, 1, 2], [0, 1, 2, 2**40]],
    "queries": [-1, 5],
    "keys": [-1, 5],
    "allowed": [-1, 5],
    "kept": [["weights", "dreams"]],
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_that_stand_for_nothing_are_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    capture().save(path)
    found = description(path)
    for wrong in NUMBERS[name]:
        altered = copy.deepcopy(found)
        altered["stacks"]["self"][0][name] = wrong
        resealed(path, altered)
        assert "holds a damaged capture" in refused(path), wrong


ARRAYS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "top_keys": lambda found: found + 8,
    "top_weights": lambda found: found[..., :2],
    "pooled": lambda found: found.astype(np.int32),
    "pooled_max": lambda found: found[:, :2],
    "pooled_cells": lambda found: found[:, :2],
    "row_sums": lambda found: found.astype(np.int64),
    "score.first": lambda found: found > 0,
    "window": lambda found: found[:, :0],
    "window_at": lambda found: found + 6,
    "window_allowed": lambda found: found.astype(np.uint8),
    "heavy_keys": lambda found: found + 8,
    "slashes": lambda found: found + 8,
    "links": lambda found: found + 8,
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_of_another_kind_are_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    long_capture().save(path)
    open_capture(path)
    found, arrays = description(path), load_file(path)
    wrong = np.ascontiguousarray(ARRAYS[name](arrays[f"self/0/{name}"]))
    arrays[f"self/0/{name}"] = wrong
    found["seals"][f"self/0/{name}"] = head_seals(wrong) if look_up(name).rounds else [seal(wrong)]
    resealed(path, found, arrays)
    assert "holds a damaged capture" in (said := refused(path))
    assert name in said or "bins" in said or "self/0" in said or "_max" in said


def test_an_array_of_no_known_dtype_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    capture().save(path)
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"I64"', b'"U64"').replace(b'"F64"', b'"U64"'))
    assert "is stored as U64" in refused(path)


@pytest.mark.parametrize("seals", [[], [1], [1, 2, 3, 4, 5]])
def test_maps_with_too_few_checksums_are_refused(seals: list[int], tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    capture().save(path)
    found = description(path)
    found["seals"]["self/0/weights"] = seals
    resealed(path, found)
    assert f"{len(seals)} checksums" in refused(path)


@pytest.mark.parametrize("rounding", [{}, [], {"to": "uint8", "by": 0.1}, {"to": [], "by": "0"},
                                      {"to": [], "by": float("inf")}])  # fmt: skip
def test_a_rounding_that_cannot_be_read_is_refused(rounding: object, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    capture().save(path)
    found = description(path)
    found["plan"]["rounding"] = rounding
    resealed(path, found)
    assert "rounding" in refused(path)


@pytest.mark.parametrize("name", ["pooled", "top_weights", "window_at", "score.slash"])
def test_half_of_what_belongs_together_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    long_capture().save(path)
    found = description(path)
    found["stacks"]["self"][0]["kept"].remove(name)
    resealed(path, found)
    assert "has not all of" in refused(path)


def test_what_has_a_default_may_be_missing(tmp_path: Path) -> None:
    """Files of a format that lacks a field stay readable."""
    path = tmp_path / "a.safetensors"
    capture().save(path)
    found = description(path)
    del found["model"]["kv_heads"], found["axes"][0]["grid"], found["checks"][0]["detail"]
    resealed(path, found)
    assert open_capture(path).model.kv_heads == 0


def test_a_capture_of_nothing_opens_but_has_no_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    dataclasses.replace(capture(), stacks={}).save(path)
    with pytest.raises(CaptureError, match="holds no attention"):
        build(open_capture(path))
