"""What a run will keep and what that costs, decided before it starts."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from attnviz.errors import UsageError
from attnviz.models.facts import number, text_config

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

UNITS = {"": 1, "B": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
POOLED_SIDE = (16, 256)  # least and most bins along each side of a pooled map
TOP_KEYS = (3, 8)  # least and most keys kept of every query of a pooled map
TOP_BYTES = 8  # an int32 key and a float32 weight
BLOCK_CELLS = {"cpu": 2**20, "cuda": 2**26}  # heads × rows × keys of one row block


@dataclass(frozen=True)
class Plan:
    """How much memory the kept maps may take, and how much they would.

    `budget` and `maps` are bytes; `maps` is what whole maps of everything selected need. `heads`
    and `rows` count the selected heads and their queries over all layers. Where whole maps do
    not fit, pooled maps and top keys share the budget, down to a least size of each.
    """

    budget: int
    maps: int
    heads: int = 0
    rows: int = 0

    @property
    def whole(self) -> bool:
        """Whether whole maps fit."""
        return self.maps <= self.budget

    @property
    def side(self) -> int:
        """The most bins along each side of a pooled map."""
        least, most = POOLED_SIDE
        return max(least, min(most, math.isqrt(self.budget // (8 * max(1, self.heads)))))

    @property
    def top(self) -> int:
        """How many keys of every query are kept beside a pooled map."""
        least, most = TOP_KEYS
        return max(least, min(most, self.budget // (2 * TOP_BYTES * max(1, self.rows))))

    def __str__(self) -> str:
        kept = "whole maps" if self.whole else f"maps pooled to {self.side} × {self.side}"
        return f"{kept}: whole ones take {human(self.maps)}, {human(self.budget)} are allowed"


def make_plan(sites: Sequence[tuple[int, int, int]], memory: str | None) -> Plan:
    """The plan for sites of (heads, queries, keys) each, under `--memory`."""
    budget = free_memory() // 4 if memory is None else parse_bytes(memory)
    return Plan(
        budget=budget,
        maps=sum(4 * h * q * k for h, q, k in sites),
        heads=sum(h for h, _, _ in sites),
        rows=sum(h * q for h, q, _ in sites),
    )


class Expected(NamedTuple):
    """The size of one attention layer before it has run."""

    role: str
    layer: int
    heads: int
    queries: int
    keys: int


def expected_sites(config: Any, queries: int, targets: int | None) -> list[Expected]:
    """Every attention layer that a model's config tells of."""
    if not getattr(config, "is_encoder_decoder", False):
        text = text_config(config)
        heads = number(text, HEADS)
        return [Expected("self", layer, heads, queries, queries) for layer in attending(text)]
    encoder, decoder = (part(config, name) for name in ("encoder", "decoder"))
    heads = number(encoder, ENCODER_HEADS)
    layers = range(number(encoder, ENCODER_LAYERS))
    sites = [Expected("encoder", layer, heads, queries, queries) for layer in layers]
    if targets:
        heads = number(decoder, DECODER_HEADS)
        for layer in range(number(decoder, DECODER_LAYERS)):
            sites.append(Expected("decoder", layer, heads, targets, targets))
            sites.append(Expected("cross", layer, heads, targets, queries))
    return sites


def part(config: Any, side: str) -> Any:
    """The config of the encoder or decoder, where they have one each, else the text part's."""
    for name in (side, f"{side}_config"):
        own: Any = getattr(config, name, None)
        if hasattr(own, "model_type"):
            return text_config(own)
    return text_config(config)


def attending(config: Any) -> list[int]:
    """The layers that have softmax attention: those of another kind are left out."""
    layers = range(number(config, LAYERS))
    kinds = getattr(config, "layers_block_type", None) or getattr(config, "layer_types", None)
    if not isinstance(kinds, (list, tuple)) or len(kinds) != len(layers):
        return [*layers]
    return [layer for layer in layers if kinds[layer] not in NO_SOFTMAX]


NO_SOFTMAX = ("linear_attention", "mamba", "mamba2", "recurrent", "conv", "moe", "mlp")
LAYERS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")
HEADS = ("num_attention_heads", "n_head", "n_heads", "num_heads")
ENCODER_LAYERS = ("encoder_layers", "num_encoder_layers", *LAYERS)
ENCODER_HEADS = (
    "encoder_attention_heads",
    "num_encoder_attention_heads",
    "encoder_num_attention_heads",
    *HEADS,
)
DECODER_LAYERS = ("decoder_layers", "num_decoder_layers", *LAYERS)
DECODER_HEADS = ("decoder_attention_heads", "num_decoder_attention_heads", *HEADS)


def parse_bytes(text: str) -> int:
    """`4GiB`, `512M`, `1.5g` or a plain number as bytes."""
    digits = text.strip().rstrip("iIbB" + "kKmMgGtT")
    unit = text.strip()[len(digits) :].upper().replace("IB", "").replace("B", "")
    try:
        size = int(float(digits) * UNITS[unit])
    except (ValueError, KeyError, OverflowError):
        size = -1
    if size < 0:
        raise UsageError(f"--memory {text} is no size", "write for example 4GiB or 512M")
    return size


def human(size: float) -> str:
    """A number of bytes as people write it."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def free_memory() -> int:
    """Bytes of main memory that can be used without swapping."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        available = next(line for line in lines if line.startswith("MemAvailable"))
        return int(available.split()[1]) * 1024
    except (OSError, StopIteration, ValueError):
        pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return pages // 2


def block_rows(heads: int, queries: int, keys: int, device: torch.device) -> int:
    """How many query rows one block holds on this device."""
    cells = BLOCK_CELLS.get(device.type, BLOCK_CELLS["cpu"])
    return max(1, min(queries, cells // max(1, heads * keys)))
