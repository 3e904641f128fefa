"""What the path of a module tells of it."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import nn

    from attnviz.models.anatomy.names import Anatomy, Names

Side = Literal["encoder", "decoder"]


@cache
def pattern_for(marks: Names) -> re.Pattern[str]:
    """What finds any of these marks in a path."""
    return re.compile("|".join(marks), re.IGNORECASE)


def side_of(path: str, anatomy: Anatomy) -> Side | None:
    """`encoder` or `decoder`, whichever the path names first; None for neither."""
    for part in path.split("."):
        if pattern_for(anatomy.encoder).search(part):
            return "encoder"
        if pattern_for(anatomy.decoder).search(part):
            return "decoder"
    return None


def role_of(path: str, anatomy: Anatomy, *, encoder_decoder: bool) -> str:
    """`cross`, `encoder`, `decoder`, `vision`, `audio` or `self`: what a stack attends over."""
    if any(pattern_for(anatomy.cross).search(part) for part in path.split(".")):
        return "cross"
    if not encoder_decoder:
        return modality_of(path, anatomy) or "self"
    side, tower = side_of(path, anatomy), pattern_for(anatomy.vision).search(path)
    if tower is None or side is None:
        return "vision" if tower else side or "self"
    start = pattern_for(getattr(anatomy, side)).search(path)
    # of a vision encoder beside the text's: vision_model.encoder.layers
    return "vision" if start is not None and tower.end() < start.start() else side


def modality_of(path: str, anatomy: Anatomy) -> str | None:
    """`vision` or `audio`, for a module of such a tower; else None."""
    if pattern_for(anatomy.vision).search(path):
        return "vision"
    return "audio" if pattern_for(anatomy.audio).search(path) else None


def has_slots(path: str, anatomy: Anatomy) -> bool:
    """Whether the queries of the module are no tokens of the text."""
    return pattern_for(anatomy.slots).search(path) is not None


def rotates(model: nn.Module, anatomy: Anatomy) -> bool:
    """Whether the model has rotary embeddings."""
    rotary = pattern_for(anatomy.rotary)
    return any(rotary.search(name) for name, _ in model.named_modules())
