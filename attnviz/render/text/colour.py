"""What can be told of a colour."""

from __future__ import annotations


def luminance(rgb: tuple[int, int, int]) -> float:
    """How light a colour looks, 0 to 1 (sRGB weights of ITU-R BT.709 on gamma values)."""
    red, green, blue = rgb
    return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255
