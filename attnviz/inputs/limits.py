"""How many tokens a model takes, and how many it was trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from attnviz.errors import InputError
from attnviz.models.anatomy.counts import number, text_config
from attnviz.models.anatomy.paths import modality_of, pattern_for, side_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn

    from attnviz.models.anatomy.names import Anatomy
    from attnviz.models.anatomy.paths import Side
    from attnviz.models.loaded import LoadedModel

# Tokenizers that know no limit say a number far above this.
SANE = 10_000_000


@dataclass(frozen=True)
class Limits:
    """`hard`: the tokens that a side of the model can read, None where it knows no end. `trained`:
    the length that its config or tokenizer names; beyond it attention means less.
    """

    hard: int | None
    trained: int | None

    @property
    def cut(self) -> int | None:
        """What --truncate leaves of a longer text."""
        return min((one for one in (self.hard, self.trained) if one is not None), default=None)


def limits_of(loaded: LoadedModel, side: Side = "encoder") -> Limits:
    """The limits of the side that reads the source, or of the decoder's.

    A table of positions cannot be read beyond its end; relative, rotary and ALiBi positions can.
    """
    config = text_config(loaded.model.config)
    trained = number(config, loaded.anatomy.positions) or None
    limit = getattr(loaded.tokenizer, "model_max_length", None)
    if trained is None and isinstance(limit, int) and 0 < limit < SANE:
        trained = limit
    if getattr(config, "reset_position_index_per_cell", False):  # TAPAS counts anew in every cell
        return Limits(None, trained)
    whole = hasattr(loaded.model.base_model, "build_mpt_alibi_tensor")  # made for so many at once
    whole = whole or getattr(config, "axial_pos_embds", False)
    sizes = [*table_sizes(loaded, side), *([trained] if whole and trained else [])]
    hard = min(sizes, default=None)
    windows = getattr(config, "attention_window", None)
    if hard is not None and windows and loaded.encoder_decoder and side == "encoder":
        hard -= hard % (max(windows) if isinstance(windows, list) else windows)  # LED fills them up
    return Limits(hard, trained)


def table_sizes(loaded: LoadedModel, side: Side) -> Iterator[int]:
    """How many positions each table of this side holds, and the numbers that look them up."""
    import torch

    anatomy, learned = loaded.anatomy, False
    for name, module in loaded.model.named_modules():
        if name.rpartition(".")[2] in anatomy.position_tables and belongs(loaded, name, side):
            learned = True
            weight = getattr(module, "weight", None)
            if isinstance(weight, torch.Tensor) and weight.ndim == 2 and ends(module, anatomy):
                yield len(weight) - taken(module)
    for name, buffer in loaded.model.named_buffers():
        parent = loaded.model.get_submodule(name.rpartition(".")[0])
        if not belongs(loaded, name, side):
            continue
        if is_table(name, anatomy) and ends(parent, anatomy):
            yield len(buffer)
        elif learned and name.endswith("position_ids") and buffer.ndim == 2:
            yield buffer.shape[1]


def belongs(loaded: LoadedModel, name: str, side: Side) -> bool:
    """Whether a module reads the text of this side."""
    anatomy = loaded.anatomy
    if modality_of(name, anatomy) or pattern_for(anatomy.entities).search(name):
        return False
    return not loaded.encoder_decoder or side_of(name, anatomy) in (side, None)


def is_table(name: str, anatomy: Anatomy) -> bool:
    """Whether a buffer holds one row for every position."""
    return any(f".{name}".endswith(f".{table}") for table in anatomy.position_buffers)


def ends(table: nn.Module, anatomy: Anatomy) -> bool:
    """Whether a table of positions cannot be read beyond its end."""
    return not any(hasattr(table, name) for name in anatomy.endless_tables)


def taken(module: nn.Module) -> int:
    """The rows in front of the first position: some count from behind the padding token."""
    offset, padding = getattr(module, "offset", None), getattr(module, "padding_idx", None)
    if isinstance(offset, int):
        return offset
    return padding + 1 if isinstance(padding, int) else 0


def too_long(loaded: LoadedModel, length: int, limit: int, what: str, where: str) -> InputError:
    """The error for an input that the model has no positions for."""
    prefix = f"{where}: " if where else ""
    return InputError(
        f"{prefix}the {what} has {length} tokens: {loaded.facts.name} takes {limit}",
        "shorten it, or cut it with --truncate",
    )
