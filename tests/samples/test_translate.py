"""`sample:translate` translates, and a cross head shows which word translates which.

The decoder row that predicts a word aligns it: row t reads word t - 1 and predicts word t.
"""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

import attnviz
from attnviz.inputs.read import input_file
from tests.samples.shuffled import shuffled

if TYPE_CHECKING:
    from attnviz.models.loaded import LoadedModel

COUNT = 60


def held_out() -> list:
    from sentences import sentences

    return list(islice(sentences(99, held_out=True), COUNT))


def exact_match(model: LoadedModel) -> float:
    """The share of greedy translations that are the reference, word for word."""
    tokenizer, found = model.tokenizer, []
    assert tokenizer is not None
    for one in held_out():
        inputs = tokenizer(" ".join(one.source), return_tensors="pt")
        with torch.no_grad():
            out = model.model.generate(**inputs, do_sample=False)[0]
        found.append(tokenizer.decode(out, skip_special_tokens=True).split() == list(one.target))
    return float(np.mean(found))


def error_rates(model: LoadedModel) -> dict[str, float]:
    """The alignment error rate of every cross head, all gold links sure (METRICS.md 5)."""
    hits: dict[str, int] = {}
    total = 0
    for one in held_out():
        target, source = len(one.target), len(one.source)
        capture = attnviz.capture(model, " ".join(one.source), target=" ".join(one.target))
        total += target + len(one.alignment)
        cross = capture.stacks["cross"]
        assert list(cross.keys(0).labels[:source]) == list(one.source)
        assert list(cross.queries(0).labels[1:]) == list(one.target)
        for layer in cross.layers:
            rows = cross.weights(layer)[:, :target, :source].argmax(-1)
            for head, keys in enumerate(rows):
                links = {(int(key), query) for query, key in enumerate(keys)}
                name = f"L{layer}H{head}"
                hits[name] = hits.get(name, 0) + len(links & set(one.alignment))
    return {name: 1 - 2 * count / total for name, count in hits.items()}


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
