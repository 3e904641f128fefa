"""Random tokens, repeated: what only a head that looks for earlier copies can predict.

25 of them, four times over, after Olsson et al. 2022 (docs/metrics.md, prefix_matching).
"""

from __future__ import annotations

import math
from itertools import takewhile
from typing import TYPE_CHECKING

from attnviz.errors import InputError
from attnviz.inputs.axes import axis_of
from attnviz.inputs.batch import batch_tensors, pad_axis
from attnviz.inputs.encode import ModelInputs
from attnviz.inputs.limits import limits_of
from attnviz.inputs.part_writer import Writer
from attnviz.inputs.text import Text
from attnviz.inputs.tokenized import Row
from attnviz.models.reads import require_text
from attnviz.models.sides import Sides, source_side

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from attnviz.models.loaded import LoadedModel

TOKENS, COPIES = 25, 4
FEWEST = 4  # with fewer tokens a copy is as near as a neighbour
EDGE = 0.04  # share of the vocabulary left out at either end


def repeated_tokens(loaded: LoadedModel, seed: int, bos: bool | None = None) -> ModelInputs:
    """Random tokens drawn with this seed, COPIES times, behind what begins every text.

    They are distinct, at most TOKENS and as many as the model has positions for. What begins a
    text is what the tokenizer puts in front of it; `bos` is as for `encode`. Raises InputError
    when the model has no tokenizer, too few positions or too small a vocabulary.
    """
    import torch

    require_text(loaded)
    if loaded.tokenizer is None:
        raise InputError(f"{loaded.facts.name} has no tokenizer", "a probe needs its vocabulary")
    tokenizer = source_side(loaded.tokenizer)
    start = beginning(loaded, tokenizer, bos)
    count = fitting(loaded, len(start))
    usable = ordinary_ids(loaded, tokenizer)
    if len(usable) < count:
        raise InputError(
            f"the vocabulary of {loaded.facts.name} has {len(usable)} ordinary tokens: "
            f"a probe draws {count}",
            "use a model of a larger vocabulary",
        )
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randperm(len(usable), generator=generator)[:count].tolist()
    ids = (*start, *(usable[i] for i in drawn * COPIES))
    added = tuple(place < len(start) for place in range(len(ids)))
    row = Row(ids, (None,) * len(ids), added, tuple(None if one else 0 for one in added))
    pad = pad_axis(loaded, tokenizer).ids[0]
    return ModelInputs(
        tensors=batch_tensors(loaded, [row], (), (pad, pad), tokenizer.padding_side),
        sources=(axis_of(tokenizer, row, ("",)),),
        texts=(Text(""),),
        notes=(f"{count} random tokens, {COPIES} times over (seed {seed})",),
    )


def beginning(
    loaded: LoadedModel, tokenizer: PreTrainedTokenizerBase, bos: bool | None
) -> tuple[int, ...]:
    """The ids that the tokenizer puts in front of every text, mostly none or one."""
    row = Writer(loaded, Sides(tokenizer, tokenizer), bos, False, {}).source(Text("a"))
    count = sum(1 for _ in takewhile(bool, row.added))
    return row.ids[:count]


def fitting(loaded: LoadedModel, start: int) -> int:
    """How many tokens are drawn, so that all copies fit behind `start` others."""
    limit = limits_of(loaded).cut
    count = TOKENS if limit is None else min(TOKENS, (limit - start) // COPIES)
    if count < FEWEST:
        raise InputError(
            f"{loaded.facts.name} takes {limit} tokens: a probe needs {start + FEWEST * COPIES}",
            "give it a text in place of --probe",
        )
    return count


def ordinary_ids(loaded: LoadedModel, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """The ids of tokens that are neither special nor added, nor at the ends of the vocabulary.

    Merges are numbered about by frequency, so that leaving out the first and last EDGE stands in
    for leaving out the most and the least frequent tokens.
    """
    embedded = getattr(loaded.model.get_input_embeddings(), "num_embeddings", None)
    size = min(len(tokenizer), int(embedded or len(tokenizer)))
    edge = math.ceil(EDGE * size)
    reserved = {*tokenizer.all_special_ids, *tokenizer.added_tokens_decoder}
    return [number for number in range(edge, size - edge) if number not in reserved]
