"""Whether a config can be the one of its weights, before anything is built by it.

What a damaged config.json asks for is built, or set at random, without end: a billion layers, or
weights of a size that no checkpoint has.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnviz.errors import ModelError
from attnviz.models.adapter import fetched
from attnviz.models.find import hub

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from transformers import PreTrainedModel

    from attnviz.models.find.source import Source

# What a model is built of piece by piece, and the most of it that any has.
COUNTS = (
    (re.compile(r"layers?$|depth|num_blocks|n_block"), 10_000),
    (re.compile(r"heads?$|labels?$|experts?$|stages?$|groups?$"), 1_000_000),
)
WEIGHTS = ("*.safetensors", "*.bin", "*.gguf")
# A weight takes a quarter of a byte at least; so many may be missing, and are set at random.
PER_BYTE, MISSING = 4, 2**28


def require_counts(source: Source, options: Mapping[str, Any]) -> None:
    """Raise ModelError where a config.json tells of more pieces than any model has."""
    path = None if source.file else fetched(source, "config.json", options)
    config = {} if path is None else json.loads(path.read_text(encoding="utf-8"))
    for name, value in numbers(config if isinstance(config, dict) else {}):
        for pattern, most in COUNTS:
            if pattern.search(name) and value > most:
                raise ModelError(
                    f"the config.json of {source.name} is damaged: {name} is {value:,}",
                    "copy or download the model again",
                )


def numbers(config: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """Every integer of a config by its name, those of lists and of nested configs too."""
    for key, value in config.items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, dict):
                yield from numbers(one)
            elif isinstance(one, (int, float)) and not isinstance(one, bool):
                yield str(key), int(one) if abs(one) < 1e300 else 0


def require_size(outline: PreTrainedModel | None, source: Source, revision: str | None) -> None:
    """Raise ModelError when the model has far more weights than its files can hold."""
    if source.kind == "hub":
        folder = hub.snapshot(source.path_or_id, revision, source.file or "config.json")
    else:
        folder = Path(source.path_or_id)
    if folder is None or outline is None:
        return
    held = sum(file.stat().st_size for weight in WEIGHTS for file in folder.glob(weight))
    tensors = (*outline.parameters(), *outline.buffers())
    asked = sum(tensor.numel() for tensor in tensors)
    if held and asked > PER_BYTE * held + MISSING:
        raise ModelError(
            f"the weights of {source.name} do not fit its config.json: it tells of {asked:,} "
            f"numbers, and the weights take {held:,} bytes",
            "copy or download the model again",
        )
