"""One query of one head: how its weights came about, key by key."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from attnviz.attention.tokens import is_range, require_one, resolve_tokens
from attnviz.errors import UsageError
from attnviz.views.heads.names import POPULAR
from attnviz.views.steps.hand_trace import Products, scale_formula

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from attnviz.attention.axis import Axis
    from attnviz.attention.capture import LayerAttention
    from attnviz.tracing.head import HeadSteps

KEYS, TERMS, FEW_KEYS = 8, 8, 4  # listed unless asked for; keys beside the terms of one of them


class Sides(NamedTuple):
    """What a score multiplies: how the sides of query and key are called, and what they are."""

    query: str
    key: str
    query_is: str
    key_is: str


DOT = Sides("q", "k", "q of this token", "k of every token")
SIDES = {
    "general": Sides("qW", "k", "qᵀW, with q of this token", "k of every token"),
    "additive": Sides("v", "tanh", "v, the same for all", "tanh(W q + U k), with q of this token"),
}


@dataclass(frozen=True)
class Traced:
    """What is traced: a query of a head, and perhaps a key, as positions; and why these.

    `reasons` says of head, query and key why they were chosen where nobody asked for them.
    """

    stack: str
    layer: LayerAttention
    head: int
    query: int
    key: int | None = None
    reasons: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """`L3H5`."""
        return f"L{self.layer.layer}H{self.head}"


@dataclass(frozen=True)
class HeadTrace:
    """A traced query with its steps. `top` is how many keys and products are listed.

    `several` says that the stack must be named; `rotary` that queries and keys were rotated.
    """

    traced: Traced
    steps: HeadSteps
    top: int | None
    several: bool
    rotary: bool
    precision: str

    @property
    def queries(self) -> Axis:
        """The query axis."""
        return self.traced.layer.queries

    @property
    def keys(self) -> Axis:
        """The key axis."""
        return self.traced.layer.keys

    @cached_property
    def open(self) -> np.ndarray:
        """The keys that the mask allows, the heaviest first."""
        order = np.argsort(-self.steps.weights, kind="stable")
        return np.asarray(order[np.isfinite(self.steps.masked[order])])

    @property
    def listed(self) -> list[int]:
        """The keys that are listed: the heaviest, and the one that was asked for."""
        key = self.traced.key
        most = self.top or (KEYS if key is None else FEW_KEYS)
        shown: list[int] = self.open[:most].tolist()
        return shown if key is None or key in shown else [*shown, key]

    @property
    def terms(self) -> int:
        """How many products are listed."""
        return self.top or TERMS

    @property
    def products(self) -> Products | None:
        """The products behind the score of the key that was asked for."""
        if self.traced.key is None:
            return None
        names = (self.sides.query, self.sides.key)
        return Products(self.steps.query, self.steps.key[self.traced.key], names)

    @property
    def sides(self) -> Sides:
        """What the score multiplies."""
        return SIDES.get(self.steps.family, DOT)

    @property
    def score(self) -> str:
        """The score in short: `q·k`."""
        return f"{self.sides.query}·{self.sides.key}"

    @property
    def sharing(self) -> str:
        """`key-value head 1 of 2, shared by L3H4-L3H7`; empty where each head has its own."""
        steps, layer = self.steps, self.traced.layer.layer
        share = steps.heads // steps.groups
        if share == 1:
            return ""
        first, last = steps.group * share, (steps.group + 1) * share - 1
        shared = f"shared by L{layer}H{first}-L{layer}H{last}"
        return f"key-value head {steps.group} of {steps.groups}, {shared}"

    @cached_property
    def columns(self) -> dict[str, np.ndarray]:
        """The numbers that lead from score to weight, (keys) each, by the names of the steps.

        `exp` is e to the score less `largest`, which softmax divides by `total`.
        """
        steps = self.steps
        found = {"scores": steps.scores, "scaled": steps.scaled, "capped": steps.capped,
                 "biased": steps.biased, "exp": np.exp(steps.masked - self.largest)}  # fmt: skip
        return {name: one for name, one in found.items() if one is not None}

    @property
    def largest(self) -> float:
        """The largest score that enters the softmax."""
        found = self.steps.masked[np.isfinite(self.steps.masked)]
        return float(found.max(initial=self.steps.sink[0] if self.steps.sink else -np.inf))

    @property
    def total(self) -> float:
        """The sum that the softmax divides by, with the learned sink where there is one."""
        sink = np.exp(self.steps.sink[0] - self.largest) if self.steps.sink else 0.0
        return float(np.exp(self.steps.masked - self.largest).sum() + sink)

    @cached_property
    def formulas(self) -> dict[str, tuple[str, str]]:
        """(formula, shape) of every step, in order."""
        return dict(formulas(self))

    @property
    def norms(self) -> tuple[np.ndarray, str]:
        """What every key adds to the output: ‖weight · v · W_O‖, or without W_O, (keys)."""
        steps = self.steps
        if steps.written is not None:
            return steps.written, "‖αvW‖"
        lengths = np.linalg.norm(steps.value, axis=-1)
        return np.asarray(steps.weights * lengths), "‖αv‖"

    @property
    def notes(self) -> Iterator[str]:
        """Why this head and these tokens, and what could not be shown."""
        yield from self.traced.reasons
        if self.steps.written is None:
            yield f"W_O is not applied: {self.steps.unwritten}"

    @property
    def agreement(self) -> str:
        """By how much the steps differ from what the model used."""
        off = self.steps.difference
        how = f"differ by at most {off:.1g} from" if off else "are exactly"
        return f"These weights {how} the model's own ({self.precision})."


def formulas(view: HeadTrace) -> Iterator[tuple[str, tuple[str, str]]]:
    """The name of every step with its formula and shape."""
    steps = view.steps
    keys, size = steps.key.shape
    rotated = ", after any rotary embedding" if view.rotary else ""
    yield "query", (f"{view.sides.query_is}{rotated}", str(size))
    yield "key", (f"{view.sides.key_is}{rotated}", f"{keys} × {size}")
    yield "scores", (view.score, str(keys))
    scale = "× 1: this model does not scale" if steps.scale == 1 else scale_formula(steps.scale)
    yield "scaled", (scale, str(keys))
    if steps.capped is not None:
        cap = f"{steps.softcap:g}"
        yield "capped", (f"{cap} · tanh(scaled / {cap})", str(keys))
    if steps.biased is not None:
        yield "biased", ("+ position bias", str(keys))
    reasons = ", ".join(mask_reasons(view)) or "no key is masked"
    yield "masked", (f"-∞: {reasons}" if mask_reasons(view) else reasons, str(keys))
    if steps.sink is not None:
        score, weight = steps.sink
        yield "sink", (f"one more score, {score:.2f}: takes {weight:.2f} and adds nothing", "1")
    less = f"{'-' if view.largest >= 0 else '+'} {abs(view.largest):.2f}"
    softmax = f"softmax: exp(s {less}) / {view.total:.4g}, the sum of all exp"
    yield "weights", (softmax, str(keys))
    yield "value", ("v of every token", f"{keys} × {steps.value.shape[1]}")
    lengths = f"‖·‖ = {np.linalg.norm(steps.output):.2f}"
    if steps.written_output is not None:
        lengths += f", after W_O {steps.written_output:.2f}"
    if steps.written is not None:
        yield "added", ("‖αvW‖: how long weight × v × W_O is, what a key writes", str(keys))
    yield "output", (f"Σ weight × v: {lengths}", str(len(steps.output)))


def mask_reasons(view: HeadTrace) -> list[str]:
    """How many keys are masked, and why: `3 later keys, 8 earlier keys out of reach`.

    Earlier keys are out of reach of a window or chunk.
    """
    keys, layer = view.keys, view.traced.layer
    closed = np.flatnonzero(~np.isfinite(view.steps.masked)).tolist()
    padding = [k for k in closed if keys.padding[k]]
    real = [k for k in closed if not keys.padding[k]]
    if layer.cross or len(keys) != len(view.queries):
        kinds = {"masked": len(real)}
    else:
        later = sum(k > view.traced.query for k in real)
        kinds = {"later": later, "earlier": len(real) - later}
    kinds["padding"] = len(padding)
    beyond = {"earlier": " out of reach"}
    return [
        f"{count} {name} key{'s' * (count > 1)}{beyond.get(name, '')}"
        for name, count in kinds.items()
        if count
    ]


def one_query(
    spec: str | None, layer: LayerAttention, weights: np.ndarray | None
) -> tuple[int, str]:
    """The position of the query to trace, and why where nobody named it exactly.

    `weights` (queries, keys) are those of the head, None where the map was not kept whole. Of a
    word of several tokens the last is taken. Raises SelectionError, UsageError for a range.
    """
    if spec is not None:
        positions = positions_of(spec, layer.queries, "--query")
        return positions[-1], several(spec, positions, "its last")
    counted = np.array(layer.queries.counted(layer.causal))
    last = int(np.flatnonzero(counted)[-1]), "query: the last one, as none is named"
    if weights is None:
        return last
    links = np.where(counted[:, None] & ~popular(layer, weights), weights, 0.0)
    if not layer.cross and links.shape[0] == links.shape[1]:
        np.fill_diagonal(links, 0.0)
    if not links.any():
        return last
    strongest = int(links.max(axis=1).argmax())
    return strongest, "query: the one with the strongest link to a token that is no sink"


def popular(layer: LayerAttention, weights: np.ndarray) -> np.ndarray:
    """bool (keys): special tokens, the first of a causal stack, and what takes over 30 %."""
    found = np.array(layer.keys.special) | (weights.mean(axis=0) > POPULAR)
    if layer.causal:
        found[layer.keys.first] = True
    return np.asarray(found)


def one_key(
    spec: str | None, layer: LayerAttention, weights: np.ndarray | None = None
) -> tuple[int | None, str]:
    """The position of the key to trace, and why where it was not named exactly.

    `weights` (keys) are those of the query: of a word of several tokens the heaviest is taken.
    Raises SelectionError, UsageError for a range.
    """
    if spec is None:
        return None, ""
    positions = positions_of(spec, layer.keys, "--key")
    heaviest = positions[0]
    if weights is not None:
        heaviest = positions[int(np.argmax(weights[positions]))]
    return heaviest, several(spec, positions, "its heaviest")


def positions_of(spec: str, axis: Axis, option: str) -> list[int]:
    """The positions of one word. Raises UsageError for a range, SelectionError for several."""
    if is_range(spec):
        raise UsageError(f"{option} {spec} names several tokens", "trace follows one")
    require_one(spec, axis, option)
    return resolve_tokens(spec, axis, option)


def several(spec: str, positions: Sequence[int], which: str) -> str:
    """What to say where a word has several tokens."""
    if len(positions) == 1:
        return ""
    return f"{spec} is {len(positions)} tokens: {which} is traced"
