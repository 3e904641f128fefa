"""Where a model's weights go, and in which number format."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

from attnviz.errors import ModelError
from attnviz.models.device import pick_device, pick_dtype

if TYPE_CHECKING:
    import torch

DeviceMap = str | dict[str, Any]
MAPS = ("auto", "balanced", "balanced_low_0", "sequential")
BITS = ("8bit", "4bit")


@dataclass(frozen=True)
class Placement:
    """One device or a map of several, a dtype, and whether weights are quantized.

    With a map, or quantized, accelerate places the weights while they are read.
    """

    device: torch.device
    dtype: torch.dtype | Literal["auto"]
    device_map: DeviceMap | None = None
    quantize: str | None = None

    @property
    def options(self) -> dict[str, Any]:
        """The keyword arguments of `from_pretrained`."""
        found: dict[str, Any] = {"dtype": self.dtype}
        if self.device_map is not None:
            found["device_map"] = self.device_map
        elif self.quantize is not None:
            found["device_map"] = {"": self.device}
        if self.quantize is not None:
            from transformers import BitsAndBytesConfig

            bits = {f"load_in_{self.quantize}": True}
            config = BitsAndBytesConfig(**bits)  # type: ignore[no-untyped-call]
            found["quantization_config"] = config
        return found

    @property
    def while_reading(self) -> bool:
        """Whether the weights are placed while they are read: they must not be moved then."""
        return self.device_map is not None or self.quantize is not None


def place(device: str, dtype: str, device_map: DeviceMap | None, quantize: str | None) -> Placement:
    """The placement that the options ask for.

    Raises ModelError for what does not exist, for options that exclude each other, and where a
    package is missing.
    """
    if device_map is not None and device != "auto":
        raise ModelError(f"--device {device} and --device-map exclude each other", "choose one")
    if isinstance(device_map, str) and device_map not in MAPS:
        raise ModelError(f"{device_map!r} is not a device map", f"there are {', '.join(MAPS)}")
    if quantize is not None and quantize not in BITS:
        raise ModelError(f"{quantize!r} is no quantization", f"there are {', '.join(BITS)}")
    if quantize is not None:
        require("bitsandbytes", "--quantize", "quantize")
    if device_map is not None or quantize is not None:
        require("accelerate", "--device-map" if device_map is not None else "--quantize", "big")
    return Placement(pick_device(device), pick_dtype(dtype), device_map, quantize)


def is_quantized(model: object) -> bool:
    """Whether the weights were quantized when they were read."""
    return bool(getattr(model, "is_quantized", False))


def require(package: str, option: str, extra: str) -> None:
    """Raise ModelError unless the package is installed."""
    if find_spec(package) is None:
        raise ModelError(f"{option} needs the package {package}", f"pip install 'attnviz[{extra}]'")
