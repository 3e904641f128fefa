"""Many texts: what a run of any would be refused for is told of first, then they run in batches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import groupby, islice
from typing import TYPE_CHECKING

from attnviz.attention.unpadded import unpadded
from attnviz.errors import SelectionError
from attnviz.inputs.encode import ModelInputs, assemble, read_sides, tokenize_text
from attnviz.models.loaded import LoadedModel
from attnviz.runs.forecast import foreseen
from attnviz.runs.plan import Plan
from attnviz.runs.request import RunRequest
from attnviz.runs.run import run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from attnviz.attention.capture import Capture
    from attnviz.inputs.packed import TokenizedText
    from attnviz.inputs.text import Text
    from attnviz.models.sides import Sides

Foresee = Callable[[LoadedModel, ModelInputs, RunRequest], Plan]


@dataclass(frozen=True, slots=True)
class Batch:
    """Texts that are run at once, as tokens; their tensors are made when they are run."""

    texts: tuple[TokenizedText, ...]
    sides: Sides

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def tokens(self) -> int:
        """The tokens of the longest text."""
        return max(len(text.source) for text in self.texts)

    def inputs(self, loaded: LoadedModel) -> ModelInputs:
        """The texts as the model takes them.

        They are filled up on the right, where no earlier token sees it.
        """
        return assemble(loaded, self.texts, self.sides, "right" if len(self) > 1 else None)


def prepare(
    loaded: LoadedModel,
    texts: Iterable[Text],
    request: RunRequest,
    foresee: Foresee | None = None,
) -> list[Batch]:
    """All texts in batches, each tokenized once. Raises what any would be refused for.

    `foresee` gives the plan of a run, or refuses it: by default only what does not fit.
    """
    return [*checked(loaded, texts, request, foresee)]


def checked(
    loaded: LoadedModel, texts: Iterable[Text], request: RunRequest, foresee: Foresee | None
) -> Iterator[Batch]:
    """The batches, each text of which may be run alone and with the others."""
    known: dict[object, Sides] = {}
    for group in batches(texts, request.batch_size):
        sides = known.get(form(group[0])) or read_sides(loaded, group)
        known[form(group[0])] = sides
        tokenized = [
            tokenize_text(loaded, text, sides, request.bos, request.truncate) for text in group
        ]
        batch = Batch(tuple(tokenized), sides)
        alone = [Batch((text,), sides) for text in tokenized] if len(batch) > 1 else []
        for part in (*alone, batch):
            require_run(loaded, part.inputs(loaded), request, foresee)
        yield batch


def batches(texts: Iterable[Text], size: int) -> Iterator[list[Text]]:
    """Neighbours of one form, at most `size` together."""
    for _, alike in groupby(texts, form):
        while group := [*islice(alike, size)]:
            yield group


def form(text: Text) -> tuple[object, ...]:
    """What texts have in common that are run together: their parts and languages."""
    return text.pair is None, text.target is None, text.source_lang, text.target_lang


def require_run(
    loaded: LoadedModel, inputs: ModelInputs, request: RunRequest, foresee: Foresee | None = None
) -> None:
    """Raise what the run would be refused for, with the place of the text."""
    try:
        (foresee or foreseen)(loaded, inputs, request)
    except SelectionError as error:
        where = f"{inputs.texts[0].where}: " if inputs.texts[0].where else ""
        raise SelectionError(f"{where}{error.message}", error.hint) from error


def run_batch(loaded: LoadedModel, batch: Batch, request: RunRequest) -> list[Capture]:
    """The capture of every text, as it alone would give it."""
    inputs = batch.inputs(loaded)
    if len(batch) == 1:
        return run(loaded, inputs, request)
    captures = run(loaded, replace(inputs, notes=()), request)
    return [
        replace(unpadded(capture), notes=(*text.notes, *capture.notes))
        for text, capture in zip(batch.texts, captures, strict=True)
    ]
