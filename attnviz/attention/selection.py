"""What was asked for, and which layers and heads of a model those are."""

from __future__ import annotations

import operator
import re
import reprlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from attnviz.attention.ranges import ranges
from attnviz.attention.tokens import PART, is_range, resolve_tokens
from attnviz.errors import SelectionError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attnviz.attention.axis import Axis

PAIR = re.compile(r"L(\d{1,18})H(\d{1,18})", re.IGNORECASE)
LAYER_FORMS = "write a layer, a range or a list: 3, 0-5, 0-5,11,-1"
NUMBER_FORMS = "give 3, [0, -1] or range(6); heads also as L3H7 or pairs [(3, 7), (5, 1)]"
HEAD_FORMS = "write a head, a range, a list, or layer and head: 5, 0-3, 5,7, L3H7, L3H7,L5H1"


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from `first` to `last`, both included; negative ones count from the end."""

    first: int
    last: int

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


@dataclass(frozen=True, slots=True)
class Selection:
    """What `--layer`, `--head`, `--stack`, `--query` and `--key` ask for; empty means all.

    `pairs` holds (layer, head) of `L3H7`; then `heads` is empty.
    """

    layers: tuple[Range, ...] = ()
    heads: tuple[Range, ...] = ()
    pairs: tuple[tuple[int, int], ...] = ()
    stack: str | None = None
    query: str | None = None
    key: str | None = None

    @classmethod
    def parse(
        cls,
        layer: str | None = None,
        head: str | None = None,
        stack: str | None = None,
        query: str | None = None,
        key: str | None = None,
    ) -> Selection:
        """The selection these options spell. Raises UsageError when one of them is malformed."""
        layers = parse_ranges(layer, "--layer", LAYER_FORMS) if layer is not None else ()
        heads: tuple[Range, ...] = ()
        pairs: tuple[tuple[int, int], ...] = ()
        if head is not None:
            if "l" in head.lower():
                pairs = parse_pairs(head)
                check_agreement(layers, pairs, str(layer), head)
            else:
                heads = parse_ranges(head, "--head", HEAD_FORMS)
        for option, text in (("--stack", stack), ("--query", query), ("--key", key)):
            if text is not None and not text.strip():
                raise UsageError(f"{option} is empty", f"name one, or leave {option} out")
        return cls(layers, heads, pairs, stack, query, key)

    @classmethod
    def of(
        cls,
        layers: object = None,
        heads: object = None,
        stack: str | None = None,
        query: str | int | None = None,
        key: str | int | None = None,
    ) -> Selection:
        """The selection of plain values; None means all.

        `layers` and `heads` are numbers, alone or in any sequence or array of integers; negative
        ones count from the end. `heads` may also be pairs (layer, head), or labels such as "L3H5".
        `stack`, `query` and `key` are what the options of the same names take. Raises
        SelectionError, about the parameter, for anything else and for none at all.
        """
        tokens = cls.parse(
            stack=stack,
            query=None if query is None else str(query),
            key=None if key is None else str(key),
        )
        return replace(tokens, **cls.numbered(layers, heads))

    @classmethod
    def numbered(cls, layers: object, heads: object) -> dict[str, Any]:
        """The layers, heads and pairs of plain values, by the names of the fields."""
        label = isinstance(heads, str) and PAIR.fullmatch(heads)
        given = [heads] if label else listed(heads, "heads")
        named = [labelled(value) for value in given]
        pairs = [value for value in named if isinstance(value, (tuple, list)) and len(value) == 2]
        if not pairs:
            return {
                "layers": numbers(listed(layers, "layers"), "layers"),
                "heads": numbers(named, "heads"),
            }
        if layers is not None:
            raise SelectionError("heads as pairs name their layers", "leave layers out")
        if len(pairs) < len(named):
            raise SelectionError("heads mixes numbers with pairs (layer, head)", NUMBER_FORMS)
        found = tuple((whole(layer, "heads"), whole(head, "heads")) for layer, head in pairs)
        for layer, head in found:
            if layer < 0 or head < 0:
                raise SelectionError(
                    f"heads ({layer}, {head}) does not exist: in pairs both count from 0",
                    NUMBER_FORMS,
                )
        return {"pairs": found}

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all was asked for."""
        return self == Selection()

    @property
    def names_heads(self) -> bool:
        """Whether layers or heads were asked for."""
        return bool(self.layers or self.heads or self.pairs)

    @property
    def single_head(self) -> tuple[int, int] | None:
        """The one (layer, head) asked for, as it was written, or None."""
        if self.pairs:
            return self.pairs[0] if len(set(self.pairs)) == 1 else None
        if len(self.layers) == len(self.heads) == 1:
            layer, head = self.layers[0], self.heads[0]
            if layer.first == layer.last and head.first == head.last:
                return layer.first, head.first
        return None

    @property
    def counts_back(self) -> bool:
        """Whether layers are counted from the end."""
        return any(layer.first < 0 or layer.last < 0 for layer in self.layers)

    def layer_numbers(self, available: Sequence[int], model_name: str) -> list[int]:
        """The layers asked for, out of those available. Raises SelectionError for others.

        A range takes what is available in it, so that it may span the gaps of a hybrid model;
        negative numbers count from the end of `available`.
        """
        wanted = tuple(Range(layer, layer) for layer, _ in self.pairs) or self.layers
        return resolve(wanted, available, "layer", f"{model_name} has layers {ranges(available)}")

    def heads_of(self, layer: int, n_heads: int, model_name: str) -> list[int]:
        """The heads asked for in `layer`, which has `n_heads`. Raises SelectionError for others."""
        wanted = self.heads
        if self.pairs:
            wanted = tuple(Range(head, head) for number, head in self.pairs if number == layer)
            if not wanted:
                return []
        allowed = f"{model_name} has heads {ranges(range(n_heads))} in layer {layer}"
        return resolve(wanted, range(n_heads), "head", allowed)

    def wants(self, layer: int, n_layers: int | None, n_heads: int) -> tuple[int, ...]:
        """The heads of `layer` that a run must observe; never raises.

        Without `n_layers`, a layer that counts from the end may be any.
        """
        every = tuple(range(n_heads))
        if self.pairs:
            return tuple(sorted({h for number, h in self.pairs if number == layer and h < n_heads}))
        if self.layers and not any(_holds(one, layer, n_layers) for one in self.layers):
            return ()
        if not self.heads:
            return every
        return tuple(h for h in every if any(_holds(head, h, n_heads) for head in self.heads))

    def window(self, queries: Axis, keys: Axis) -> tuple[range, range] | None:
        """The queries and keys from the first to the last that `--query` and `--key` name.

        All of them for the one that was not given, None where neither was. Raises SelectionError.
        """
        if self.query is None and self.key is None:
            return None
        rows, columns = (range(one.first, one.first + one.real) for one in (queries, keys))
        if self.query is not None:
            found = resolve_tokens(self.query, queries, "--query")
            rows = range(min(found), max(found) + 1)
        if self.key is not None:
            found = resolve_tokens(self.key, keys, "--key")
            columns = range(min(found), max(found) + 1)
        return rows, columns

    @property
    def names_window(self) -> bool:
        """Whether both `--query` and `--key` name ranges of tokens: `30-64`."""
        return is_range(self.query) and is_range(self.key)


