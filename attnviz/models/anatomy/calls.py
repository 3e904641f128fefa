"""What the arguments of a call tell of the attention that is computed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

    from attnviz.models.anatomy.names import Names


def argument(names: Names, given: Mapping[str, Any]) -> Any:
    """The first of these arguments that was given; None where none was."""
    return next((given[name] for name in names if given.get(name) is not None), None)


def setting(names: Names, given: Mapping[str, Any], module: nn.Module) -> Any:
    """The argument, else the attribute of the module that has one of these names."""
    value = argument(names, given)
    if value is None:
        kept = (getattr(module, name, None) for name in names)
        value = next((one for one in kept if one is not None), None)
    return value
