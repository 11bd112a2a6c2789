"""Colours of the page and of its drawings, on light and on dark paper.

They are those of the project's report. Only the ramp of alpha is the page's own.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

LIGHT = {
    "paper": "#fdfdfb",
    "panel": "#f3f3ef",
    "ink": "#222222",
    "soft": "#666666",
    "rule": "#dcdcd6",
    "edge": "#8b8b86",
    "accent": "#0072b2",
    "wrong": "#b75100",
}
DARK = {
    "paper": "#16181c",
    "panel": "#20242a",
    "ink": "#e7e5e0",
    "soft": "#9a9a9a",
    "rule": "#343a42",
    "edge": "#686e77",
    "accent": "#57a2cc",
    "wrong": "#d96c17",
}

# Area, and its outline on light and on dark paper, where that has to be darker or paler.
_MARKS = {
    "H3K27me3": ("#d55e00", "#d55e00", "#d55e00"),
    "H3K36me3": ("#009e73", "#009e73", "#009e73"),
    "H3K4me1": ("#56b4e9", "#4a9bc8", "#56b4e9"),
    "H3K4me3": ("#0072b2", "#0072b2", "#0072b2"),
    "H3K9me3": ("#e69f00", "#c48700", "#e69f00"),
    "H3K27ac": ("#cc79a7", "#cc79a7", "#cc79a7"),
}
_OTHER_MARK = ("#555555", "#555555", "#646464")
# What raises and what lowers the answer, on light and on dark paper: no mark has these.
_SIGNS = {"raises": ("#332288", "#8378b6"), "lowers": ("#6b4c11", "#947e54")}
MARK_CLASSES = (*(f"mark-{i}" for i in range(len(_MARKS))), "mark-other")

# Lightness, chroma and hue (OKLCH) that the ramps run through, from paper to the other end.
_LIGHT_STOPS = (
    (0.972, 0.009, 190),
    (0.83, 0.062, 200),
    (0.63, 0.105, 235),
    (0.42, 0.13, 266),
    (0.25, 0.1, 285),
)
_DARK_STOPS = (
    (0.245, 0.014, 262),
    (0.4, 0.115, 274),
    (0.6, 0.12, 240),
    (0.8, 0.085, 195),
    (0.96, 0.045, 160),
)
_RAMP_STEPS = 33


def mark_class(mark: str) -> str:
    """The class of whatever is drawn in the colour of a mark; one for all that have none."""
    return f"mark-{list(_MARKS).index(mark)}" if mark in _MARKS else "mark-other"


def ramp_level(share: float) -> int:
    """The step of the ramp, from 0, for a value as a share, 0 to 1, of the highest."""
    return round(min(1.0, max(0.0, share)) * (_RAMP_STEPS - 1))


def ramp(stops: Sequence[tuple[float, float, float]] = _LIGHT_STOPS) -> list[str]:
    """Colours from low to high, each as different from the next as any other.

    Lightness falls, or rises, all the way: the order is seen with any colour vision, and in grey.

    Args:
        stops: Lightness, chroma and hue in degrees (OKLCH) to run through.

    Reference: Ottosson, A perceptual color space for image processing, 2020 (Oklab).
    """
    points = [
        (light, c * math.cos(math.radians(hue)), c * math.sin(math.radians(hue)))
        for light, c, hue in stops
    ]
    lengths = [math.dist(a, b) for a, b in pairwise(points)]
    colours = []
    for i in range(_RAMP_STEPS):
        along = sum(lengths) * i / (_RAMP_STEPS - 1)
        part = 0
        while part < len(lengths) - 1 and along > lengths[part]:
            along -= lengths[part]
            part += 1
        share = along / lengths[part]
        low, high = points[part], points[part + 1]
        colours.append(_hex(*(a + share * (b - a) for a, b in zip(low, high, strict=True))))
    return colours


def _hex(light: float, a: float, b: float) -> str:
    """An Oklab colour as `#rrggbb`."""
    long = (light + 0.3963377774 * a + 0.2158037573 * b) ** 3
    middle = (light - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (light - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = (
        4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short,
    )
    channels = []
    for value in linear:
        value = min(1.0, max(0.0, value))
        value = 12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055
        channels.append(f"{round(255 * value):02x}")
    return "#" + "".join(channels)


def light_colours() -> dict[str, str]:
    """Every colour by name, on light paper.

    The page's, `mark-N`, `mark-N-line`, `alpha-N`, `raises` and `lowers`.
    """
    return _colours(LIGHT, 0, _LIGHT_STOPS)


def dark_colours() -> dict[str, str]:
    """Likewise on dark paper."""
    return _colours(DARK, 1, _DARK_STOPS)


def _colours(
    page: dict[str, str], paper: int, stops: Sequence[tuple[float, float, float]]
) -> dict[str, str]:
    colours = dict(page)
    for name, colours_of in zip(MARK_CLASSES, (*_MARKS.values(), _OTHER_MARK), strict=True):
        colours[name] = colours_of[0]
        colours[f"{name}-line"] = colours_of[1 + paper]
    for level, colour in enumerate(ramp(stops)):
        colours[f"alpha-{level}"] = colour
    colours |= {name: of_papers[paper] for name, of_papers in _SIGNS.items()}
    return colours
