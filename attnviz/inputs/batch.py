"""Rows of tokens as the tensors of one batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnviz.attention.axis import Axis
from attnviz.errors import InputError
from attnviz.models.anatomy.counts import number, text_config
from attnviz.models.labels import labels
from attnviz.models.loaded import input_device

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from transformers import PreTrainedTokenizerBase

    from attnviz.inputs.tokenized import Row
    from attnviz.models.loaded import LoadedModel


def pad_axis(
    loaded: LoadedModel, tokenizer: PreTrainedTokenizerBase, *, target: bool = False
) -> Axis:
    """The one position that fills up a batch: the padding token, else any that is ignored.

    That of the model first: some count positions, or look for the end of a text, by it.
    """
    own = (tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id, 0)
    number = next(int(one) for one in (model_pad(loaded, target=target), *own) if one is not None)
    return Axis(labels=labels(tokenizer, [number]), ids=(number,), special=(True,), padding=(True,))


def model_pad(loaded: LoadedModel, *, target: bool = False) -> int | None:
    """The padding token that the model's config names, unless it is none of its tokens."""
    config = text_config(loaded.model.config)
    pad = getattr(config, "pad_token_id", None)
    anatomy = loaded.anatomy
    size = number(config, anatomy.target_vocabulary if target else anatomy.source_vocabulary)
    if not isinstance(pad, int) or not 0 <= pad < (size or pad + 1):
        return None
    return pad


def require_ends(loaded: LoadedModel) -> None:
    """Raise InputError for a model that cannot classify texts of several lengths."""
    classifies = type(loaded.model).__name__.endswith("ForSequenceClassification")
    if classifies and model_pad(loaded) is None:
        raise InputError(
            f"{loaded.facts.name} cannot tell where a text of several ends: its config names no "
            "padding token",
            "run its texts one by one: --batch-size 1",
        )


def batch_tensors(
    loaded: LoadedModel,
    rows: Sequence[Row],
    targets: Sequence[Row],
    pads: tuple[int, int],
    side: str,
) -> dict[str, Any]:
    """The keyword arguments of the model's forward that it knows, on its device.

    `pads` fill up the rows and the targets.
    """
    kind = getattr(loaded.tokenizer, "pad_token_type_id", 0)
    ids = [row.ids for row in rows]
    columns = {"input_ids": stacked(ids, pads[0], side)}
    columns["attention_mask"] = stacked([(1,) * len(row) for row in rows], 0, side)
    for name in rows[0].extras:
        fill = kind if name == "token_type_ids" else 0
        columns[name] = stacked([row.extras[name] for row in rows], fill, side)
    if targets:
        columns["decoder_input_ids"] = stacked([row.ids for row in targets], pads[1], "right")
        if len({len(row) for row in targets}) > 1:
            ones = [(1,) * len(row) for row in targets]
            columns["decoder_attention_mask"] = stacked(ones, 0, "right")
    known = loaded.arguments
    named = {
        name: one for name, one in columns.items() if name in known or "input_ids" not in known
    }
    device = input_device(loaded.model)
    tensors: dict[str, Any] = {name: one.to(device) for name, one in named.items()}
    if targets and "use_cache" in known:
        tensors["use_cache"] = False  # FSMT hides later tokens of the target only so
    return tensors


def stacked(rows: Sequence[Sequence[int]], fill: int, side: str) -> torch.Tensor:
    """The rows as one int64 tensor (rows, longest row)."""
    import torch

    length = max(len(row) for row in rows)
    out = torch.full((len(rows), length), fill, dtype=torch.long)
    for line, row in zip(out, rows, strict=True):
        part = slice(length - len(row), length) if side == "left" else slice(0, len(row))
        line[part] = torch.tensor(list(row), dtype=torch.long)
    return out
