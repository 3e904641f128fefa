"""Options that were given where they do nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnviz.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import typer

IMAGE = "it is for pictures: .png .svg .pdf"
# Where each option of a picture has an effect.
PICTURE = dict.fromkeys(
    ("--dpi", "--size", "--cmap", "--theme", "--font", "--title", "--no-labels"), IMAGE
)


def refuse_idle(context: typer.Context, what: str, idle: Mapping[str, str]) -> None:
    """Nothing. Raises UsageError for the first of the idle options that was given.

    `what` is that on which they have no effect, the value of each says where it has one.
    """
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        for option in parameter.opts:
            if option in idle and source is not None and source.name == "COMMANDLINE":
                raise UsageError(f"{option} has no effect on {what}", idle[option])


def check_batch(context: typer.Context, texts: Path | None) -> None:
    """Nothing. Raises UsageError for `--batch-size` where `--texts` is not given."""
    if texts is None:
        refuse_idle(context, "a single input", {"--batch-size": "it is for --texts"})
