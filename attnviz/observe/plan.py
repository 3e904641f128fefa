"""What a run will keep and what that costs, decided before it starts."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnviz.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

UNITS = {"": 1, "B": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
POOLED_SIDE = 256  # bins along each side of a pooled map
BLOCK_CELLS = {"cpu": 2**20, "cuda": 2**26}  # heads × rows × keys of one row block


@dataclass(frozen=True)
class Plan:
    """How much memory the kept maps may take, and how much they would.

    `budget` and `maps` are bytes; `maps` is what whole maps of everything selected need.
    """

    budget: int
    maps: int

    @property
    def whole(self) -> bool:
        """Whether whole maps fit."""
        return self.maps <= self.budget

    def __str__(self) -> str:
        kept = "whole maps" if self.whole else f"maps pooled to {POOLED_SIDE} × {POOLED_SIDE}"
        return f"{kept}: whole ones take {human(self.maps)}, {human(self.budget)} are allowed"


def make_plan(sites: Sequence[tuple[int, int, int]], memory: str | None) -> Plan:
    """The plan for sites of (heads, queries, keys) each, under `--memory`."""
    budget = parse_bytes(memory) if memory else free_memory() // 4
    return Plan(budget=budget, maps=sum(4 * h * q * k for h, q, k in sites))


def expected_sites(config: Any, queries: int, targets: int | None) -> list[tuple[int, int, int]]:
    """(heads, queries, keys) of every attention layer that a model's config tells of."""
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    if not getattr(config, "is_encoder_decoder", False):
        layers, heads = read(text, LAYERS), read(text, HEADS)
        return [(heads, queries, queries)] * layers
    sites = [(read(text, ENCODER_HEADS), queries, queries)] * read(text, ENCODER_LAYERS)
    if targets:
        layers, heads = read(text, DECODER_LAYERS), read(text, DECODER_HEADS)
        sites += [(heads, targets, targets), (heads, targets, queries)] * layers
    return sites


LAYERS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")
HEADS = ("num_attention_heads", "n_head", "n_heads", "num_heads")
ENCODER_LAYERS = ("encoder_layers", "num_encoder_layers", *LAYERS)
ENCODER_HEADS = ("encoder_attention_heads", "num_encoder_attention_heads", *HEADS)
DECODER_LAYERS = ("decoder_layers", "num_decoder_layers", *LAYERS)
DECODER_HEADS = ("decoder_attention_heads", "num_decoder_attention_heads", *HEADS)


def read(config: Any, names: Sequence[str]) -> int:
    """The first of these settings that the config has as a number (the largest of a list)."""
    for name in names:
        value = getattr(config, name, None)
        if isinstance(value, (list, tuple)) and value and all(isinstance(v, int) for v in value):
            return int(max(value))
        if isinstance(value, int):
            return value
    return 0


def parse_bytes(text: str) -> int:
    """`4GiB`, `512M`, `1.5g` or a plain number as bytes."""
    number = text.strip().rstrip("iIbB" + "kKmMgGtT")
    unit = text.strip()[len(number) :].upper().replace("IB", "").replace("B", "")
    try:
        return int(float(number) * UNITS[unit])
    except (ValueError, KeyError):
        raise UsageError(f"--memory {text} is no size", "write for example 4GiB or 512M") from None


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
