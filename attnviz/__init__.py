"""See what every attention head of a transformers model looks at.

`load` a model, `capture` a text, look at the Capture; `open` reads a saved one. `heads`, `compare`,
`trace` and `check` answer what the commands of these names do. Nothing heavy is imported until it
is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attnviz.answers.check import check
    from attnviz.answers.compare import compare
    from attnviz.answers.heads import heads
    from attnviz.answers.trace import trace
    from attnviz.attention.axis import Axis
    from attnviz.attention.capture import AttentionStack, Capture
    from attnviz.attention.selection import Selection
    from attnviz.attention.store.reader import open_capture as open
    from attnviz.errors import AttnvizError
    from attnviz.models.load import load
    from attnviz.runs.call import capture, captures
    from attnviz.views.answer import Answer

__version__ = "0.1.0"

_HOMES = {
    "Answer": "attnviz.views.answer",
    "AttentionStack": "attnviz.attention.capture",
    "AttnvizError": "attnviz.errors",
    "Axis": "attnviz.attention.axis",
    "Capture": "attnviz.attention.capture",
    "Selection": "attnviz.attention.selection",
    "capture": "attnviz.runs.call",
    "captures": "attnviz.runs.call",
    "check": "attnviz.answers.check",
    "compare": "attnviz.answers.compare",
    "heads": "attnviz.answers.heads",
    "load": "attnviz.models.load",
    "open": "attnviz.attention.store.reader",
    "trace": "attnviz.answers.trace",
}

__all__ = [
    "Answer",
    "AttentionStack",
    "AttnvizError",
    "Axis",
    "Capture",
    "Selection",
    "capture",
    "captures",
    "check",
    "compare",
    "heads",
    "load",
    "open",
    "trace",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'attnviz' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), "open_capture" if name == "open" else name)
