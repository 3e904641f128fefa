"""The panels of a help text, and the options that stand in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import typer


@dataclass(frozen=True, slots=True)
class Panel:
    """A group of options under one title."""

    title: str

    def value(self, metavar: str, about: str, *names: str, **limits: Any) -> Any:
        """An option that takes a value; `names` where the field's own will not do."""
        return typer.Option(
            *names, help=about, rich_help_panel=self.title, metavar=metavar, **limits
        )

    def flag(self, name: str, about: str, *more: str) -> Any:
        """An option without a value, for which typer would write <bool>."""
        return typer.Option(name, *more, help=about, rich_help_panel=self.title, metavar="")


INPUT, SELECT, VIEW, PICTURE, OUTPUT, MODEL = (
    Panel(title) for title in ("Input", "Selection", "View", "Picture", "Output", "Model")
)
HAND, OTHER = Panel("By hand"), Panel("Compare with")