def numbers(values: Sequence[object], name: str) -> tuple[Range, ...]:
    """The values of the parameter `name` as ranges of one number each."""
    integers = [whole(value, name) for value in values]
    return tuple(Range(number, number) for number in integers)


def labelled(value: object) -> object:
    """(layer, head) of a label such as L3H5; another value as it is."""
    match = PAIR.fullmatch(value) if isinstance(value, str) else None
    return (int(match[1]), int(match[2])) if match else value


def listed(given: object, name: str) -> list[object]:
    """What a parameter holds, a number alone too; nothing where it was not given.

    Raises SelectionError where it was given and holds nothing.
    """
    if given is None:
        return []
    if isinstance(given, (str, bytes)):
        raise no_numbers(given, name)
    try:
        values = [*given]  # type: ignore[misc]
    except TypeError:  # no sequence, or an array without dimensions
        values = [given]
    if not values:
        raise SelectionError(
            f"{name} is empty: nothing would be observed", f"name one, or leave {name} out"
        )
    return values


def whole(value: object, name: str) -> int:
    """The integer, which may be one of numpy."""
    try:
        if not isinstance(value, bool):
            return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        pass
    raise no_numbers(value, name)


def no_numbers(given: object, name: str) -> SelectionError:
    """The error for what is no number of a layer or head."""
    return SelectionError(f"{name} are whole numbers, not {reprlib.repr(given)}", NUMBER_FORMS)


