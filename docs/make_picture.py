"""Draws the README's picture: the real output of its first command, as SVG."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI

import attnviz
from attnviz.render.terminal.picture import print_answer
from attnviz.views.build import build

TEXT = (
    "The old sailor met the young widow at the harbor, and then the old sailor met the young widow"
)
COLUMNS = 100


def main() -> None:
    """Write docs/first-screen.svg."""
    capture = attnviz.capture(attnviz.load(offline=True), TEXT)
    console = Console(
        record=True,
        width=COLUMNS,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
        markup=False,
        highlight=False,
        emoji=False,
        legacy_windows=False,
    )
    print_answer(build(capture), console)
    svg = console.export_svg(
        title=f'attnviz inspect "{TEXT}"', theme=MONOKAI, unique_id="attnviz", clear=True
    )
    (Path(__file__).parent / "first-screen.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
