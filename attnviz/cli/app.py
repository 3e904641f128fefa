"""The command line: registers the commands, runs them, turns known failures into messages."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Annotated

import typer

import attnviz
from attnviz.cli import check, inspect, models
from attnviz.cli.output import print_error
from attnviz.errors import AttnvizError

app = typer.Typer(
    name="attnviz",
    help="See what every attention head of a transformers model looks at.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog='Start with: attnviz inspect "the film was not good at all"',
)
COMMANDS: dict[str, Callable[..., None]] = {
    "inspect": inspect.inspect,
    "check": check.check,
    "models": models.models,
}
for name, command in COMMANDS.items():
    app.command(name)(command)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"attnviz {attnviz.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """See what every attention head of a transformers model looks at."""


def main() -> None:
    """Run the command line: exit code 0, 1 for a known failure, 2 for usage, 130 interrupted."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """The exit code of one command line. With ATTNVIZ_DEBUG set, tracebacks come through."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        _suggest(arguments)
        app(arguments)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except AttnvizError as error:
        if os.environ.get("ATTNVIZ_DEBUG"):
            raise
        print_error(error)
        return error.exit_code
    return 0


def _suggest(arguments: list[str]) -> None:
    """Nothing. Raises UsageError when a text stands where a command belongs."""
    from attnviz.errors import UsageError

    first = arguments[0] if arguments else "--help"
    if first.startswith("-") or first in COMMANDS:
        return
    shown = first if len(first) < 40 else f"{first[:39]}…"
    raise UsageError(
        f"{shown!r} is no command: there are {', '.join(COMMANDS)}",
        f'attnviz inspect "{shown}"',
    )
