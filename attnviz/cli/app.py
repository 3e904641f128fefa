"""The command line: registers the commands, runs them, turns known failures into messages."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from collections.abc import Callable
from difflib import get_close_matches
from typing import Annotated, Any

import typer

import attnviz
from attnviz.cli import interrupt
from attnviz.cli.commands import check, compare, export, heads, inspect, models, trace
from attnviz.cli.options import NONE
from attnviz.cli.output import print_error
from attnviz.errors import AttnvizError, OutputError, UsageError

# What typer raises for a wrong command line: the base of the one such error that it documents.
WrongUsage: Any = typer.BadParameter.__mro__[1]
REWORDED = {
    "Value error, ": "",
    "Input should be": "must be",
    ", unable to parse string as an integer": "",
    "argument(s)": "arguments",
}

app = typer.Typer(
    name="attnviz",
    help="See what every attention head of a transformers model looks at.",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog='Start with: attnviz inspect "The old sailor met the widow, and then the old sailor"',
)
COMMANDS: dict[str, Callable[..., None]] = {
    "inspect": inspect.inspect,
    "export": export.export,
    "heads": heads.heads,
    "compare": compare.compare,
    "trace": trace.trace,
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
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Show the version.", metavar=NONE
        ),
    ] = False,
) -> None:
    """See what every attention head of a transformers model looks at."""


def run(arguments: list[str]) -> int:
    """0, 1 for a known failure, 2 for usage, 130 interrupted: the exit code of a command line.

    With ATTNVIZ_DEBUG set, tracebacks come through.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        return called(arguments)
    except KeyboardInterrupt:
        return interrupt.CODE
    except BrokenPipeError:  # the reader has what it wanted
        return 1
    except AttnvizError as error:
        if os.environ.get("ATTNVIZ_DEBUG"):
            raise
        if interrupt.seen:
            return interrupt.CODE
        with contextlib.suppress(OutputError, BrokenPipeError):
            sys.stdout.flush()
        print_error(error)
        return error.exit_code


def called(arguments: list[str]) -> int:
    """The exit code of the command. Raises AttnvizError, UsageError for a wrong command line."""
    if not arguments:
        with contextlib.redirect_stdout(sys.stderr):
            app(["--help"], prog_name="attnviz", standalone_mode=False)
        return UsageError.exit_code
    suggest(arguments)
    try:
        code = app(arguments, prog_name="attnviz", standalone_mode=False)
    except SystemExit as stop:
        code = stop.code
    except WrongUsage as error:
        raise plain(error) from error
    sys.stdout.flush()  # a pipe that nobody reads shows here, not when the interpreter ends
    return code if isinstance(code, int) else 0


def suggest(arguments: list[str]) -> None:
    """Nothing. Raises UsageError when a text stands where a command belongs."""
    first = arguments[0]
    if first.startswith("-") or first in COMMANDS:
        return
    if first == "help":
        raise UsageError("help is no command", "attnviz --help, or attnviz inspect --help")
    near = get_close_matches(first, COMMANDS, n=1)
    shown = first if len(first) < 40 else f"{first[:39]}…"
    quoted = f'"{shown}"' if shown.replace(" ", "a").isalnum() else shlex.quote(shown)
    raise UsageError(
        f"{shown!r} is no command: there are {', '.join(COMMANDS)}",
        f"attnviz {near[0]}" if near else f"attnviz inspect {quoted}",
    )


def plain(error: Any) -> UsageError:
    """What typer says of a wrong command line, in the one style of errors."""
    message = " ".join(error.format_message().split()).rstrip(".")
    for theirs, ours in REWORDED.items():
        message = message.replace(theirs, ours)
    command = error.ctx.command_path if error.ctx is not None else "attnviz"
    extra = "unexpected extra argument" in message and command == "attnviz inspect"
    hint = 'put the text in quotes: attnviz inspect "some text"' if extra else f"{command} --help"
    return UsageError(f"{message[:1].lower()}{message[1:]}", hint)
