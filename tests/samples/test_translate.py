"""`sample:translate` translates, and a cross head shows which word translates which.

The decoder row that predicts a word aligns it: row t reads word t - 1 and predicts word t.
"""

from __future__ import annotations

import json
from pathlib import Path

import attnviz
from attnviz.inputs.read import input_file
from tests.samples.rates import error_rates, exact_match
from tests.samples.shuffled import shuffled


def test_it_translates() -> None:
    assert exact_match(attnviz.load("sample:translate")) >= 0.99


def test_a_head_aligns() -> None:
    rates = error_rates(attnviz.load("sample:translate"))
    assert min(rates.values()) <= 0.05


def test_shuffled_weights_align_nothing() -> None:
    model = shuffled("translate")
    assert min(error_rates(model).values()) > 0.5
    assert exact_match(model) < 0.05


def test_reordering_crosses() -> None:
    model = attnviz.load("sample:translate")
    source = "the young woman does not see the small grey house ."
    target = "la jeune femme ne voit pas la petite maison grise ."
    rates = error_rates(model)
    layer, head = min(rates, key=lambda name: rates[name])[1:].split("H")
    stack = attnviz.capture(model, source, target=target).stacks["cross"]
    keys = stack.weights(int(layer), int(head)).argmax(-1)
    english, french = source.split(), target.split()
    aligned = {word: english[key] for word, key in zip(french, keys[:-1], strict=True)}
    assert aligned["voit"] == "see"
    assert aligned["pas"] == "not"
    assert aligned["maison"] == "house"
    assert aligned["grise"] == "grey"
    assert english.index("grey") < english.index("house")
    assert french.index("grise") > french.index("maison")


def test_sample_pairs_have_gold_alignments() -> None:
    lines = Path(input_file("sample:text/translations")).read_text(encoding="utf-8").splitlines()
    assert len(lines) >= 20
    for line in lines:
        row = json.loads(line)
        words, french = row["text"].split(), row["target"].split()
        links = [tuple(map(int, link.split("-"))) for link in row["alignment"].split()]
        assert sorted(target for _, target in links) == list(range(len(french)))
        assert sorted(source for source, _ in links) == list(range(len(words)))
