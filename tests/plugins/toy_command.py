"""A command of an outsider, in one module: its options are groups of the house, and one own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from attnviz.cli.app import command
from attnviz.cli.options.input import Reading
from attnviz.cli.options.model import Running
from attnviz.cli.options.output import Showing
from attnviz.cli.options.panels import VIEW
from attnviz.cli.sink import TEXTS
from attnviz.cli.source import captures
from attnviz.views.answer import answer_about
from attnviz.views.listing import Listing


@dataclass(frozen=True)
class Shouting:
    """How the tokens are listed."""

    upper: Annotated[bool, VIEW.flag("--upper", "In capitals.")] = False


@command("tokens")
def tokens(reading: Reading, shouting: Shouting, output: Showing, running: Running) -> None:
    """List the tokens of a text."""
    source, sink = reading.source(), output.sink()
    source.check()
    sink.check(TEXTS)
    load, run = running.load_request(reading.model), running.run_request(reading=reading)
    [capture] = captures(source, load, run, sink.talk)
    stack = capture.main_stack
    labels = list(stack.keys(stack.layers[0]).labels)
    labels = [label.upper() for label in labels] if shouting.upper else labels
    sink.put(answer_about(capture, Listing(tuple(labels), {"tokens": labels})))
