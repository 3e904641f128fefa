"""Which device a model runs on, and in which number format."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from attnviz.errors import ModelError

if TYPE_CHECKING:
    import torch

DTYPES = ("auto", "float32", "bfloat16", "float16")


def pick_device(name: str = "auto") -> torch.device:
    """The device called `name`; `auto` is the first of cuda, mps and cpu that is there."""
    import torch

    if name == "auto":
        return torch.device(best_device())
    if not re.fullmatch(r"cpu|mps|cuda(:\d+)?", name):
        raise ModelError(f"{name!r} is not a device", "devices are auto, cpu, cuda, cuda:1, mps")
    device = torch.device(name)
    if device.type == "cuda":
        check_cuda(device)
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise ModelError("mps is not available on this machine", "leave --device out, or give cpu")
    return device


def best_device() -> str:
    """`cuda` where there is one, else `mps`, else `cpu`."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def check_cuda(device: torch.device) -> None:
    """Raise ModelError when this torch cannot reach that GPU."""
    import torch

    hint = "leave --device out, or give cpu"
    if not torch.cuda.is_available():
        built = "sees no GPU" if torch.version.cuda else "is built without CUDA"
        raise ModelError(f"{device} is not available: torch {torch.__version__} {built}", hint)
    count = torch.cuda.device_count()
    if device.index is not None and device.index >= count:
        raise ModelError(
            f"{device} does not exist: there {'is 1 GPU' if count == 1 else f'are {count} GPUs'}",
            f"the last one is cuda:{count - 1}",
        )


def pick_dtype(name: str = "auto") -> torch.dtype | Literal["auto"]:
    """What `from_pretrained` takes as dtype; `auto` keeps the checkpoint's own."""
    import torch

    if name not in DTYPES:
        raise ModelError(f"{name!r} is not a dtype", f"dtypes are {', '.join(DTYPES)}")
    if name == "auto":
        return "auto"
    dtype = getattr(torch, name)
    assert isinstance(dtype, torch.dtype)
    return dtype
