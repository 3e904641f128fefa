"""JSON read as the types that it was written from."""

from __future__ import annotations

import dataclasses
import reprlib
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

INT64 = range(-(2**63), 2**63)


def typed(value: Any, hint: Any, at: str) -> Any:
    """The value as a `hint` says: objects as dataclasses, lists as tuples.

    Hints are dataclasses whose fields are bool, int (of 64 bits), float, str, a `Literal` of
    texts, an int `Annotated` with its range, one of these `| None`, tuples and dicts of these, and
    Any. A field with a default may be absent. Raises ValueError that names the place, from `at`
    on, of whatever is something else.
    """
    read = _READERS.get(get_origin(hint))
    if read is not None:
        return read(value, get_args(hint), at)
    if dataclasses.is_dataclass(hint):
        return _record(value, hint, at)
    if hint is Any:
        return value
    if hint is float and type(value) is int and value in INT64:
        return float(value)
    if type(value) is not hint or (hint is int and value not in INT64):
        raise _other(value, hint.__name__, at)
    return value


def _other(value: Any, wanted: str, at: str) -> ValueError:
    return ValueError(f"{at} is {reprlib.repr(value)}, not {wanted}")


def _record(value: Any, hint: Any, at: str) -> Any:
    hints = _hints(hint)
    given = _object(value, at)
    unknown = [name for name in given if name not in hints]
    if unknown:
        raise ValueError(f"{at} has an unknown field {reprlib.repr(unknown[0])}")
    for field in dataclasses.fields(hint):
        optional = field.default, field.default_factory
        if field.name not in given and optional == (dataclasses.MISSING, dataclasses.MISSING):
            raise ValueError(f"{at}.{field.name} is missing")
    return hint(**{name: typed(one, hints[name], f"{at}.{name}") for name, one in given.items()})


@cache
def _hints(hint: Any) -> dict[str, Any]:
    return get_type_hints(hint, include_extras=True)


def _object(value: Any, at: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _other(value, "an object", at)
    return value


def _list(value: Any, hints: tuple[Any, ...], at: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise _other(value, "a list", at)
    if hints[-1] is not Ellipsis:
        if len(value) != len(hints):
            raise _other(value, f"a list of {len(hints)}", at)
        return tuple(typed(one, hint, at) for one, hint in zip(value, hints, strict=True))
    if hints[0] in (str, bool) and {*map(type, value)} <= {hints[0]}:
        return tuple(value)  # the labels of a long text, at once
    return tuple(typed(one, hints[0], at) for one in value)


def _dict(value: Any, hints: tuple[Any, ...], at: str) -> dict[str, Any]:
    return {name: typed(one, hints[1], f"{at}.{name}") for name, one in _object(value, at).items()}


def _optional(value: Any, hints: tuple[Any, ...], at: str) -> Any:
    [hint] = (one for one in hints if one is not NoneType)
    return None if value is None else typed(value, hint, at)


def _literal(value: Any, allowed: tuple[Any, ...], at: str) -> str:
    if not isinstance(value, str) or value not in allowed:
        raise _other(value, " or ".join(allowed), at)
    return value


def _bounded(value: Any, hints: tuple[Any, ...], at: str) -> int:
    number: int = typed(value, hints[0], at)
    if number not in hints[1]:
        raise _other(value, f"from {hints[1].start} to {hints[1].stop - 1}", at)
    return number


_READERS = {
    tuple: _list,
    dict: _dict,
    UnionType: _optional,
    Union: _optional,
    Literal: _literal,
    Annotated: _bounded,
}
