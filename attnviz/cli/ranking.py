"""How ranked heads are shown: a table or a matrix, as text, rows, JSON or a picture."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TextIO

from attnviz.cli.output import print_rows, write_text
from attnviz.cli.template import STDOUT
from attnviz.cli.write import IMAGES, write_drawing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from attnviz.attention.capture import Capture
    from attnviz.attention.selection import Selection
    from attnviz.cli.template import Template
    from attnviz.views.answer import Answer, Facts
    from attnviz.views.heads.head_table import HeadTable


@dataclass(frozen=True)
class Ranking:
    """What is ranked, by what, and how it is shown; `over` says what means run over."""

    selection: Selection
    sort: str | None
    kind: str | None
    top: int
    view: Literal["table", "matrix"]
    form: str
    width: int | None
    color: Literal["auto", "always", "never"]
    ascii: bool
    over: str = "texts"

    def __call__(self, captures: Iterable[Capture], template: Template) -> None:
        """Print the ranking of the captures, or write it to the file."""
        from attnviz.views.answer import Answer, facts_of
        from attnviz.views.heads.head_table import head_table, table_matrix

        runs: list[tuple[Facts, tuple[str, ...]]] = []

        def noted() -> Iterator[Capture]:
            for capture in captures:
                runs.append((facts_of(capture), capture.notes))
                yield capture

        kind = template.suffix if template.text != STDOUT else ""
        whole = kind in IMAGES or self.view == "matrix"
        top = None if whole else self.top
        table = head_table(noted(), self.selection, self.sort, self.kind, top, self.over)
        facts, notes = runs[0]
        path = template.path(model=facts.model.name)
        if kind in IMAGES:
            self.write_image(table, facts, notes if len(runs) == 1 else (), path)
            return
        form = {"txt": "table", "": self.form}.get(kind, kind)
        part = table_matrix(table) if self.view == "matrix" else table
        stream = io.StringIO() if kind else sys.stdout
        if form == "table":
            if self.over == "texts":
                facts = replace(facts, texts=table.texts)
            self.draw(Answer(facts, None, (part,), notes if len(runs) == 1 else ()), stream)
        else:
            self.write(table, form, stream)
        if isinstance(stream, io.StringIO):
            write_text(path, stream.getvalue())

    def write(self, table: HeadTable, form: str, stream: TextIO) -> None:
        """The table as rows or JSON."""
        from attnviz.render.data.json_values import ranking_values
        from attnviz.render.data.tidy_rows import ranking_rows

        if form == "json":
            stream.write(json.dumps(ranking_values(table), allow_nan=False) + "\n")
        else:
            print_rows(ranking_rows(table), "tsv" if form == "tsv" else "csv", stream)

    def draw(self, screen: Answer, stream: TextIO) -> None:
        """The table or the matrix as a picture of characters."""
        from attnviz.render.terminal.console import make_console
        from attnviz.render.terminal.picture import print_view

        print_view(screen, make_console(self.width, self.color, self.ascii, stream))

    def write_image(
        self, table: HeadTable, facts: Facts, notes: tuple[str, ...], path: Path
    ) -> None:
        """The matrix of the score as an image."""
        from attnviz.render.image.draw import draw
        from attnviz.render.image.style import ImageStyle
        from attnviz.views.figure import FigureContent
        from attnviz.views.heads.head_table import table_matrix

        means = (f"means over {table.texts:,} {table.over}",) if table.texts > 1 else ()
        content = FigureContent(facts.model, table_matrix(table), (*means, *notes), facts.failed)
        write_drawing(draw(content, ImageStyle()), path)
