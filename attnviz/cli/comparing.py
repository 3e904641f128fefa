"""How a comparison is shown: as text, rows, JSON or a picture."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TextIO

from attnviz.cli.output import print_rows, write_text
from attnviz.cli.template import STDOUT
from attnviz.cli.write import IMAGES, write_drawing
from attnviz.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from attnviz.attention.capture import Capture
    from attnviz.attention.selection import Selection
    from attnviz.cli.output import Talk
    from attnviz.cli.template import Template
    from attnviz.inputs.encode import ModelInputs
    from attnviz.models.loaded import LoadedModel
    from attnviz.render.image.style import ImageStyle
    from attnviz.runs.plan import Plan
    from attnviz.runs.request import RunRequest
    from attnviz.views.answer import Comparison
    from attnviz.views.compare.contrast import Kind


FEW = 8  # heads that are shown side by side


@dataclass(frozen=True)
class Comparing:
    """What is compared, and how it is shown."""

    selection: Selection
    layers: bool
    view: Literal["table", "matrix"]
    top: int
    words: bool
    form: str
    width: int | None
    color: Literal["auto", "always", "never"]
    ascii: bool
    style: ImageStyle
    talk: Talk

    def check(self, capture: Capture) -> None:
        """Nothing. Raises CaptureError for maps that were not kept whole."""
        from attnviz.views.appearance import Appearance
        from attnviz.views.compare.within import require_whole
        from attnviz.views.request import request

        require_whole(request(capture, self.selection, Appearance()))

    def heads(self, capture: Capture, template: Template) -> None:
        """Compare the heads of one capture."""
        self.show(capture, self.compared(capture), template)

    def captures(self, first: Capture, second: Capture, kind: Kind, template: Template) -> None:
        """Compare two captures head by head."""
        from attnviz.views.appearance import Appearance
        from attnviz.views.compare.contrast import contrast

        names = names_of(first, second, kind)
        appearance = Appearance(words=self.words)
        view = contrast(first, second, self.selection, appearance, kind, names, self.top)
        notes = dict.fromkeys((*first.notes, *second.notes))
        checks = (*first.checks, *(check for check in second.checks if check.ok is False))
        self.show(replace(first, notes=tuple(notes), checks=checks), view, template)

    def compared(self, capture: Capture) -> Comparison:
        """The comparison that the selection asks for."""
        from attnviz.views.appearance import Appearance
        from attnviz.views.compare.within import (
            group_matrix,
            head_groups,
            layer_matrix,
            like_head,
            side_by_side,
        )
        from attnviz.views.request import request

        appearance = Appearance(words=self.words)
        asked = request(capture, self.selection, appearance)
        if self.layers:
            with self.talk.progress("compare heads") as tell:
                return layer_matrix(asked, told(tell))
        if self.selection.single_head is not None and len(asked.pairs) == 1:
            everything = replace(self.selection, layers=(), heads=(), pairs=())
            return like_head(request(capture, everything, appearance), asked.pairs[0], self.top)
        if self.view == "table" and self.few(asked.pairs):
            return side_by_side(asked)
        with self.talk.progress("compare heads") as tell:
            groups = head_groups(asked, self.top, told(tell))
        return group_matrix(groups) if self.view == "matrix" else groups

    def few(self, pairs: list[tuple[int, int]]) -> bool:
        """Whether --head names a few heads, to be shown side by side."""
        named = self.selection.heads or self.selection.pairs
        return bool(named) and 1 < len(pairs) <= FEW

    def show(self, capture: Capture, view: Comparison, template: Template) -> None:
        """Print the comparison, or write it to the file."""
        from attnviz.render.data.compare import comparison_rows, comparison_values

        kind = template.suffix if template.text != STDOUT else ""
        path = template.path(model=capture.model.name)
        if kind in IMAGES:
            self.write_image(capture, view, path)
            return
        form = {"txt": "table", "": self.form}.get(kind, kind)
        stream = io.StringIO() if kind else sys.stdout
        if form == "table":
            self.draw(capture, view, stream)
        elif form == "json":
            stream.write(json.dumps(comparison_values(view), allow_nan=False) + "\n")
        else:
            print_rows(comparison_rows(view), "tsv" if form == "tsv" else "csv", stream)
        if isinstance(stream, io.StringIO):
            write_text(path, stream.getvalue())

    def draw(self, capture: Capture, view: Comparison, stream: TextIO) -> None:
        """The comparison as a picture of characters."""
        from attnviz.render.terminal.console import make_console
        from attnviz.render.terminal.picture import print_view
        from attnviz.views.answer import Answer, facts_of

        screen = Answer(facts_of(capture), None, (view,), capture.notes)
        print_view(screen, make_console(self.width, self.color, self.ascii, stream))

    def write_image(self, capture: Capture, view: Comparison, path: Path) -> None:
        """The comparison as an image."""
        from attnviz.render.image.draw import draw
        from attnviz.views.answer import facts_of
        from attnviz.views.compare.within import LikeHead, SideBySide
        from attnviz.views.figure import FigureContent

        if isinstance(view, LikeHead):
            raise UsageError("a list of heads has no picture", "write it as .csv, .json or .txt")
        body = view.maps if isinstance(view, SideBySide) else view
        failed = facts_of(capture).failed
        drawing = draw(FigureContent(capture.model, body, capture.notes, failed), self.style)
        write_drawing(drawing, path)
        if drawing.warning:
            self.talk.hint(drawing.warning)


def whole(loaded: LoadedModel, inputs: ModelInputs, request: RunRequest) -> Plan:
    """The plan of a run that is compared. Raises UsageError unless it keeps whole maps."""
    from attnviz.runs.forecast import foreseen
    from attnviz.runs.memory import human

    plan = foreseen(loaded, inputs, request)
    if plan.keeps == "whole":
        return plan
    everything = foreseen(loaded, inputs, replace(request, memory=sys.maxsize))
    raise UsageError(
        f"only whole maps can be compared: those of {loaded.facts.name} on "
        f"{len(inputs.source):,} tokens take {human(everything.kept)} with all scores, --memory "
        f"allows {human(plan.budget)}",
        "allow more, select fewer layers or heads, or shorten the text",
    )


def names_of(first: Capture, second: Capture, kind: Kind) -> tuple[str, str]:
    """What tells the captures apart: their texts, or the models with what differs of them."""
    if kind == "texts":
        return first.text, second.text
    one, other = first.model, second.model
    names = [one.name, other.name]
    if one.name == other.name:
        for n, model in enumerate((one, other)):
            names[n] += f" @{(model.revision or '?')[:8]}" if one.revision != other.revision else ""
            names[n] += f" {model.dtype}" if one.dtype != other.dtype else ""
    return names[0], names[1]


def told(tell: Callable[[str], None] | None) -> Callable[[float], None] | None:
    """Progress as a share, told in percent."""
    return None if tell is None else lambda share: tell(f"compare heads {share:.0%}")
