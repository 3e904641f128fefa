"""Colour ramps as literal RGB, and glyph ramps for terminals without colour."""

from __future__ import annotations

from functools import lru_cache

RGB = tuple[int, int, int]

# 32 even samples of matplotlib's maps: lightness rises evenly, safe for colour blindness.
# fmt: off
VIRIDIS: tuple[RGB, ...] = (
    (68, 1, 84), (71, 13, 96), (72, 24, 106), (72, 35, 116), (71, 46, 124), (69, 56, 130),
    (66, 65, 134), (62, 74, 137), (58, 84, 140), (54, 93, 141), (50, 101, 142), (46, 109, 142),
    (43, 117, 142), (40, 125, 142), (37, 132, 142), (34, 140, 141), (31, 148, 140), (30, 156, 137),
    (32, 163, 134), (37, 171, 130), (46, 179, 124), (58, 186, 118), (72, 193, 110), (88, 199, 101),
    (108, 205, 90), (127, 211, 78), (147, 215, 65), (168, 219, 52), (192, 223, 37), (213, 226, 26),
    (234, 229, 26), (253, 231, 37),
)
CIVIDIS: tuple[RGB, ...] = (
    (0, 34, 78), (0, 40, 91), (0, 46, 106), (5, 51, 113), (28, 57, 111), (41, 63, 110),
    (51, 68, 109), (60, 74, 108), (69, 80, 108), (77, 85, 108), (85, 91, 109), (92, 97, 110),
    (100, 103, 112), (107, 109, 114), (114, 114, 116), (120, 120, 119), (128, 127, 120),
    (136, 133, 120), (144, 139, 120), (151, 145, 119), (160, 152, 117), (168, 158, 115),
    (176, 165, 113), (185, 171, 109), (194, 179, 105), (203, 185, 101), (211, 192, 95),
    (220, 200, 89), (230, 208, 81), (239, 215, 72), (248, 223, 60), (254, 232, 56),
)
# fmt: on
# Blue below 0, orange above, dark around it: apart for colour-blind people too.
DIVERGING: tuple[RGB, ...] = (
    (110, 185, 255),
    (52, 105, 180),
    (30, 30, 34),
    (176, 82, 36),
    (255, 158, 84),
)  # fmt: skip
RAMPS = {"viridis": VIRIDIS, "cividis": CIVIDIS, "diverging": DIVERGING}
SINK_GREY: tuple[RGB, RGB] = ((30, 30, 34), (176, 176, 180))
BLOCKS = " ░▒▓█"
SIGNS = "=- +#"
ASCII = " .:-=+*#%@"
LEVELS = 64


@lru_cache(maxsize=4096)
def colour(place: float, ramp: str = "viridis") -> RGB:
    """The colour at a place between 0 and 1 of a ramp."""
    stops = RAMPS[ramp]
    at = min(max(place, 0.0), 1.0) * (len(stops) - 1)
    low = min(int(at), len(stops) - 2)
    return mixed(stops[low], stops[low + 1], at - low)


def grey(place: float) -> RGB:
    """The grey of a sink column for a weight between 0 and 1."""
    return mixed(*SINK_GREY, min(max(place, 0.0), 1.0))


def mixed(first: RGB, second: RGB, share: float) -> RGB:
    """`share` of the second colour in the first."""
    r, g, b = (round(a + (c - a) * share) for a, c in zip(first, second, strict=True))
    return r, g, b


def glyph(place: float, ramp: str) -> str:
    """The character of a glyph ramp for a place between 0 and 1; the first is for nearly 0."""
    return ramp[min(int(min(max(place, 0.0), 1.0) * len(ramp)), len(ramp) - 1)]
