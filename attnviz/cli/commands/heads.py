"""`attnviz heads`: what every head does, in the order of a score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from attnviz.cli.options.input import SINGLE, ReadingMany
from attnviz.cli.options.model import Running
from attnviz.cli.options.output import Showing
from attnviz.cli.options.panels import INPUT, VIEW
from attnviz.cli.options.selection import Selecting
from attnviz.cli.options.spread import Given
from attnviz.cli.options.view import TopHeads, view_option
from attnviz.cli.planning import Planning
from attnviz.cli.sink import IMAGES, TEXTS
from attnviz.cli.source import captures, one_token_each, probed
from attnviz.errors import UsageError
from attnviz.metrics.about import SCORES
from attnviz.views.heads.names import CALLED

if TYPE_CHECKING:
    from attnviz.cli.source import Source

DRAWS = "draws of repeated random tokens"


@dataclass(frozen=True)
class Probing(ReadingMany):
    """The texts that are read, or a probe in their place."""

    probe: Annotated[
        Literal["repeated-tokens"] | None,
        typer.Option(
            help="In place of a text: random tokens, repeated, in 5 draws. Scores prefix_matching "
            "and sorts by it.",
            rich_help_panel=INPUT,
            metavar="NAME",
        ),
    ] = None


@dataclass(frozen=True)
class Ranking:
    """What heads are sorted by, which are listed, and how."""

    sort: Annotated[
        str | None,
        typer.Option(
            help="The score to sort by, one of those above. Default: content.",
            rich_help_panel=VIEW,
            metavar="SCORE",
        ),
    ] = None
    kind: Annotated[
        str | None,
        typer.Option(
            help=f"Only heads of this name: {', '.join(CALLED[:-1])} or {CALLED[-1]}.",
            rich_help_panel=VIEW,
            metavar="NAME",
        ),
    ] = None
    top: TopHeads = 20
    view: Annotated[str, view_option("ranking")] = "table"


def heads(
    given: Given,
    reading: Probing,
    selecting: Selecting,
    ranking: Ranking,
    output: Showing,
    running: Running,
) -> None:
    """Rank heads by what they do.

    Sorted by content, the attention to particular words, or by another score;
    with --query and --key by the weight of that edge. With --texts, scores are
    means over all texts. --probe finds the heads of a language model that look
    for what followed an earlier copy of a token.

    Examples:

      attnviz heads "The cat sat on the mat because it was tired." -m gpt2

      attnviz heads run.safetensors --query it --key cat

      attnviz heads --texts sample:text/sentences --sort previous --top 5

      attnviz heads run.safetensors --sort entropy --view matrix

      attnviz heads --probe repeated-tokens -m gpt2

    {scores}
    """
    selection, sink = selecting.selection(), output.sink()
    source = reading.source()
    if reading.probe is None:
        source.check()
    else:
        check_probe(source, selecting)
    if source.texts is None:
        given.refuse("a single input", SINGLE)
    check_sort(ranking.sort, source)
    sink.check((*TEXTS, *IMAGES), "weights are written by attnviz export")
    if sink.draws and ranking.view == "table":
        given.refuse(f".{sink.kind}", {"--view": "a picture shows the matrix"})
    load, run = running.load_request(reading.model), running.run_request(selection, reading)
    if running.plan:
        planning = Planning(run, sink, one_token_each)
        planning([source], load) if reading.probe is None else planning.probe(load)
        return
    from attnviz.answers.heads import heads as ranked

    view = {"table": ranking.view}.get(sink.kind, "matrix" if sink.draws else "table")
    if reading.probe is None:
        read = captures(source, load, run, sink.talk, foresee=one_token_each)
        sort, over = ranking.sort, "texts"
    else:
        from attnviz.runs.repeated_tokens import PREFIX_MATCHING

        read = probed(load, run, sink.talk)
        sort, over = ranking.sort or PREFIX_MATCHING, DRAWS
    answer = ranked(
        read, selection, sort=sort, kind=ranking.kind, top=ranking.top, view=view, over=over
    )
    sink.put(answer)


def check_sort(sort: str | None, source: Source) -> None:
    """Raise SelectionError for a score that no run has; a saved capture has its own."""
    from attnviz.views.heads.score_matrix import EDGE, check_score

    if sort is not None and source.saved is None:
        check_score(sort, (*SCORES, EDGE))


def check_probe(source: Source, selecting: Selecting) -> None:
    """Raise UsageError when something is asked of a text, which a probe has not."""
    if source.saved is not None:
        raise UsageError("--probe runs a model: a saved capture has none", "give -m MODEL")
    given = {
        "TEXT": source.text,
        "--file": source.file,
        "--texts": source.texts,
        "--pair": source.pair,
        "--target": source.target,
        "--source-lang": source.source_lang,
        "--target-lang": source.target_lang,
        "--query": selecting.query,
        "--key": selecting.key,
    }
    for name, value in given.items():
        if value is not None:
            raise UsageError(f"{name} and --probe exclude each other", "the probe is the input")
