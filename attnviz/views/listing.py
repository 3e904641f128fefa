"""Lines of text, and the same as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Listing:
    """`lines` for people, `values` for JSON, by its keys.

    A line's own indent and first word stay when it is wrapped: what follows stands under the rest.
    """

    lines: tuple[str, ...]
    values: Mapping[str, Any] = field(default_factory=dict)
