"""Numbers as terminal and image write them, and the words that stand above them."""

from __future__ import annotations

import numpy as np

# What the steps of a trace are called above their columns.
TITLES = {"scaled": "scaled", "capped": "capped", "biased": "+ bias", "exp": "exp"}


def alike(values: np.ndarray) -> str:
    """The form in which numbers stand under each other: whole, with four digits, or general."""
    finite = np.abs(values[np.isfinite(values)])
    if np.array_equal(finite, np.rint(finite)) and finite.max(initial=0) < 1e6:
        return ".0f"
    return ".4f" if finite.max(initial=0) < 1e4 else ".4g"


def plain(value: float) -> str:
    """`0.4223`, `32`, `1.2e-07`."""
    number = float(value)
    if number and not 5e-5 <= abs(number) < 1e6:
        return f"{number:.1e}"
    return f"{number + 0.0:.4f}".rstrip("0").rstrip(".")


def share(weight: float) -> str:
    """A weight with four digits; one that rounds to nothing with its size."""
    return plain(weight) if 0 < weight < 5e-5 else f"{weight:.4f}"


def plain_short(value: float) -> str:
    """A number in at most eight cells."""
    if value and abs(value) < 5e-3:
        return f"{value:.1e}"
    return f"{value:.2f}" if abs(value) < 1e5 else f"{value:.1e}"
