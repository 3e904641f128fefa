"""Captures as files: pictures, numbers, and the capture itself."""

from __future__ import annotations

import codecs
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

from attnviz.cli.output import make_folder, write_file
from attnviz.cli.template import STDOUT, Template
from attnviz.errors import AttnvizError, OutputError, UsageError

if TYPE_CHECKING:
    from attnviz.attention.capture import Capture
    from attnviz.attention.selection import Selection
    from attnviz.attention.store.rounded import StoreDtype
    from attnviz.cli.output import Talk
    from attnviz.render.image.draw import Drawing
    from attnviz.render.image.style import ImageStyle
    from attnviz.views.appearance import Appearance
    from attnviz.views.figure import FigureView
    from attnviz.views.request import Wanted

IMAGES = ("png", "svg", "pdf")
NUMBERS = ("npz", "csv", "tsv", "json", "align")
KINDS = (*IMAGES, *NUMBERS, "safetensors")
UNCHANGED = ("npz", "safetensors", "align")  # kinds that hold the weights as they are


def write_drawing(drawing: Drawing, path: Path, kind: str = "") -> None:
    """Nothing; the drawing stands in the file, in the form of `kind`, else of the suffix."""
    data = drawing.to_bytes(kind or path.suffix.removeprefix(".").lower())
    write_file(path, lambda file: file.write(data))


@dataclass(frozen=True)
class Export:
    """What goes into files, and how: one picture or set of numbers per file.

    `least` is the smallest weight that is written or drawn as a line, None for the kind's own.
    """

    selection: Selection
    appearance: Appearance
    style: ImageStyle | None = None
    view: FigureView = "auto"
    score: str = "content"
    least: float | None = None
    soft: bool = False
    store_dtype: StoreDtype = "float32"

    def __call__(
        self, capture: Capture, template: Template, kind: str, index: int, talk: Talk
    ) -> None:
        """Write every file of the template; those that could not be written are named at the end.

        Raises OutputError when there were any.
        """
        failed: dict[Path, AttnvizError] = {}
        done = 0
        warned: set[str] = set()
        for path, selection in template.files(capture, self.selection, self.appearance, index):
            try:
                warning = self.write(capture, selection, path, kind)
            except AttnvizError as error:
                failed[path] = error
                continue
            done += 1
            if warning and warning not in warned:
                warned.add(warning)
                talk.hint(warning)
        if len(failed) == 1 and not done:
            raise next(iter(failed.values()))
        if failed:
            path, first = next(iter(failed.items()))
            names = ", ".join(str(one) for one in failed)
            raise OutputError(f"wrote {done} files, but not {names}", f"{path}: {first.message}")

    def write(self, capture: Capture, selection: Selection, path: Path, kind: str) -> str:
        """Write one file; gives what must be said beside it, if anything."""
        if kind == "safetensors":
            if str(path) == STDOUT:
                raise UsageError("a saved capture needs a file", "-o FILE.safetensors")
            make_folder(path)
            capture.save(path, dtype=self.store_dtype)
            return ""
        if kind in IMAGES:
            return self.write_image(capture, selection, path, kind)
        write_file(path, lambda file: self.fill(capture, selection, kind, file))
        return ""

    def write_image(self, capture: Capture, selection: Selection, path: Path, kind: str) -> str:
        """Draw the view into a file; gives what it lacks: fonts for tokens, or colour."""
        from attnviz.render.image.draw import draw, maps_in
        from attnviz.render.image.grid import grid_pixels
        from attnviz.render.image.style import ImageStyle
        from attnviz.views.figure import figure_answer
        from attnviz.views.maps.arcs import LEAST
        from attnviz.views.maps.legend import faint
        from attnviz.views.request import request

        count = len(request(capture, selection, self.appearance).pairs)
        least = LEAST if self.least is None else self.least
        content = figure_answer(
            capture, selection, self.appearance, self.view, self.score, least, grid_pixels(count)
        )
        drawing = draw(content, self.style or ImageStyle())
        write_drawing(drawing, path, kind)
        if drawing.warning or not faint(maps_in(content.parts[0])):
            return drawing.warning
        return "nearly all cells are below a tenth of the scale: --scale sqrt shows them"

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
        elif kind == "json":
            from attnviz.render.data.answer import answer_values
            from attnviz.views.answer import in_full
            from attnviz.views.build import build

            view = in_full(build(capture, selection, self.appearance, "grid"), capture)
            file.write(json.dumps(answer_values(view), allow_nan=False).encode() + b"\n")
        else:
            self.write_rows(capture, selection, kind, file)

    def write_rows(self, capture: Capture, selection: Selection, kind: str, file: BinaryIO) -> None:
        """One row per weight of every wanted head, a head at a time."""
        from attnviz.render.data.tidy_rows import WEIGHTS, map_rows, write_rows
        from attnviz.views.maps.head_screen import head_maps
        from attnviz.views.request import request

        asked = request(capture, selection, self.appearance)
        out = codecs.getwriter("utf-8")(file, "backslashreplace")
        form: Literal["tsv", "csv"] = "tsv" if kind == "tsv" else "csv"
        write_rows([WEIGHTS], form, out)
        for pair in asked.pairs:
            for head, one in head_maps(asked.stack, [pair], self.appearance, asked.rows).maps:
                write_rows(map_rows(asked.stack.name, head, one, self.least), form, out)

    def wanted(self, capture: Capture, selection: Selection) -> dict[str, Wanted]:
        """Stack, layer, heads: of the stack that is named, else of all that have the selection."""
        from attnviz.views.request import request

        names = list(capture.stacks) if selection.stack is None else [selection.stack]
        return {name: request(capture, replace(selection, stack=name), self.appearance).wanted
                for name in names}  # fmt: skip


def kind_of(template: Template, form: str | None, kinds: tuple[str, ...] = KINDS) -> str:
    """The kind of file: what --format says, else the suffix. Raises UsageError."""
    if form is not None:
        if template.suffix in kinds and template.suffix != form:
            raise UsageError(
                f"-o {template.text} and --format {form} contradict each other",
                "the suffix of the file says its format",
            )
        return form
    if template.text == STDOUT:
        raise UsageError("-o - needs a --format", f"one of {', '.join(NUMBERS)}")
    if template.suffix not in kinds:
        shown = f".{template.suffix}" if template.suffix else "no suffix"
        raise UsageError(
            f"-o {template.text}: {shown} is no format that attnviz writes",
            f"it writes {' '.join(f'.{one}' for one in kinds)}",
        )
    return template.suffix
