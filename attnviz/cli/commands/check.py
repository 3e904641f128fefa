"""`attnviz check`: proof that the capture is right on this model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from attnviz.cli.options.input import SourceLang, Target, TargetLang
from attnviz.cli.options.model import Placing
from attnviz.cli.options.output import Saying
from attnviz.cli.options.panels import INPUT
from attnviz.cli.planning import Planning
from attnviz.errors import CaptureError

TEXT = "The cat sat on the mat because it was tired."


@dataclass(frozen=True)
class Checking:
    """The model that is checked, and the text that it reads."""

    model: Annotated[
        str | None,
        typer.Argument(
            help="Hub id, local folder or sample:NAME. Default: as for inspect.",
            show_default=False,
        ),
    ] = None
    text: Annotated[
        str, typer.Option(help="The text to run.", rich_help_panel=INPUT, metavar="TEXT")
    ] = TEXT
    target: Target = None
    source_lang: SourceLang = None
    target_lang: TargetLang = None


def check(checking: Checking, output: Saying, placing: Placing) -> None:
    """Prove that what is shown of a model's attention is right.

    Compares with the model's own eager weights, without and with padding on
    either side, and changes each layer's attention to see that the output
    follows. Marks with -- what could not be compared, as where --memory does
    not allow whole maps of both. Exit code 1 when a check fails.
    """
    sink = output.sink()
    load, run = placing.load_request(checking.model), placing.run_request()
    read = (checking.text, checking.target, checking.source_lang, checking.target_lang)
    if placing.plan:
        Planning(run, sink).checks(load, *read)
        return
    loaded = load.load(sink.talk)
    from attnviz.answers.check import check_text

    with sink.talk.progress(f"check {loaded.facts.name}"):
        answer = check_text(loaded, *read, asked=run)
    sink.put(answer)
    if answer.failed:
        raise CaptureError(
            f"{len(answer.failed)} of {len(answer.checks)} checks failed on {loaded.facts.name}",
            "please report it with the lines above",
        )
