"""How many tokens a model takes, and how many it was trained on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from attnviz.errors import InputError
from attnviz.models.facts import text_config

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn

    from attnviz.models.loaded import LoadedModel

Side = Literal["encoder", "decoder"]

# Tokenizers that know no limit say a number far above this.
SANE = 10_000_000
POSITIONS = ("max_position_embeddings", "n_positions", "max_seq_len", "max_sequence_length")
# What holds one row for every position, and towers that read no text.
TABLE = re.compile(r"wpe|positions_embed|embed_positions|(?:char_)?position_embeddings?")
FIXED = re.compile(r"(?:.*\.)?(?:embed_positions|pos_encoding|position_embedding\.weights)")
OTHER = re.compile(r"vision|visual|image|audio|speech|entity", re.IGNORECASE)
# Marks of tables that grow when they are too short, and of those that are read no further.
GROWS = ("make_weights", "make_weight")
CLAMPS = ("max_length",)


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
    trained = next(filter(None, (named(config, name) for name in POSITIONS)), None)
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


def named(config: object, name: str) -> int | None:
    """A positive number of a config."""
    value = getattr(config, name, None)
    return value if isinstance(value, int) and value > 0 else None


def table_sizes(loaded: LoadedModel, side: Side) -> Iterator[int]:
    """How many positions each table of this side holds, and the numbers that look them up."""
    import torch

    found = False
    for name, module in loaded.model.named_modules():
        if TABLE.fullmatch(name.rpartition(".")[2]) and belongs(loaded, name, side):
            found = True
            weight = getattr(module, "weight", None)
            if isinstance(weight, torch.Tensor) and weight.ndim == 2 and is_fixed(module):
                yield len(weight) - taken(module)
    for name, one in loaded.model.named_buffers():
        parent = loaded.model.get_submodule(name.rpartition(".")[0])
        if not belongs(loaded, name, side):
            continue
        if FIXED.fullmatch(name) and is_fixed(parent):
            yield len(one)
        elif found and name.endswith("position_ids") and one.ndim == 2:
            yield one.shape[1]


def belongs(loaded: LoadedModel, name: str, side: Side) -> bool:
    """Whether a module reads the text of this side."""
    if OTHER.search(name):
        return False
    sides = [part for part in name.split(".") if "encoder" in part or "decoder" in part]
    return not loaded.encoder_decoder or not sides or side in sides[0]


def is_fixed(module: nn.Module) -> bool:
    """Whether its table cannot be read beyond its end."""
    return not any(hasattr(module, name) for name in (*GROWS, *CLAMPS))


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
