"""How well a translator writes the reference, and how well its cross heads align."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import torch

import attnviz

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
    """Of every cross head, all gold links sure (docs/metrics.md, alignment error rate)."""
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
