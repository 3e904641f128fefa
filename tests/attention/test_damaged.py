"""What is no capture, a newer one or a damaged one is refused, with the reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
from safetensors.numpy import load_file, save_file

from attnviz.attention.seal import seal
from attnviz.attention.store import FORMAT, KEY, open_capture
from attnviz.errors import InputError
from tests.captures import capture


def meta(path: Path) -> dict[str, Any]:
    with safetensors.safe_open(str(path), framework="np") as file:
        found: dict[str, Any] = json.loads(file.metadata()[KEY])
        del found["seal"]
        return found


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


def rewritten(path: Path, text: str) -> None:
    save_file(load_file(path), path, metadata={KEY: text})


def test_a_newer_format_asks_for_an_upgrade(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    capture().save(path)
    rewritten(path, json.dumps({"format_version": FORMAT + 1, "shape": "unheard of"}))
    assert f"has capture format {FORMAT + 1}" in refused(path)
    assert "upgrade attnviz" in refused(path)


DAMAGES = {
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
    found = meta(path)
    text = DAMAGES[damage](found)
    rewritten(path, text if isinstance(text, str) and text[0] in "{[" else json.dumps(found))
    assert "holds a damaged capture" in refused(path)


@pytest.mark.parametrize("name", ["weights", "row_sums", "column_means", "links", "score.first",
                                  "top_keys", "top_weights", "pooled"])  # fmt: skip
def test_arrays_that_do_not_fit_their_layer_are_refused(name: str, tmp_path: Path) -> None:
    made, path = capture(whole=name in ("weights", "links")), tmp_path / "a.safetensors"
    made.save(path)
    found, arrays = meta(path), load_file(path)
    arrays[f"self/1/{name}"] = twice = np.repeat(arrays[f"self/1/{name}"], 2, axis=0)
    found["seals"][f"self/1/{name}"] = [seal(twice)]
    save_file(arrays, path, metadata={KEY: json.dumps(found)})
    assert f"{name} of layer 1 has shape" in refused(path)


def test_a_mask_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    capture().save(path)
    found, arrays = meta(path), load_file(path)
    arrays["allowed/0"] = arrays["allowed/0"][:-1].copy()
    found["seals"]["allowed/0"] = [seal(arrays["allowed/0"])]
    save_file(arrays, path, metadata={KEY: json.dumps(found)})
    assert "allowed of layer 0 has shape (7, 8)" in refused(path)


@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8"])
@pytest.mark.parametrize("name", ["weights", "pooled"])
def test_an_altered_head_is_refused_when_it_is_read(name: str, dtype: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    capture(whole=name == "weights").save(path, dtype)
    arrays, found = load_file(path), meta(path)
    arrays[f"self/1/{name}"][2, 1, 3] = 0
    save_file(arrays, path, metadata={KEY: json.dumps(found)})
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
    found, arrays = meta(path), load_file(path)
    arrays[name].ravel()[0] = ~arrays[name].ravel()[0] if name[0] == "a" else 0.25
    save_file(arrays, path, metadata={KEY: json.dumps(found)})
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
                                               (None, "weights.scale' is missing")])  # fmt: skip
def test_a_scale_that_does_not_fit_is_refused(scale: Any, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    capture().save(path, "uint8")
    found, arrays = meta(path), load_file(path)
    del arrays["self/1/weights.scale"]
    if scale is not None:
        arrays["self/1/weights.scale"] = scale
    save_file(arrays, path, metadata={KEY: json.dumps(found)})
    assert reason in refused(path)
