"""Groups of options become parameters, and what was given on the command line is known."""

from __future__ import annotations

from dataclasses import dataclass
from inspect import signature
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from attnviz.cli.app import COMMANDS
from attnviz.cli.options.panels import INPUT, VIEW
from attnviz.cli.options.spread import Given, spread
from attnviz.errors import UsageError


@dataclass(frozen=True)
class Fruit:
    name: Annotated[str, typer.Argument(help="Its name.")]
    count: Annotated[int, INPUT.value("N", "How many.", min=1)] = 2


@dataclass(frozen=True)
class RipeFruit(Fruit):
    ripe: Annotated[bool, VIEW.flag("--ripe", "Only ripe ones.")] = False


def called(*words: str) -> list[object]:
    """What a command of these groups is called with."""
    seen: list[object] = []
    app = typer.Typer()

    def pick(given: Given, fruit: RipeFruit, loud: bool = False) -> None:
        """Pick fruit."""
        seen.extend((given.options, fruit, loud))

    app.command()(spread(pick))
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    return seen


def test_groups_are_made_of_what_was_given() -> None:
    given, fruit, loud = called("apple", "--count", "5", "--ripe")
    assert fruit == RipeFruit("apple", 5, True)
    assert loud is False
    assert given == {"name", "--count", "--ripe"}


def test_defaults_are_those_of_the_fields_and_were_not_given() -> None:
    given, fruit, _ = called("apple")
    assert fruit == RipeFruit("apple", 2, False)
    assert given == {"name"}
    assert called("apple", "--count", "2")[0] == {"name", "--count"}


def test_an_option_without_effect_is_refused() -> None:
    given = Given.__new__(Given)
    given.options = {"--ripe"}
    given.refuse("nuts", {"--count": "it is for fruit"})
    with pytest.raises(UsageError, match="--ripe has no effect on nuts") as error:
        given.refuse("nuts", {"--ripe": "it is for fruit"})
    assert error.value.hint == "it is for fruit"


def test_no_command_takes_more_than_a_few_groups() -> None:
    for name, command in COMMANDS.items():
        assert len(signature(command).parameters) <= 8, name
        assert len(signature(spread(command)).parameters) > 5, name
