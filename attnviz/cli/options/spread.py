"""Commands whose parameters are groups of options: a dataclass each, spread for typer."""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import TYPE_CHECKING, Any, get_type_hints

import typer

from attnviz.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


class Given:
    """The options that stood on the command line; a parameter of this type is given it."""

    def __init__(self, context: typer.Context) -> None:
        self.options = {
            option
            for parameter in context.command.params
            if (source := context.get_parameter_source(parameter.name or "")) is not None
            and source.name == "COMMANDLINE"
            for option in parameter.opts
        }

    def refuse(self, what: str, idle: Mapping[str, str]) -> None:
        """Raise UsageError for the first given of these options, which have no effect on `what`.

        The value of each says where it has one.
        """
        for option, where in idle.items():
            if option in self.options:
                raise UsageError(f"{option} has no effect on {what}", where)


def spread(command: Callable[..., None]) -> Callable[..., None]:
    """The command as typer calls it: the fields of its groups are parameters of their own.

    A group is a dataclass whose fields are annotated as parameters of typer are.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if is_dataclass(hint)}

    @wraps(command)
    def called(context: typer.Context, **values: Any) -> None:
        for name, group in groups.items():
            values[name] = group(**{field.name: values.pop(field.name) for field in fields(group)})
        for name, hint in hints.items():
            if hint is Given:
                values[name] = Given(context)
        command(**values)

    parameters = [
        Parameter("context", Parameter.KEYWORD_ONLY, annotation=typer.Context),
        *(
            parameter
            for declared in signature(command).parameters.values()
            for parameter in spread_out(declared, hints[declared.name])
        ),
    ]
    called.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    called.__annotations__ = {one.name: one.annotation for one in parameters}
    return called


def spread_out(declared: Parameter, hint: Any) -> Iterator[Parameter]:
    """The parameters that one of the command stands for: itself, or the fields of its group."""
    if hint is Given:
        return
    if not is_dataclass(hint):
        yield declared.replace(kind=Parameter.KEYWORD_ONLY, annotation=hint)
        return
    hints = get_type_hints(hint, include_extras=True)
    for field in fields(hint):
        default = Parameter.empty if field.default is MISSING else field.default
        yield Parameter(
            field.name, Parameter.KEYWORD_ONLY, default=default, annotation=hints[field.name]
        )
