"""Captures as files: pictures, numbers, and the capture itself."""

from __future__ import annotations

import codecs
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

from attnviz.cli.sink import IMAGES
from attnviz.cli.writing import STDOUT, make_folder, write_file
from attnviz.errors import AttnvizError, OutputError, UsageError

if TYPE_CHECKING:
    from attnviz.attention.capture import Capture
    from attnviz.attention.selection import Selection
    from attnviz.attention.store.rounded import StoreDtype
    from attnviz.cli.options.selection import Selecting
    from attnviz.cli.options.spread import Given
    from attnviz.cli.options.view import Looking
    from attnviz.cli.sink import Sink
    from attnviz.cli.template import Template
    from attnviz.views.appearance import Appearance
    from attnviz.views.request import Wanted

NUMBERS = ("npz", "csv", "tsv", "json", "align")
KINDS = (*IMAGES, *NUMBERS, "safetensors")
UNCHANGED = ("npz", "safetensors", "align")  # kinds that hold the weights as they are
UNDRAWN = ("table", "heads", "query")  # views that no image shows


@dataclass(frozen=True)
class Export:
    """What goes into files, and how: one picture or set of numbers per file.

    `least` is the smallest weight that is written, None for the kind's own.
    """

    sink: Sink
    selection: Selection
    appearance: Appearance
    view: str = "auto"
    least: float | None = None
    soft: bool = False
    store_dtype: StoreDtype = "float32"

    def __call__(self, capture: Capture, template: Template, kind: str, index: int) -> None:
        """Write every file of the template; those that could not be written are named at the end.

        Raises OutputError when there were any.
        """
        failed: dict[Path, AttnvizError] = {}
        done = 0
        for path, selection in template.files(capture, self.selection, self.appearance, index):
            try:
                self.write(capture, selection, path, kind)
            except AttnvizError as error:
                failed[path] = error
                continue
            done += 1
        if len(failed) == 1 and not done:
            raise next(iter(failed.values()))
        if failed:
            path, first = next(iter(failed.items()))
            names = ", ".join(str(name) for name in failed)
            raise OutputError(f"wrote {done} files, but not {names}", f"{path}: {first.message}")

    def write(self, capture: Capture, selection: Selection, path: Path, kind: str) -> None:
        """Write one file."""
        if kind in IMAGES:
            self.draw(capture, selection, path, kind)
        elif kind == "json":
            from attnviz.views.answer import in_full
            from attnviz.views.build import build

            answer = build(capture, selection, self.appearance, "grid")
            self.sink.write(in_full(answer, capture), path, kind)
        elif kind == "safetensors":
            if str(path) == STDOUT:
                raise UsageError("a saved capture needs a file", "-o FILE.safetensors")
            make_folder(path)
            capture.save(path, dtype=self.store_dtype)
        else:
            write_file(path, lambda file: self.fill(capture, selection, kind, file))

    def draw(self, capture: Capture, selection: Selection, path: Path, kind: str) -> None:
        """Draw the view into a file."""
        from attnviz.render.image.head_maps import grid_pixels
        from attnviz.views.build import figure
        from attnviz.views.request import request

        count = len(request(capture, selection, self.appearance).pairs)
        appearance = replace(self.appearance, most=grid_pixels(count))
        self.sink.write(figure(capture, selection, appearance, self.view), path, kind)

    def fill(self, capture: Capture, selection: Selection, kind: str, file: BinaryIO) -> None:
        """Write numbers of one kind into an open file."""
        if kind == "npz":
            from attnviz.render.data.npz import write_npz

            write_npz(capture, self.wanted(capture, selection), file)
        elif kind == "align":
            from attnviz.render.data.pharaoh import alignment
            from attnviz.views.request import request

            asked = request(capture, selection, self.appearance)
            line = alignment(asked.stack, asked.wanted, soft=self.soft, least=self.least)
            file.write(f"{line}\n".encode())
        else:
            self.write_rows(capture, selection, "tsv" if kind == "tsv" else "csv", file)

    def write_rows(
        self, capture: Capture, selection: Selection, form: Literal["tsv", "csv"], file: BinaryIO
    ) -> None:
        """One row per weight of every wanted head, a head at a time."""
        from attnviz.render.data.tidy_rows import WEIGHTS, map_rows, write_rows
        from attnviz.views.maps.head_maps import head_maps
        from attnviz.views.request import request

        asked = request(capture, selection, self.appearance)
        out = codecs.getwriter("utf-8")(file, "backslashreplace")
        write_rows([WEIGHTS], form, out)
        for pair in asked.pairs:
            for head, shown in head_maps(asked.stack, [pair], self.appearance, asked.rows).maps:
                write_rows(map_rows(asked.stack.name, head, shown, self.least), form, out)

    def wanted(self, capture: Capture, selection: Selection) -> dict[str, Wanted]:
        """Stack, layer, heads: of the stack that is named, else of all that have the selection."""
        from attnviz.views.request import request

        names = list(capture.stacks) if selection.stack is None else [selection.stack]
        return {
            name: request(capture, replace(selection, stack=name), self.appearance).wanted
            for name in names
        }


def check_looking(given: Given, kind: str, looking: Looking, selecting: Selecting) -> None:
    """Raise UsageError for an option that does nothing to this kind of file or view, and for a view
    that cannot be had, before any model runs.
    """
    check_view_had(kind, looking.view, selecting)
    image = kind in IMAGES
    if image and looking.view in UNDRAWN:
        given.refuse(f".{kind}", {"--view": "a picture shows map, grid, arcs or matrix"})
    if not (image or kind in ("table", "safetensors", "json", "csv", "tsv")):
        given.refuse(f".{kind}", {"--view": "it holds the weights themselves"})
    if looking.view != "matrix":
        given.refuse(f"--view {looking.view}", {"--score": "it is for --view matrix"})
    if not image and kind not in ("table", "safetensors"):
        given.refuse(f".{kind}", {"--reduce": "numbers are not pooled for a picture"})
    elif looking.view not in ("auto", "map", "grid"):
        given.refuse(f"--view {looking.view}", {"--reduce": "it is for maps: --view map or grid"})
    if kind in UNCHANGED and (looking.words or looking.hide_special or looking.renormalize):
        raise UsageError(
            f".{kind} holds the weights as they are", "leave --words, --hide-special, --renormalize"
        )


def check_view_had(kind: str, view: str, selecting: Selecting) -> None:
    """Raise UsageError for a view that this selection or kind of file cannot have."""
    if view == "arcs" and kind == "table":
        raise UsageError(
            "--view arcs is for pictures and data", "-o FILE.svg, or --view map for the terminal"
        )
    if view == "query" and selecting.query is None:
        raise UsageError("--view query is about one token", "name it with --query")
    if view == "matrix" and (selecting.query or selecting.key):
        raise UsageError("--view matrix shows scores of whole heads", "leave --query and --key")
