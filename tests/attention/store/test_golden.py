"""Captures that were saved in the formats so far open for ever, with the values they were given."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

import attnviz
from attnviz.attention.store.description import FORMAT
from attnviz.render.terminal.console import make_console
from attnviz.render.terminal.picture import print_answer
from attnviz.views.build import build
from tests.attention.store.make_golden import GOLDEN, captures

FILES = sorted(GOLDEN.glob("*.safetensors"))
# file, stack, layer, array, index: what stands there
VALUES: dict[tuple[str, str, int, str, tuple[int, ...]], list[float]] = {
    ("format-1-single", "self", 0, "weights", (0, 3)): [
        0.000993, 0.000993, 0.993049, 0.000993, 0.000993, 0.000993, 0.000993, 0.000993
    ],
    ("format-1-single", "self", 1, "weights", (2, 5)): [0.125] * 8,
    ("format-1-single", "self", 0, "row_sums", (1,)): [1] * 8,
    ("format-1-translation", "encoder", 1, "weights", (3, 3)): [0.952381, *[0.009524] * 5],
    ("format-1-translation", "decoder", 0, "weights", (3, 2)): [1 / 3, 1 / 3, 1 / 3, 0, 0],
    ("format-1-translation", "cross", 0, "weights", (3, 2)): [0.04, 0.04, 0.8, 0.04, 0.04, 0.04],
    ("format-1-long", "self", 0, "pooled", (1, 3)): [0.25] * 4,
    ("format-1-long", "self", 0, "pooled_max", (3, 0)): [0.037037, 0.740741, 0.740741, 0.037037],
    ("format-1-long", "self", 0, "pooled_cells", (2,)): [4] * 4,
    ("format-1-long", "self", 0, "top_keys", (0, 2)): [1, 0, 2, 3],
    ("format-1-long", "self", 0, "top_weights", (0, 2)): [0.993049, 0.000993, 0.000993, 0.000993],
    ("format-1-long", "self", 0, "window", (1, 1)): [0.125] * 3,
    ("format-1-long", "self", 0, "window_at", ()): [2, 5],
    ("format-1-long", "self", 0, "window_allowed", (0,)): [1] * 3,
    ("format-1-long", "self", 0, "heavy_keys", (3, 0)): [2, 0.5],
    ("format-1-long", "self", 0, "slashes", (3, 0)): [1, 0.5],
    ("format-1-half", "self", 0, "weights", (3, 2)): [0.740723, *[0.037048] * 7],
    ("format-1-rounded", "self", 0, "weights", (1, 3)): [0.25] * 4 + [0] * 4,
    ("format-1-rounded", "self", 0, "weights", (3, 2)): [0.909091, 0.046346, 0.046346] + [0] * 5,
}  # fmt: skip
SEEN = {
    "single": ("tiny-bert", "BertModel", "sat 75%", "one note", "maps kept whole"),
    "translation": ("marian", "MarianMTModel", "wunderbar", "wonder"),
    "long": ("tiny-bert", "BertModel", "[CLS]", "mat", "50%"),
    "half": ("tiny-bert", "maps were rounded to float16"),
    "rounded": ("tiny-bert", "maps were rounded to uint8: weights are off by up to 0.0018"),
}


@pytest.mark.parametrize("place", VALUES, ids=lambda place: "-".join(map(str, place[:4])))
def test_values(place: tuple[str, str, int, str, tuple[int, ...]]) -> None:
    name, stack, layer, array, index = place
    found = attnviz.open(GOLDEN / f"{name}.safetensors").stacks[stack].layer(layer).kept[array]
    np.testing.assert_allclose(np.asarray(found)[index], VALUES[place], atol=1e-6)


def test_facts() -> None:
    found = attnviz.open(GOLDEN / "format-1-single.safetensors")
    facts = found.model
    assert (facts.name, facts.architecture, facts.revision) == ("tiny-bert", "BertModel", None)
    assert (facts.layers, facts.heads, facts.parameters) == (3, 4, 22_713_216)
    assert (found.text, found.pair) == ("[CLS] the cat sat on mat . [SEP]", "a pair")
    assert found.target is None
    assert found.prediction.items == (("[MASK]", (("sat", 0.75), ("lay", 0.25))),)
    assert [(one.name, one.ok, one.detail) for one in found.checks] == [
        ("row sums", True, ""), ("output", None, "not compared")
    ]  # fmt: skip
    axis = found.stacks["self"].keys(1)
    assert axis.labels == ("[CLS]", "the", "cat", "sat", "on", "mat", ".", "[SEP]")
    assert axis.special == (True, *[False] * 6, True)
    assert axis.words == (None, 1, 2, 3, 4, 5, 6, None)
    assert axis.spans == (None,) * 8
    previous = [[0.868918, 0.109375, 0.123832, 0.032407], [0.032407, 0.868918, 0.109375, 0.123832]]
    np.testing.assert_allclose(found.scores["self"]["previous"], previous, atol=1e-6)
    masked = attnviz.open(GOLDEN / "format-1-rounded.safetensors").stacks["self"]
    np.testing.assert_array_equal(masked.allowed(0), np.tril(np.ones((8, 8), bool)))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_drawn(path: Path) -> None:
    out = io.StringIO()
    print_answer(build(attnviz.open(path)), make_console(100, "never", False, out, {}))
    for word in SEEN[path.stem.rpartition("-")[2]]:
        assert word in out.getvalue()


def test_every_format_has_its_files() -> None:
    kinds = {path.stem for path in FILES}
    assert kinds >= {f"format-{FORMAT}-{name}" for name in captures()}
    assert kinds == {place[0] for place in VALUES}
