"""Tokenized texts that wait for their run: in a few numbers per token, without objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from attnviz.inputs.tokenized import Row

if TYPE_CHECKING:
    from attnviz.inputs.text import Text

NOWHERE = -1  # stands for no span and for no segment


@dataclass(frozen=True, slots=True)
class PackedRow:
    """A row of tokens as one array: int32 (ids, starts, ends, added, segments, extras…; tokens).

    `extras` names the further inputs of the model.
    """

    columns: np.ndarray
    extras: tuple[str, ...] = ()

    def __len__(self) -> int:
        return int(self.columns.shape[1])

    def unpacked(self) -> Row:
        """The row as it was."""
        ids, starts, ends, added, segments, *extras = self.columns.tolist()
        spans = zip(starts, ends, strict=True)
        return Row(
            ids=tuple(ids),
            spans=tuple(None if start == NOWHERE else (start, end) for start, end in spans),
            added=tuple(map(bool, added)),
            segments=tuple(None if segment == NOWHERE else segment for segment in segments),
            extras=dict(zip(self.extras, map(tuple, extras), strict=True)),
        )


def packed(row: Row) -> PackedRow:
    """The row as one array."""
    ends = [(NOWHERE, NOWHERE) if span is None else span for span in row.spans]
    columns = (
        row.ids,
        [start for start, _ in ends],
        [end for _, end in ends],
        row.added,
        [NOWHERE if segment is None else segment for segment in row.segments],
        *row.extras.values(),
    )
    return PackedRow(np.array(columns, dtype=np.int32), tuple(row.extras))


@dataclass(frozen=True, slots=True)
class TokenizedText:
    """A text, and what the encoder (or the only stack) and the decoder read of it.

    `notes` are what the picture must say of how it was read.
    """

    text: Text
    source: PackedRow
    target: PackedRow | None
    notes: tuple[str, ...]
