"""How an image looks: size, colours, fonts."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal

from attnviz.errors import UsageError
from attnviz.views.maps.heatmap import State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.colors import Colormap

ThemeName = Literal["light", "dark"]
CMAP, SIGNED = "viridis", "RdBu_r"  # where none is asked for: of weights, of values of both signs
POINTS = 7.0  # size of token labels
LINE = POINTS * 1.25 / 72  # inches that a line of labels takes


@dataclass(frozen=True, slots=True)
class Theme:
    """The colours of everything but the maps."""

    paper: str
    ink: str
    faint: str
    sinks: tuple[str, str]
    states: Mapping[State, str]


THEMES: dict[ThemeName, Theme] = {
    "light": Theme(
        paper="#ffffff",
        ink="#1a1a1f",
        faint="#5c5c66",
        sinks=("#c9c9cf", "#36363c"),
        states={State.MASKED: "#ececef", State.PADDED: "#c3cbe4", State.NAN: "#d62828",
                State.CUT: "#d5e8d5"},
    ),
    "dark": Theme(
        paper="#16161a",
        ink="#f0f0f4",
        faint="#a0a0aa",
        sinks=("#3c3c43", "#d0d0d6"),
        states={State.MASKED: "#24242a", State.PADDED: "#39456e", State.NAN: "#ff5c5c",
                State.CUT: "#26402b"},
    ),
}  # fmt: skip
# Okabe and Ito's colours, which colour-blind people tell apart, without their black and yellow.
HEAD_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")


@dataclass(frozen=True, slots=True)
class ImageStyle:
    """The choices of the options that only images have.

    `size` is (width, height) in inches, None for what the content needs. `title` replaces the
    first line of the heading; an empty one leaves the heading out. `font` is a family that is
    asked first.
    """

    dpi: int = 200
    size: tuple[float, float] | None = None
    cmap: str = CMAP
    theme_name: ThemeName = "light"
    font: str | None = None
    title: str | None = None
    labels: bool = True

    def check(self) -> None:
        """Raise UsageError for a colour map or font that does not exist."""
        from attnviz.render.image.fonts import named

        _ = self.colormap
        if self.font is not None:
            named(self.font)

    @property
    def theme(self) -> Theme:
        """The theme of this name."""
        return THEMES[self.theme_name]

    @property
    def colormap(self) -> Colormap:
        """The colour map of this name. Raises UsageError when there is none."""
        import matplotlib as mpl

        if self.cmap not in mpl.colormaps:
            near = get_close_matches(self.cmap, list(mpl.colormaps), n=3)
            hint = f"did you mean {', '.join(near)}?" if near else "try viridis, cividis or Greys"
            raise UsageError(f"--cmap {self.cmap} is no colour map of matplotlib", hint)
        return mpl.colormaps[self.cmap]

    @property
    def diverging(self) -> Colormap:
        """The colour map of values of both signs: the one that was asked for, else red and blue."""
        import matplotlib as mpl

        return self.colormap if self.cmap != CMAP else mpl.colormaps[SIGNED]

    @property
    def sink_colormap(self) -> Colormap:
        """The greys of columns that are off the scale."""
        from matplotlib.colors import LinearSegmentedColormap

        return LinearSegmentedColormap.from_list("sinks", self.theme.sinks)
