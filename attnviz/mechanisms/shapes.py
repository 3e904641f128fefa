"""What the shapes of the arguments must be, said in the words of the arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnviz.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor


def shown(tensor: Tensor) -> str:
    """The shape as people write it: `2 × 3`."""
    return " × ".join(str(size) for size in tensor.shape) or "a single number"


def require_matrices(**given: Tensor) -> None:
    """Raise InputError for a tensor that does not have a row per token."""
    for name, tensor in given.items():
        if tensor.ndim < 2:
            raise InputError(
                f"{name} is {shown(tensor)}", f"{name} has one row per token: tokens × dimensions"
            )


def require_shape(name: str, tensor: Tensor, *wanted: tuple[str, int]) -> None:
    """Raise InputError unless the tensor ends in these named sizes."""
    sizes = tuple(size for _, size in wanted)
    if tuple(tensor.shape[-len(sizes) :]) != sizes:
        meaning = " × ".join(f"{size} ({what})" for what, size in wanted)
        raise InputError(f"{name} is {shown(tensor)}", f"it must be {meaning}")


def require_same(what: str, dim: int, **given: Tensor) -> None:
    """Raise InputError unless two tensors agree in one dimension."""
    (first, one), (second, other) = given.items()
    if one.shape[dim] != other.shape[dim]:
        raise InputError(
            f"{first} is {shown(one)} and {second} is {shown(other)}",
            f"they must have the same number of {what}",
        )
