"""What is shown, and how numbers become a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from attnviz.cli.options.panels import VIEW
from attnviz.metrics.registry import look_for
from attnviz.views.vocabulary import check_view, meanings

if TYPE_CHECKING:
    from attnviz.metrics.registry import look_for
    from attnviz.views.appearance import Appearance
from attnviz.views.vocabulary import Subject

Words = Annotated[bool, VIEW.flag("--words", "Merge tokens into words: keys sum, queries mean.")]
Score = Annotated[str, VIEW.value("NAME", "The score that --view matrix shows.")]
TopHeads = Annotated[int, VIEW.value("N", "Heads listed.", min=1)]


def view_option(subject: Subject) -> Any:
    """The option `--view` of a command, with the views that there are of its subject."""

    def checked(name: str) -> str:
        check_view(subject, name)
        return name

    return VIEW.value("VIEW", meanings(subject), callback=checked)


@dataclass(frozen=True)
class Looking:
    """How the weights of a capture are shown."""

    view: Annotated[str, view_option("capture")] = "auto"
    score: Score = "content"
    words: Words = False
    hide_special: Annotated[bool, VIEW.flag("--hide-special", "Leave out special tokens.")] = False
    renormalize: Annotated[
        bool, VIEW.flag("--renormalize", "Let what is shown of each row sum to 1.")
    ] = False
    no_sink_split: Annotated[
        bool,
        VIEW.flag(
            "--no-sink-split", "Draw special tokens and other sinks on the colour scale too."
        ),
    ] = False
    scale: Annotated[
        Literal["linear", "sqrt", "log", "row", "rank"],
        VIEW.value("SCALE", "How weights become colours: linear, sqrt, log, row or rank."),
    ] = "linear"
    reduce: Annotated[
        Literal["mass", "mean", "max"],
        VIEW.value(
            "HOW",
            "What a cell shows where a map is pooled: mass (summed over keys, averaged over "
            "queries), mean or max.",
        ),
    ] = "mass"

    def appearance(self) -> Appearance:
        """How the picture is to be read."""
        from attnviz.views.appearance import Appearance

        look_for(self.score)
        return Appearance(
            scale=self.scale,
            reduce=self.reduce,
            words=self.words,
            hide_special=self.hide_special,
            renormalize=self.renormalize,
            sink_split=not self.no_sink_split,
            score=self.score,
        )
