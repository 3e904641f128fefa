"""See what every attention head of a transformers model looks at.

`load` a model, `capture` a text, look at the Capture; `open` reads a saved one. Nothing heavy is
imported until it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attnviz.attention.axis import Axis
    from attnviz.attention.capture import AttentionStack, Capture
    from attnviz.attention.selection import Selection
    from attnviz.attention.store.reader import open_capture as open
    from attnviz.errors import AttnvizError
    from attnviz.models.load import load
    from attnviz.runs.call import capture, captures

__version__ = "0.1.0"

_HOMES = {
    "AttentionStack": "attnviz.attention.capture",
    "AttnvizError": "attnviz.errors",
    "Axis": "attnviz.attention.axis",
    "Capture": "attnviz.attention.capture",
    "Selection": "attnviz.attention.selection",
    "capture": "attnviz.runs.call",
    "captures": "attnviz.runs.call",
    "load": "attnviz.models.load",
    "open": "attnviz.attention.store.reader",
}

__all__ = [
    "AttentionStack",
    "AttnvizError",
    "Axis",
    "Capture",
    "Selection",
    "capture",
    "captures",
    "load",
    "open",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'attnviz' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), "open_capture" if name == "open" else name)
