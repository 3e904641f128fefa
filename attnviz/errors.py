"""The exceptions attnviz raises on purpose.

Every message says what is wrong with the value that was given; the hint says what to do.
"""

from __future__ import annotations


class AttnvizError(Exception):
    """A known failure: `message` says what is wrong, `hint` the way out (may be empty)."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class UsageError(AttnvizError):
    """The command line or the arguments of a call contradict each other."""

    exit_code = 2


class ModelError(AttnvizError):
    """A model cannot be found, fetched, read or run."""


class InputError(AttnvizError):
    """A text, file or tensor cannot be given to this model."""


class SelectionError(AttnvizError):
    """A layer, head, stack or token was asked for that does not exist."""


class CaptureError(AttnvizError):
    """The attention could not be observed, or what was observed cannot be trusted."""


class OutputError(AttnvizError):
    """A result cannot be written where it was asked for."""
