"""Writes the tokens of every part of an input, within what the model takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from attnviz.errors import InputError
from attnviz.inputs.decoder import rereads_source, shifted_row, start_row, target_row
from attnviz.inputs.limits import limits_of, too_long
from attnviz.inputs.tokenized import Row, tokenize

if TYPE_CHECKING:
    from attnviz.inputs.text import Text
    from attnviz.models.anatomy.paths import Side
    from attnviz.models.loaded import LoadedModel
    from attnviz.models.sides import Sides

READS = "rows of the decoder bear the token that is read; each predicts the token after it"
NO_TARGET = "no target was given: only the encoder is shown; --target TEXT adds the decoder"


@dataclass(frozen=True)
class Writer:
    """Turns texts into rows of tokens; what it had to change goes into `notes`."""

    loaded: LoadedModel
    sides: Sides
    bos: bool | None
    truncate: bool
    notes: dict[str, None]

    def source(self, text: Text) -> Row:
        """The tokens of the text and its pair."""
        written = tokenize(self.sides.source, text.text, text.pair)
        row = self.begun(written)
        whole = len(row)
        limit = self.room(whole, "encoder", "text", text.where)
        if limit is not None:
            room = limit - (whole - len(written))
            row = self.begun(tokenize(self.sides.source, text.text, text.pair, limit=room))
            self.notes[f"the text was cut to {len(row)} of {whole} tokens"] = None
        self.check_parts(text, row)
        return row

    def check_parts(self, text: Text, row: Row) -> None:
        """Raise InputError when a part has no token, or nothing tells the two parts apart."""
        prefix = f"{text.where}: " if text.where else ""
        parts = {0: "text"} if text.pair is None else {0: "text", 1: "pair"}
        for number, name in parts.items():
            if not any(
                segment in (number, None if text.pair is None else number) and not added
                for segment, added in zip(row.segments, row.added, strict=True)
            ):
                raise InputError(
                    f"{prefix}the tokenizer makes no tokens of the {name}", "give it some words"
                )
        if text.pair is not None and not tells_apart(row):
            raise InputError(
                f"{prefix}the tokenizer of {self.loaded.facts.name} has no form for pairs: "
                "it would only join the two texts",
                "put both into one text, as the model's prompt wants it",
            )

    def begun(self, row: Row) -> Row:
        """The row with or without the token that begins a sequence, as was asked."""
        if self.bos is None:
            return row
        begin = self.sides.source.bos_token_id
        if begin is None:
            raise InputError(
                f"the tokenizer of {self.loaded.facts.name} has no beginning-of-sequence token",
                "leave --bos and --no-bos out",
            )
        has = bool(len(row)) and row.ids[0] == begin
        if self.bos and not has:
            return row.behind(begin)
        if not self.bos and has:
            return row.take(range(1, len(row)))
        return row

    def target(self, text: Text, source: Row) -> Row | None:
        """What the decoder reads beside this source; None for a model without a decoder."""
        if not self.loaded.encoder_decoder:
            return None
        if rereads_source(self.loaded):
            return shifted_row(self.loaded, source)
        if text.target is None:
            self.notes[NO_TARGET] = None
            return start_row(self.loaded)
        self.notes[READS] = None
        row = target_row(self.loaded, self.sides.target, text.target)
        whole = len(row)
        limit = self.room(whole, "decoder", "target", text.where)
        if limit is not None:
            row = target_row(self.loaded, self.sides.target, text.target, limit)
            self.notes[f"the target was cut to {len(row)} of {whole} tokens"] = None
        return row

    def room(self, length: int, side: Side, what: str, where: str) -> int | None:
        """The tokens that so long an input is to be cut to; None where it stays as it is.

        Raises InputError when it must be cut and may not be. What the model can read, but was not
        trained on, is noted.
        """
        limits = limits_of(self.loaded, side)
        if limits.cut is None or length <= limits.cut:
            return None
        if self.truncate:
            return limits.cut
        if limits.hard is not None and length > limits.hard:
            raise too_long(self.loaded, length, limits.hard, what, where)
        prefix = f"{where}: " if where else ""
        beyond = f"{self.loaded.facts.name} was made for {limits.trained}"
        self.notes[f"{prefix}the {what} has {length} tokens: {beyond}"] = None
        return None


def tells_apart(row: Row) -> bool:
    """Whether a special token or a token type stands between the two parts."""
    parts = [
        (i, segment)
        for i, (segment, added) in enumerate(zip(row.segments, row.added, strict=True))
        if segment is not None and not added
    ]
    last = max((i for i, segment in parts if segment == 0), default=0)
    first = min((i for i, segment in parts if segment == 1), default=0)
    types = row.extras.get("token_type_ids", ())
    return first > last + 1 or (bool(types) and types[last] != types[first])
