"""What is shown, and how numbers become a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from attnviz.cli.options.panels import NONE, VIEW
from attnviz.views.vocabulary import check_view, meanings

if TYPE_CHECKING:
    from attnviz.views.appearance import Appearance
    from attnviz.views.vocabulary import Subject

Words = Annotated[
    bool,
    typer.Option(
        "--words",
        help="Merge tokens into words: keys sum, queries mean.",
        rich_help_panel=VIEW,
        metavar=NONE,
    ),
]
Score = Annotated[
    str,
    typer.Option(help="The score that --view matrix shows.", rich_help_panel=VIEW, metavar="NAME"),
]
TopHeads = Annotated[
    int, typer.Option(min=1, help="Heads listed.", rich_help_panel=VIEW, metavar="N")
]


def view_option(subject: Subject) -> Any:
    """The option `--view` of a command, with the views that there are of its subject."""

    def checked(name: str) -> str:
        check_view(subject, name)
        return name

    return typer.Option(
        callback=checked, help=meanings(subject), rich_help_panel=VIEW, metavar="VIEW"
    )


@dataclass(frozen=True)
class Looking:
    """How the weights of a capture are shown."""

    view: Annotated[str, view_option("capture")] = "auto"
    score: Score = "content"
    words: Words = False
    hide_special: Annotated[
        bool,
        typer.Option(
            "--hide-special", help="Leave out special tokens.", rich_help_panel=VIEW, metavar=NONE
        ),
    ] = False
    renormalize: Annotated[
        bool,
        typer.Option(
            "--renormalize",
            help="Let what is shown of each row sum to 1.",
            rich_help_panel=VIEW,
            metavar=NONE,
        ),
    ] = False
    no_sink_split: Annotated[
        bool,
        typer.Option(
            "--no-sink-split",
            help="Draw special tokens and other sinks on the colour scale too.",
            rich_help_panel=VIEW,
            metavar=NONE,
        ),
    ] = False
    scale: Annotated[
        Literal["linear", "sqrt", "log", "row", "rank"],
        typer.Option(
            help="How weights become colours: linear, sqrt, log, row or rank.",
            rich_help_panel=VIEW,
            metavar="SCALE",
        ),
    ] = "linear"
    reduce: Annotated[
        Literal["mass", "mean", "max"],
        typer.Option(
            help="What a cell shows where a map is pooled: mass (summed over keys, averaged over "
            "queries), mean or max.",
            rich_help_panel=VIEW,
            metavar="HOW",
        ),
    ] = "mass"

    def appearance(self) -> Appearance:
        """How the picture is to be read."""
        from attnviz.views.appearance import Appearance

        return Appearance(
            scale=self.scale,
            reduce=self.reduce,
            words=self.words,
            hide_special=self.hide_special,
            renormalize=self.renormalize,
            sink_split=not self.no_sink_split,
            score=self.score,
        )