def parse_ranges(text: str, option: str, forms: str) -> tuple[Range, ...]:
    """`0-5,11,-1` as ranges. Raises UsageError naming the part that is malformed."""
    found = []
    for part in text.split(","):
        match = PART.fullmatch(part.strip())
        if match is None:
            shown = text if part.strip() == text.strip() else f"{text}: {part.strip()!r}"
            raise UsageError(f"{option} {shown} is no number and no range", forms)
        first = int(match[1])
        last = first if match[2] is None else int(match[2])
        if last < first and (first < 0) == (last < 0):
            raise UsageError(f"{option} {text}: the range {part.strip()} runs backwards",
                             f"write {last}-{first}")  # fmt: skip
        found.append(Range(first, last))
    return tuple(found)


def parse_pairs(text: str) -> tuple[tuple[int, int], ...]:
    """`L3H7,L5H1` as (layer, head). Raises UsageError naming the part that is malformed."""
    found = []
    for part in text.split(","):
        match = PAIR.fullmatch(part.strip())
        if match is None:
            raise UsageError(
                f"--head {text}: {part.strip()!r} does not name a layer and a head",
                "do not mix L3H7 with plain heads: L3H7,L5H1, or --layer 3 --head 5,7",
            )
        found.append((int(match[1]), int(match[2])))
    return tuple(found)


def check_agreement(
    layers: tuple[Range, ...], pairs: tuple[tuple[int, int], ...], layer_text: str, head_text: str
) -> None:
    """Raise UsageError when `--layer` leaves out a layer that `--head L3H7` names."""
    for number, head in pairs:
        if layers and not any(layer.first <= number <= layer.last for layer in layers):
            raise UsageError(
                f"--head {head_text} and --layer {layer_text} contradict each other: "
                f"L{number}H{head} is not in layer {layer_text}",
                "leave --layer out: L3H7 names the layer itself",
            )


def resolve(
    wanted: Sequence[Range], available: Sequence[int], what: str, allowed: str
) -> list[int]:
    """The numbers of `available` that the ranges name, in order; all when there are none."""
    numbers = sorted(available)
    if not wanted:
        return numbers
    found: set[int] = set()
    for one in wanted:
        first, last = (_count(n, numbers, what, allowed) for n in (one.first, one.last))
        here = [n for n in numbers if first <= n <= last]
        if not here or last > numbers[-1]:
            missing = last if one.first == one.last or (numbers and last > numbers[-1]) else None
            name = f"{what} {missing}" if missing is not None else f"{what} {one}"
            raise SelectionError(f"{name} does not exist: {allowed}")
        found.update(here)
    return sorted(found)


def _count(number: int, numbers: Sequence[int], what: str, allowed: str) -> int:
    """`number`, counted from the end of `numbers` when it is negative."""
    if number >= 0:
        return number
    if -number > len(numbers):
        raise SelectionError(f"{what} {number} does not exist: {allowed}")
    return numbers[number]


def _holds(one: Range, number: int, count: int | None) -> bool:
    """Whether `number` is in the range; an end that cannot be counted is taken to be far enough."""
    first, last = one.first, one.last
    if count is not None:
        first, last = (n + count if n < 0 else n for n in (first, last))
        return first <= number <= last
    return (first < 0 or first <= number) and (last < 0 or number <= last)
