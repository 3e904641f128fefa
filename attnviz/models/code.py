"""Code that a repository brings for its model or tokenizer."""

from __future__ import annotations

from typing import Any

# The package that transformers puts code from repositories into.
PACKAGE = "transformers_modules"


def is_remote(model: Any) -> bool:
    """Whether the class of a model or tokenizer comes from the code of its repository."""
    return type(model).__module__.partition(".")[0] == PACKAGE


def own_code(model: Any) -> list[str]:
    """The files of code that the config of a model or tokenizer names."""
    told = getattr(getattr(model, "config", None), "auto_map", None)
    if told is None:
        told = (getattr(model, "init_kwargs", None) or {}).get("auto_map")
    values = told.values() if isinstance(told, dict) else [told]
    paths = [one for value in values for one in (value if isinstance(value, list) else [value])]
    files = [path.rpartition(".")[0] for path in paths if isinstance(path, str)]
    return [f"{file}.py" for file in dict.fromkeys(files) if file]
