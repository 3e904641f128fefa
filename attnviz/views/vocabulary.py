"""The names of views, one vocabulary for `--view` in every command.

A view of a capture is made by a function of a `Request`, one of ranked heads by a function of a
`HeadTable`, one of compared heads by a function of a `Comparing`. Each is registered by `shows` in
the module that BUILT_IN names; those of others come from the entry points `attnviz.plugins`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

from attnviz.errors import UsageError
from attnviz.plugins import load_plugins

if TYPE_CHECKING:
    from collections.abc import Callable

Subject = Literal["capture", "ranking", "comparison"]
F = TypeVar("F", bound="Callable[..., Any]")
Maker = Any  # a function, by the subject: see above


class BuiltIn(NamedTuple):
    """Where a view is made, and what it shows."""

    module: str
    meaning: str


BUILT_IN: dict[Subject, dict[str, BuiltIn]] = {
    "capture": {
        "auto": BuiltIn("build", "auto follows the selection"),
        "map": BuiltIn("build", "map or table shows one head"),
        "table": BuiltIn("build", ""),
        "grid": BuiltIn("build", "grid many maps"),
        "heads": BuiltIn("build", "heads what each head does"),
        "query": BuiltIn("build", "query where one --query looks in every head"),
        "arcs": BuiltIn("build", "arcs lines from queries to keys"),
        "matrix": BuiltIn("build", "matrix a score of all heads"),
    },
    "ranking": {
        "table": BuiltIn("heads.head_table", "table lists heads"),
        "matrix": BuiltIn("heads.head_table", "matrix shows the score of all, layers × heads"),
    },
    "comparison": {
        "table": BuiltIn("compare.within", "table lists groups"),
        "matrix": BuiltIn("compare.within", "matrix shows the distance of every two heads"),
    },
}
MAKERS: dict[tuple[Subject, str], Maker] = {}


def shows(name: str, of: Subject = "capture") -> Callable[[F], F]:
    """Register the function that makes the view of this name."""

    def register(maker: F) -> F:
        MAKERS[of, name] = maker
        return maker

    return register


def maker_of(name: str, of: Subject = "capture") -> Maker:
    """The function that makes the view of this name. Raises UsageError when there is none."""
    check_view(of, name)
    if (of, name) not in MAKERS:
        import_module(f"attnviz.views.{BUILT_IN[of][name].module}")
    return MAKERS[of, name]


def check_view(of: Subject, name: str) -> None:
    """Raise UsageError unless a view has this name; plug-ins are asked when none built in has."""
    if name in BUILT_IN[of] or (of, name) in MAKERS:
        return
    load_plugins()
    if (of, name) not in MAKERS:
        known = dict.fromkeys((*BUILT_IN[of], *(key for subject, key in MAKERS if subject == of)))
        raise UsageError(f"--view {name} is no view", f"there are {', '.join(known)}")


def meanings(of: Subject) -> str:
    """What the built-in views show, for a help text."""
    said = [view.meaning for view in BUILT_IN[of].values() if view.meaning]
    return f"{', '.join(said)}."
