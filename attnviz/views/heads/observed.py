"""The heads that a run observed, with what names them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnviz.views.heads.head import Head
from attnviz.views.heads.names import LOCAL, POPULAR

if TYPE_CHECKING:
    from attnviz.attention.axis import Axis
    from attnviz.attention.capture import LayerAttention

FEW = 2 / POPULAR  # of so few keys one is easily popular
REPEATS = 3  # with fewer repeated tokens, one hit makes a head of copies
NEAR = 7  # keys less than 4 tokens away
CROWDED = NEAR / LOCAL  # of so few keys most are near


def heads_of(layer: LayerAttention) -> list[Head]:
    """Every observed head of a layer, with its scores."""
    names = [key for key in layer.kept if key.startswith("score.")]
    means = layer.kept.get("column_means")
    found, weak = [], weak_scores(layer.keys)
    for index, head in enumerate(layer.heads):
        scores = {name.removeprefix("score."): float(layer.kept[name][index]) for name in names}
        popular = None if means is None else most_popular(means[index])
        found.append(Head(layer.layer, head, scores, weak, key_texts(layer.keys, popular)))
    return found


def weak_scores(keys: Axis) -> frozenset[str]:
    """The scores that so few keys, or so few repeated tokens, give no ground for."""
    count = len(keys)
    return frozenset(
        ({"sink"} if count <= FEW else set())
        | ({"local"} if count <= CROWDED else set())
        | ({"duplicate", "induction"} if keys.repeats < REPEATS else set())
    )


def most_popular(column_means: np.ndarray) -> int | None:
    """The key that most attention goes to; None when no mean is known."""
    if column_means.size == 0 or np.isnan(column_means).all():
        return None
    return int(np.nanargmax(column_means))


def key_texts(keys: Axis, popular: int | None) -> dict[str, str]:
    """What a head is called that rests on its most popular key, or on special tokens."""
    special = {label for label, is_special in zip(keys.labels, keys.special, strict=True)
               if is_special}  # fmt: skip
    if popular is None:
        return {"special-token": special.pop()} if len(special) == 1 else {}
    label = keys.labels[popular]
    if keys.special[popular]:
        return {"special-token": label, "sink": label}
    texts = {"sink": "first" if popular == keys.first else label}
    return texts | ({"special-token": special.pop()} if len(special) == 1 else {})


def popular_keys(column_means: np.ndarray, keys: Axis) -> np.ndarray:
    """Bool (keys,): the tokens of the text that average more than 0.3 of the attention."""
    if len(keys) <= FEW:
        return np.zeros(len(keys), bool)
    return np.asarray(~np.array(keys.special, bool) & (column_means > POPULAR))
