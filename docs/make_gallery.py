"""Makes docs/gallery: one picture of each kind, and the page that shows them with their commands.

python docs/make_gallery.py           # draw them
python docs/make_gallery.py --check   # fail when a picture is not what attnviz draws now
"""

from __future__ import annotations

import io
import shlex
import sys
import tempfile
from contextlib import redirect_stderr
from pathlib import Path

import numpy as np
from PIL import Image

from attnviz.cli.app import run

FOLDER = Path(__file__).parent / "gallery"
TEXT = (
    "The old sailor met the young widow at the harbor, and then the old sailor met the young widow"
)
SOURCE = "the old sad king often paints a small grey house ."
TARGET = "le vieux roi triste peint souvent une petite maison grise ."
CLOSE = 1.0  # mean difference of a colour (of 255) that another machine's rounding may make
PICTURES = {
    "grid": ("All heads on one scale", ["export", TEXT]),
    "heatmap": ("One head", ["export", TEXT, "--head", "L3H2"]),
    "layer": ("The heads of a layer", ["export", TEXT, "--layer", "3", "--words"]),
    "cross": ("Cross attention of a translation",
              ["export", SOURCE, "--target", TARGET, "-m", "sample:translate", "--head", "L1H2"]),
    "recurrent": ("The same sentence in a recurrent translator",
                  ["export", SOURCE, "--target", TARGET, "-m", "sample:rnn-additive"]),
    "arcs": ("From queries to keys",
             ["export", TEXT, "--view", "arcs", "--head", "L3H2,L2H2", "--theme", "dark"]),
    "matrix": ("A score of every head",
               ["export", TEXT, "--view", "matrix", "--score", "previous"]),
    "long": ("A text of 800 tokens, pooled", ["export", "--file", "sample:text/long", "--head",
                                              "L3H2", "--scale", "sqrt", "--dpi", "60"]),
    "groups": ("Heads that attend alike", ["compare", TEXT]),
    "pair": ("Two heads side by side", ["compare", TEXT, "--head", "L3H2,L3H3"]),
    "difference": ("What one word changes",
                   ["compare", "the food was good .", "--with", "the food was not good .",
                    "-m", "sample:sentiment"]),
    "trace": ("How one query comes to its weights, and the dimensions behind one score",
              ["trace", TEXT, "--head", "L3H2", "--query", "old#2", "--key", "sail#1"]),
    "by-hand": ("Attention by hand", ["trace", "--qkv", "sample:qkv/self", "--causal"]),
}  # fmt: skip


def main() -> None:
    """Draw the pictures into the folder, or compare them with what is there."""
    check = "--check" in sys.argv[1:]
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        for name, (_, options) in PICTURES.items():
            draw(options, place / f"{name}.png")
        stale = [
            name for name in PICTURES if not same(FOLDER / f"{name}.png", place / f"{name}.png")
        ]
        if check:
            readme = FOLDER / "README.md"
            if not readme.is_file() or readme.read_text(encoding="utf-8") != page():
                stale.append("README.md")
            if stale:
                sys.exit(f"docs/gallery is stale: {', '.join(stale)}; run docs/make_gallery.py")
            return
        FOLDER.mkdir(exist_ok=True)
        for name in stale:
            (FOLDER / f"{name}.png").write_bytes((place / f"{name}.png").read_bytes())
    (FOLDER / "README.md").write_text(page(), encoding="utf-8")


def draw(options: list[str], path: Path) -> None:
    """Run `attnviz` with these options."""
    own = options[0] != "export" or "--dpi" in options
    resolution = [] if own else ["--dpi", "100"]
    with redirect_stderr(io.StringIO()) as said:
        code = run([*options, *resolution, "-q", "-o", str(path)])
    if code != 0:
        sys.exit(said.getvalue())


def same(old: Path, new: Path) -> bool:
    """Whether two pictures look the same."""
    if not old.is_file():
        return False
    with Image.open(old) as first, Image.open(new) as second:
        if first.size != second.size:
            return False
        a, b = (np.asarray(one.convert("RGB"), np.float64) for one in (first, second))
        return bool(np.abs(a - b).mean() < CLOSE)


def page() -> str:
    """The page of the gallery."""
    parts = ["# Gallery", "Made by `docs/make_gallery.py` from the bundled samples."]
    for name, (title, options) in PICTURES.items():
        command = f"attnviz {shlex.join(options)} -o {name}.png"
        parts += [f"## {title}", f"```sh\n{command}\n```", f"![{title}]({name}.png)"]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    main()
