"""Attention over hand-made numbers, as the steps that lead to its output."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from attnviz.errors import SelectionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from attnviz.inputs.qkv import HandMade
    from attnviz.mechanisms import Family
    from attnviz.tracing.hand import Recipe

NAMES = ("scores", "scaled", "masked", "weights", "output")
WEIGHING = {"soft": "softmax", "hard": "argmax", "local": "local softmax"}


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its name, its formula, and what it gave.

    `values` is (heads, queries, keys), or (heads, queries, d) for the output; given numbers are
    (1, tokens, d), or (1, d) for a vector. -inf stands at masked keys. `unchanged` says why a step
    left its numbers as they were.
    """

    name: str
    formula: str
    values: np.ndarray
    unchanged: str = ""

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes, without the heads where there is one."""
        sizes = self.values.shape
        return sizes[1:] if sizes[0] == 1 else sizes


@dataclass(frozen=True, slots=True)
class Products:
    """The score of one query and key as a sum of products, one per dimension.

    `query` and `key` are (d,) of one head; `names` is what they are called.
    """

    query: np.ndarray
    key: np.ndarray
    names: tuple[str, str] = ("q", "k")

    @property
    def terms(self) -> np.ndarray:
        """(d,): what each dimension adds to the score."""
        return np.asarray(self.query * self.key)

    @property
    def order(self) -> np.ndarray:
        """The dimensions, the largest terms of either sign first."""
        return np.argsort(-np.abs(self.terms), kind="stable")


@dataclass(frozen=True, slots=True)
class HandTrace:
    """Given numbers, steps and output of one attention.

    `queries` and `keys` are the indices that are shown. `products` holds one entry per head where
    one query and one key are asked for and their score is a product of both.
    """

    name: str
    mechanism: str
    paper: str
    formula: str
    given: tuple[Step, ...]
    steps: tuple[Step, ...]
    queries: tuple[int, ...]
    keys: tuple[int, ...]
    products: tuple[Products, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """`dot attention (Luong et al. 2015)`."""
        return f"{self.mechanism} attention ({self.paper})"

    @property
    def masked(self) -> np.ndarray:
        """(heads, queries, keys): the scores with -inf at masked keys."""
        return next(step.values for step in self.steps if step.name == "masked")


def hand_trace(
    given: HandMade,
    found: Mapping[str, np.ndarray],
    recipe: Recipe,
    family: Family,
    query: str | None = None,
    key: str | None = None,
) -> HandTrace:
    """The steps of `found`, by the names in NAMES, of this recipe over the given numbers.

    `query` and `key` are indices as the options give them. Raises SelectionError.
    """
    scale = family.scale(given.query.shape[1] // recipe.heads)
    formulas = {
        "scores": family.formula.removesuffix(" / √d"),
        "scaled": f"scores {scale_formula(scale)}" if family.scaled else "scores",
        "masked": "-∞ where the key comes after the query",
        "weights": weight_formula(recipe),
        "output": "Σ weight × value",
    }
    unchanged = {
        "scaled": "" if family.scaled else f"the {family.name} score is not scaled",
        "masked": "" if recipe.causal else "there is no mask",
    }
    used = {name: given.parameters[name] for name in family.parameters}
    inputs = {"query": given.query, "key": given.key, "value": given.value, **used}
    queries = picked(query, len(given.query), "--query")
    keys = picked(key, len(given.key), "--key")
    products: tuple[Products, ...] = ()
    if None not in (query, key) and family.name in ("dot", "scaled-dot"):
        products = products_of(given.query, given.key, recipe.heads, (queries[0], keys[0]))
    return HandTrace(
        name=given.name,
        mechanism=family.name,
        paper=family.paper,
        formula=f"weights = {WEIGHING[recipe.weigh]}({family.formula})",
        given=tuple(Step(name, "given", one[None]) for name, one in inputs.items()),
        steps=tuple(
            Step(name, formulas[name], found[name], unchanged.get(name, "")) for name in NAMES
        ),
        queries=queries,
        keys=keys,
        products=products,
        notes=tuple(filter(None, [given.note, *output_notes(found["weights"])])),
    )


def weight_formula(recipe: Recipe) -> str:
    """How scores become weights, in words of one line."""
    if recipe.weigh == "hard":
        return "1 at the largest, the first of a tie"
    if recipe.weigh == "local":
        p = f"{recipe.position:g}"
        return f"softmax over keys at most 2 from {p}, × exp(-(j - {p})² / 2), for key j"
    return "softmax: exp(e) / Σ exp(e) over the keys"


def picked(spec: str | None, count: int, option: str) -> tuple[int, ...]:
    """The index that `--query` or `--key` names, -1 the last; all of them without one."""
    if spec is None:
        return tuple(range(count))
    try:
        index = int(spec)
    except ValueError:
        raise SelectionError(
            f"{option} {spec} is no index: hand-made numbers have no words",
            f"give one from 0 to {count - 1}",
        ) from None
    if not -count <= index < count:
        raise SelectionError(
            f"{option} {spec} does not exist: there {'is' if count == 1 else 'are'} {count}",
            f"give one from 0 to {count - 1}",
        )
    return (index % count,)


def products_of(
    query: np.ndarray, key: np.ndarray, heads: int, one: tuple[int, int]
) -> tuple[Products, ...]:
    """The products of one query and one key, per head of these queries and keys."""
    row, column = np.split(query[one[0]], heads), np.split(key[one[1]], heads)
    return tuple(Products(q, k) for q, k in zip(row, column, strict=True))


def output_notes(weights: np.ndarray) -> Iterable[str]:
    """What is to be said of rows (heads, queries, keys) that do not sum to 1."""
    sums = weights.sum(axis=-1)
    for head, query in np.argwhere(sums == 0).tolist():
        where = f"head {head}, query {query}" if len(weights) > 1 else f"query {query}"
        yield f"{where}: every key is masked, so that its weights and output are 0"
    partial = (sums > 0) & ~np.isclose(sums, 1.0)
    if partial.any():
        shown = ", ".join(f"{one:.4f}" for one in sums[partial][:4])
        more = ", …" if partial.sum() > 4 else ""
        yield f"the weights are not normalised again: rows sum to {shown}{more}"


def scale_formula(scale: float) -> str:
    """`× 1/√2 = × 0.7071` for a scale of one over a root, else `× 0.25`."""
    squared = 1 / scale**2 if scale > 0 else math.nan
    root = round(squared) if math.isfinite(squared) else 0
    factor = f"× {scale:.4g}"
    return f"× 1/√{root} = {factor}" if root and math.isclose(squared, root) else factor
