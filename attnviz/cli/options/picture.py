"""How an image looks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from attnviz.cli.options.panels import NONE, PICTURE
from attnviz.errors import UsageError

if TYPE_CHECKING:
    from attnviz.render.image.style import ImageStyle

Dpi = Annotated[
    int,
    typer.Option(min=20, max=2400, help="Pixels per inch.", rich_help_panel=PICTURE, metavar="N"),
]
ThemeName = Annotated[
    Literal["light", "dark"],
    typer.Option("--theme", help="light or dark.", rich_help_panel=PICTURE, metavar="NAME"),
]
# The options of a picture, and where they have an effect.
IMAGE = "it is for pictures: .png .svg .pdf"
PICTURES = dict.fromkeys(
    ("--dpi", "--size", "--cmap", "--theme", "--font", "--title", "--no-labels"), IMAGE
)


@dataclass(frozen=True)
class Picturing:
    """The colours, fonts and size of an image."""

    dpi: Dpi = 200
    size: Annotated[
        str | None,
        typer.Option(
            help="Width and height in inches: 7x5. Default: what the content needs.",
            rich_help_panel=PICTURE,
            metavar="WxH",
        ),
    ] = None
    cmap: Annotated[
        str,
        typer.Option(
            help="A colour map of matplotlib: viridis, cividis, Greys, …",
            rich_help_panel=PICTURE,
            metavar="NAME",
        ),
    ] = "viridis"
    theme: ThemeName = "light"
    font: Annotated[
        str | None,
        typer.Option(
            help="A font for the labels, by name or file.", rich_help_panel=PICTURE, metavar="FONT"
        ),
    ] = None
    title: Annotated[
        str | None,
        typer.Option(
            help="The title, in place of the model's name; '' for none.",
            rich_help_panel=PICTURE,
            metavar="TEXT",
        ),
    ] = None
    no_labels: Annotated[
        bool,
        typer.Option("--no-labels", help="No token labels.", rich_help_panel=PICTURE, metavar=NONE),
    ] = False

    def style(self) -> ImageStyle:
        """How the image looks. Raises UsageError for a size that is none."""
        from attnviz.render.image.style import ImageStyle

        size = None if self.size is None else inches(self.size)
        labels = not self.no_labels
        return ImageStyle(self.dpi, size, self.cmap, self.theme, self.font, self.title, labels)


def inches(size: str) -> tuple[float, float]:
    """`7x5` as (width, height). Raises UsageError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)[x×](\d+(?:\.\d+)?)", size.strip())
    width, height = (float(match[1]), float(match[2])) if match else (0.0, 0.0)
    if not (0 < width <= 200 and 0 < height <= 200):
        raise UsageError(f"--size {size} is no size in inches", "write width and height: 7x5")
    return width, height
