"""The files of samples/qkv as tensors."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import Tensor

FOLDER = Path(__file__).resolve().parents[2] / "samples" / "qkv"


def qkv(name: str) -> dict[str, Tensor]:
    """The tensors of one file, in double precision."""
    found = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return {key: torch.tensor(value, dtype=torch.float64)
            for key, value in found.items() if key != "note"}  # fmt: skip


def four(tensor: Tensor) -> list:
    """Nested lists of four digits."""
    return torch.round(tensor, decimals=4).tolist()


def randoms(*shapes: tuple[int, ...], seed: int = 0) -> list[Tensor]:
    """Tensors of normal numbers in double precision."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]
