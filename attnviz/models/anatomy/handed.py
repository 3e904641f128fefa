"""Facts that users hand in for a class of models that tells them by other names."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnviz.errors import InputError, UsageError
from attnviz.models.anatomy.names import KNOWN, Anatomy

if TYPE_CHECKING:
    from collections.abc import Mapping

KINDS: dict[str, str] = {fact.name: str(fact.type) for fact in fields(Anatomy)}


def anatomy_of(facts: Mapping[str, Any] | None) -> Anatomy:
    """What is known of models, with these names tried first.

    A value is a name, several, or where the fact is a number that number. Raises UsageError for
    other values, and for facts that do not exist.
    """
    if not facts:
        return KNOWN
    handed = {fact: names_of(fact, value) for fact, value in facts.items()}
    return replace(KNOWN, **{fact: (*own, *getattr(KNOWN, fact)) for fact, own in handed.items()})


def names_of(fact: str, value: Any) -> tuple[str | int, ...]:
    """The names, or the number, that were handed in for a fact."""
    if fact not in KINDS:
        raise UsageError(f"anatomy knows no {fact!r}", f"there are {', '.join(KINDS)}")
    names = tuple(value) if isinstance(value, (list, tuple)) else (value,)
    counts = KINDS[fact] == "Numbers"
    if not names or not all(is_name(name) or (counts and is_count(name)) for name in names):
        raise UsageError(
            f"anatomy takes no {value!r} for {fact!r}",
            f"give its name{', ' if counts else ' or '}several names{' or the number' * counts}",
        )
    if KINDS[fact] == "Marks":
        require_patterns(fact, names)
    return names


def is_name(value: object) -> bool:
    """Whether it can be the name of something."""
    return isinstance(value, str) and bool(value.strip())


def is_count(value: object) -> bool:
    """Whether it can be a number of things, or an id."""
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def require_patterns(fact: str, patterns: tuple[Any, ...]) -> None:
    """Raise UsageError unless all of these are regular expressions."""
    for pattern in patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            raise UsageError(
                f"anatomy takes a regular expression for {fact!r}: {pattern!r} is none ({error})"
            ) from error


def read_anatomy(path: str | Path) -> Mapping[str, Any]:
    """The facts that a TOML file hands in, such as `heads = "n_chunks"`, for `anatomy_of`.

    Raises InputError for what is no TOML, UsageError like `anatomy_of`.
    """
    try:
        facts = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no TOML: {error}", 'write lines like heads = "n"') from error
    try:
        anatomy_of(facts)
    except UsageError as error:
        raise UsageError(f"{path}: {error.message}", error.hint) from error
    return facts


def missing(fact: str) -> str:
    """What to do where a fact of a model is not known."""
    kind = "name or number" if KINDS[fact] == "Numbers" else "name"
    return f"hand in its {kind}: attnviz.load(…, anatomy={{{fact!r}: …}}), or --anatomy FILE.toml"
