"""The table of arrays that a layer may keep: what each is, and how it is treated everywhere.

Runs count their bytes by it, saved captures are stored and checked by it, padding is cut off and
words are merged by it, and NumPy archives are written by it. What reads an array for its meaning (a
view, a score) names it; all else asks here. An array that is not in the table is stored and handed
on as it is.

`register` adds an array. It is then planned, stored, opened and checked, cropped, merged and
archived as its entry says:

    register(KeptArray("spread", ("head", "query"), "how far it looks", words={"query": "mean"}))
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import prod
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

# How the entries of the tokens of a word become one: `strongest` takes that of the record whose
# last field is the largest.
Reduction = Literal["sum", "mean", "max", "any", "strongest"]
# How layers that agree are archived: one after the other, as one array that they share, or not.
Archived = Literal["by layer", "shared", "no"]

# Axes that grow with a side, and the side: they are at most as long. Every other axis but the head
# is as long as what keeps the array makes it, and one length wherever it stands in a layer.
SIDE_OF = {
    "query": "query",
    "key": "key",
    "query bin": "query",
    "key bin": "key",
    "top key": "key",
    "window query": "query",
    "window key": "key",
}
SIDES = ("query", "key")
NUMBERED = (*SIDES, "head", "diagonal")  # what entries may be numbers of; a diagonal: query − key


@dataclass(frozen=True)
class KeptArray:
    """What is known of one array, or of all arrays called `PREFIX.NAME`.

    `axes` name its axes in order: `head`, first where there is one, `query` and `key` are those of
    the layer, the others are of its own. `holds` says what an entry is; if one of `NUMBERED`, the
    number of such, −1 for none. A tuple makes every entry a record with these fields, along one
    more axis: a last field that is no number of such says how much, and a record stands for
    something where it is above 0. `dtype` is what runs keep; files may have another size of it.

    Arrays of one `group` are kept all or none. `words` says how the tokens of a word are joined
    along `query` and `key`; None leaves the array out between words. `rounds` is true of maps
    (head, row, column) that a store may round, and reads one head at a time. `archived` says how it
    stands in a NumPy archive, as `archived_as` where that is not `dtype`.
    """

    name: str
    axes: tuple[str, ...]
    meaning: str
    holds: str | tuple[str, ...] = "weight"
    dtype: str = "float32"
    group: str = ""
    words: Mapping[str, Reduction] | None = field(default=None, hash=False)
    rounds: bool = False
    archived: Archived = "by layer"
    archived_as: str = ""

    def __post_init__(self) -> None:
        if "head" in self.axes[1:]:
            raise ValueError(f"{self.name}: head is not the first of its axes {self.axes}")
        if self.rounds and (len(self.shape) != 3 or self.axes[0] != "head"):
            raise ValueError(f"{self.name}: maps that are rounded are (head, row, column)")
        if self.words is not None:
            self._check_words([*self.words], [axis for axis in self.axes if axis in SIDES])

    def _check_words(self, joined: list[str], sides: list[str]) -> None:
        """Raise ValueError for what cannot be joined."""
        if {*joined} != {*sides}:
            raise ValueError(f"{self.name}: words are joined along {sides}, not {joined}")
        if len(sides) == 2 and self.shape[-2:] != SIDES:
            raise ValueError(f"{self.name}: what is joined along both sides has them last")
        if "strongest" in (self.words or {}).values() and isinstance(self.holds, str):
            raise ValueError(f"{self.name}: what the strongest is taken of are records")

    @property
    def shape(self) -> tuple[str | int, ...]:
        """The axes, and after them how many fields a record has."""
        return self.axes if isinstance(self.holds, str) else (*self.axes, len(self.holds))

    @property
    def kinds(self) -> str:
        """The kinds of dtype that it may have, as NumPy writes them."""
        kind = np.dtype(self.dtype).kind
        return "iu" if kind in "iu" else kind

    @property
    def archive_dtype(self) -> np.dtype[Any]:
        """What it is written as in a NumPy archive."""
        return np.dtype(self.archived_as or self.dtype)

    @property
    def grows(self) -> bool:
        """Whether it is larger for a longer text."""
        return any(axis in SIDE_OF for axis in self.axes)

    def nbytes(self, sizes: Mapping[str, int]) -> int:
        """The bytes it takes with axes of these sizes, at least: an unknown one counts as 1."""
        lengths = (sizes.get(axis, 1) if isinstance(axis, str) else axis for axis in self.shape)
        return np.dtype(self.dtype).itemsize * prod(lengths)

    def numbers(self) -> list[tuple[Any, str]]:
        """(index into the array, what they number) of all entries that are numbers of something."""
        if isinstance(self.holds, str):
            held: list[tuple[Any, str]] = [(..., self.holds)]
        else:
            held = [((..., place), name) for place, name in enumerate(self.holds)]
        return [(index, name) for index, name in held if name in NUMBERED]

    def present(self, values: np.ndarray) -> np.ndarray:
        """Bool: which entries, or records, of these values stand for something."""
        if isinstance(self.holds, str):
            return np.asarray((values != -1) & ~np.isnan(values))
        if self.holds[-1] in NUMBERED:
            return np.ones(values.shape[:-1], bool)
        return np.asarray(values[..., -1] > 0)


def renumbered(values: np.ndarray, array: KeptArray, new: Mapping[str, np.ndarray]) -> np.ndarray:
    """A copy in which the queries and keys that are named have the new numbers of the old ones.

    One that has no new number, −1, is named no more: −1, among floats NaN.
    """
    out = values.copy()
    nothing = np.nan if values.dtype.kind == "f" else -1
    for index, held in array.numbers():
        if held in new:
            old, numbers = values[index], np.append(new[held], -1)
            known = (old >= 0) & (old < len(numbers))
            now = numbers[np.where(known, old, -1).astype(int)]
            out[index] = np.where(now >= 0, now, nothing)
    return out


ALLOWED = KeptArray(
    "allowed",
    ("query", "key"),
    "false where the mask forbids the key; held beside the others, as `LayerAttention.allowed`",
    holds="truth",
    dtype="bool",
    words={"query": "any", "key": "any"},
)
UNKNOWN = KeptArray("?", (), "an array of which nothing is known", archived="no")
SCORE = KeptArray(
    "score.NAME", ("head",), "one score of every head", "score", words={}, archived_as="float64"
)
HOUSE = (
    KeptArray(
        "weights",
        ("head", "query", "key"),
        "the map, whole",
        words={"query": "mean", "key": "sum"},
        rounds=True,
    ),
    KeptArray(
        "pooled",
        ("head", "query bin", "key bin"),
        "the mass that a query of the bin gives the key bin on average",
        group="pooled",
        rounds=True,
    ),
    KeptArray(
        "pooled_max",
        ("head", "query bin", "key bin"),
        "the largest weight of a query of the bin on a key of the key bin",
        group="pooled",
        rounds=True,
    ),
    KeptArray(
        "pooled_cells",
        ("query bin", "key bin"),
        "how many cells of the map the mask allows there",
        holds="count",
        group="pooled",
        archived_as="int64",
    ),
    KeptArray(
        "window",
        ("head", "window query", "window key"),
        "the weights from the query and key `window_at` on",
        group="window",
    ),
    KeptArray(
        "window_allowed",
        ("window query", "window key"),
        "the mask of the window",
        holds="truth",
        dtype="bool",
        group="window",
        archived="no",
    ),
    KeptArray(
        "window_at",
        (),
        "the first query and the first key of the window",
        holds=("query", "key"),
        dtype="int64",
        group="window",
        archived="shared",
    ),
    KeptArray(
        "top_keys",
        ("head", "query", "top key"),
        "the keys that the query gives most, heaviest first",
        holds="key",
        dtype="int32",
        group="top",
    ),
    KeptArray("top_weights", ("head", "query", "top key"), "what it gives them", group="top"),
    KeptArray(
        "row_sums",
        ("head", "query"),
        "what the query gives to all keys together",
        words={"query": "mean"},
        archived="no",
    ),
    KeptArray(
        "column_means",
        ("head", "key"),
        "what a counted query gives the key on average, NaN where too few may look at it",
        words={"key": "sum"},
        archived="no",
    ),
    KeptArray(
        "links",
        ("query",),
        "the strongest link of the query in any head",
        holds=("head", "key", "weight", "excess"),
        words={"query": "strongest"},
        archived="no",
    ),
    KeptArray(
        "heavy_keys",
        ("head", "heavy key"),
        "the keys with most of the head's attention, and their shares of it",
        holds=("key", "share"),
        group="structure",
    ),
    KeptArray(
        "slashes",
        ("head", "slash"),
        "the diagonals with most of the head's attention, and their shares of it",
        holds=("diagonal", "share"),
        group="structure",
    ),
    replace(SCORE, name="score.vertical", group="structure"),
    replace(SCORE, name="score.slash", group="structure"),
    SCORE,
    KeptArray("check", ("figure",), "what the self-checks judge by", holds="figure", archived="no"),
)
_arrays = {array.name: array for array in HOUSE}


def register(array: KeptArray) -> None:
    """Add an array to the table. Raises ValueError where its name stands for another."""
    if _arrays.setdefault(array.name, array) != array:
        raise ValueError(f"the name of a kept array is taken: {array.name}")


def look_up(name: str) -> KeptArray:
    """What is known of the array of this name: `UNKNOWN` where that is nothing."""
    family, dot, _ = name.partition(".")
    return _arrays.get(name) or _arrays.get(f"{family}{dot}NAME" if dot else "", UNKNOWN)


def table() -> tuple[KeptArray, ...]:
    """All arrays that are known, those of the house first."""
    return tuple(_arrays.values())


def grouped() -> dict[str, list[KeptArray]]:
    """The arrays that are kept all or none, by the name of their group."""
    groups: dict[str, list[KeptArray]] = {}
    for array in table():
        if array.group:
            groups.setdefault(array.group, []).append(array)
    return groups
