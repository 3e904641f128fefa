"""Writes the golden files of the current format, those that are missing.

    python -m tests.attention.store.make_golden

A file that is there stays as it is: it proves that captures of its format can be read. Run this
once after `attnviz.attention.store.description.FORMAT` has grown, and give the new files their
values in test_golden.py.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from attnviz.attention.capture import Check, Prediction
from attnviz.attention.store.description import FORMAT
from tests.captures import capture, long_capture, translation

if TYPE_CHECKING:
    from attnviz.attention.capture import Capture
    from attnviz.attention.store.rounded import StoreDtype

GOLDEN = Path(__file__).parent / "golden"


def captures() -> dict[str, tuple[Capture, StoreDtype]]:
    """One capture of every kind, by the name of its file, and how its maps are stored."""
    single = replace(
        capture(layers=2),
        pair="a pair",
        checks=(Check("row sums", ok=True), Check("output", ok=None, detail="not compared")),
        notes=("one note",),
        prediction=Prediction("masked token", (("[MASK]", (("sat", 0.75), ("lay", 0.25))),)),
        plan={"line": "maps kept whole"},
    )
    return {
        "single": (single, "float32"),
        "translation": (translation(), "float32"),
        "long": (long_capture(), "float32"),
        "half": (capture(layers=1), "float16"),
        "rounded": (capture(layers=1, causal=True), "uint8"),
    }


def main() -> None:
    """Write what is missing."""
    for name, (made, dtype) in captures().items():
        path = GOLDEN / f"format-{FORMAT}-{name}.safetensors"
        if not path.exists():
            made.save(path, dtype)


if __name__ == "__main__":
    main()
