"""The command line: registers the commands, runs them, turns known failures into messages."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from collections.abc import Callable
from difflib import get_close_matches
from inspect import cleandoc
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

import attnviz
from attnviz.cli import interrupt
from attnviz.cli.commands import check, compare, export, heads, inspect, models, trace
from attnviz.cli.options.spread import spread
from attnviz.cli.score_list import listing
from attnviz.cli.talk import print_error
from attnviz.errors import AttnvizError, OutputError, UsageError
from attnviz.plugins import load_plugins

REWORDED = {
    "Value error, ": "",
    "Input should be": "must be",
    ", unable to parse string as an integer": "",
    "argument(s)": "arguments",
}

START = 'Start with: attnviz inspect "The old sailor met the widow, and then the old sailor"'
COMMANDS: dict[str, Callable[..., None]] = {}
SCORES = "{scores}"  # in the help text of a command: the list of scores


def command(name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a function as a command: its docstring is the help, its groups are its options."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        COMMANDS[name] = function
        return function

    return register


def help_of(function: Callable[..., None]) -> str:
    """The help text of a command."""
    text = cleandoc(function.__doc__ or "")
    return text.replace(SCORES, listing()) if SCORES in text else text


command("inspect")(inspect.inspect)
command("export")(export.export)
command("heads")(heads.heads)
command("compare")(compare.compare)
command("trace")(trace.trace)
command("check")(check.check)
command("models")(models.models)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"attnviz {attnviz.__version__}")
        raise typer.Exit


def root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Show the version.", metavar=""
        ),
    ] = False,
) -> None:
    """See what every attention head of a transformers model looks at."""


def app_for(chosen: str) -> typer.Typer:
    """The command line with the options of the chosen command; of others it has names and help.

    Typer reads the options of every command that it is given, which takes longer than one.
    """
    app = typer.Typer(
        name="attnviz",
        help=root.__doc__,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog=START,
    )
    app.callback()(root)
    for name, function in COMMANDS.items():
        own = spread(function) if name == chosen else unread
        app.command(name, help=help_of(function))(own)
    return app


def unread() -> None:
    """Stand for a command that was not chosen."""


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
            app_for("")(["--help"], prog_name="attnviz", standalone_mode=False)
        return UsageError.exit_code
    suggest(arguments)
    try:
        code = app_for(arguments[0])(arguments, prog_name="attnviz", standalone_mode=False)
    except SystemExit as stop:
        code = stop.code
    except TyperException as error:
        raise plain(error) from error
    sys.stdout.flush()  # a pipe that nobody reads shows here, not when the interpreter ends
    return code if isinstance(code, int) else 0


def suggest(arguments: list[str]) -> None:
    """Raise UsageError when a text stands where a command belongs; plug-ins may know it."""
    first = arguments[0]
    if first.startswith("-") or first in COMMANDS:
        return
    load_plugins()
    if first in COMMANDS:
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
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "attnviz"
    extra = "unexpected extra argument" in message and path == "attnviz inspect"
    hint = 'put the text in quotes: attnviz inspect "some text"' if extra else f"{path} --help"
    return UsageError(f"{message[:1].lower()}{message[1:]}", hint)
