"""A gene as a drawing: of each mark the signal, below it alpha and contributions, beside it beta.

Here is where everything goes; `templates/drawings.svg` draws it. On the page the style sheets
theme.css, the colours, and figure.css, the rules, belong to it; `standalone` makes a file that has
them inside.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup

from serving.web.gene_picture import GenePicture, Region
from serving.web.numbers import MINUS, signed_decimals
from serving.web.rendering import environment, mark_class, rounded

_STATIC = Path(__file__).parent / "static"
_HIGHEST_LEVEL = 32
HIGHEST_EXPRESSION = 12
"""Where scales of log2(expression + 1) end: at 4,095."""


@dataclass(frozen=True)
class _Layout:
    """Where everything goes; beta has one scale for all marks and genes, from 0 to 1."""

    width: float
    left: float
    right: float
    top: float
    head: float
    area: float
    strip: float
    sums: float
    gap: float
    is_narrow: bool
    beta_x: float
    beta_room: float
    beta_gap: float = 24.0
    strip_gap: float = 3.0
    sums_key: float = 24.0

    @property
    def row(self) -> float:
        return self.head + self.area + self.strip + self.sums + self.gap

    def to_x(self, num_bins: int, bin_: float) -> float:
        return self.left + (self.right - self.left) * bin_ / num_bins

    def outline(self, values: np.ndarray, zero: float, scale: float) -> str:
        """A path around bars from a line of zero, up where a value is positive."""
        steps = "".join(
            f"V{rounded(zero - value * scale)}H{rounded(self.to_x(len(values), i + 1))}"
            for i, value in enumerate(values.astype(float))
        )
        return f"M{rounded(self.left)} {rounded(zero)}{steps}V{rounded(zero)}Z"


def _layout(picture: GenePicture, is_narrow: bool) -> _Layout:
    has_alpha, has_beta = picture.alpha is not None, picture.beta is not None
    sums = 0.0 if picture.contribution is None else 29.0
    if is_narrow:
        beta_x = 216.0 if picture.beta_sd is None else 158.0
        strip = 17.0 if has_alpha else 0.0
        return _Layout(344, 36.0, 336.0, 26, 20, 38, strip, sums, 14, True, beta_x, 56.0)
    # Bins of 100 are whole pixels wide where the drawing has its full size.
    right, strip = 718.0 if has_beta else 918.0, 19.0 if has_alpha else 0.0
    return _Layout(920, 118.0, right, 30, 0, 46, strip, sums, 16, False, right + 24, 99.0)


class _Drawing(NamedTuple):
    """What the template draws: rows of marks, from top to bottom, and what lies around them."""

    picture: GenePicture
    layout: _Layout
    rows: list[dict[str, Any]]
    bottom: float
    height: float
    tss: float | None
    ticks: list[tuple[float, str]]
    highest_alpha: float
    highest_sum: float


def draw_gene(picture: GenePicture, *, is_narrow: bool = False) -> Markup:
    """Draw a gene as SVG, 920 units wide, or 344 for a phone."""
    return _drawn("gene", _drawing(picture, is_narrow))


def standalone(picture: GenePicture, heading: str, about: str) -> str:
    """The drawing as an SVG file, on white, under a heading.

    Args:
        picture: The gene.
        heading: A line in larger type, such as the gene and its probability.
        about: A line below it, such as the model.
    """
    svg = _drawn("file", _drawing(picture, False), heading, about, Markup(_light_css()))
    return f'<?xml version="1.0" encoding="UTF-8"?>{svg}'


def _light_css() -> str:
    """The rules, with the light colours in place of their names, which few programs know."""
    light, _, _ = (_STATIC / "theme.css").read_text().partition("@media")
    colours = dict(re.findall(r"--([\w-]+): (#\w+);", light))
    rules = (_STATIC / "figure.css").read_text()
    return re.sub(r"var\(--([\w-]+)\)", lambda name: colours[name[1]], rules)


def draw_probability(probability: float, sd: float | None = None) -> Markup:
    """A scale from 0 to 1 with the probability, and its standard deviation where there is one."""
    ticks = ((0, "0 low"), (0.5, "0.5"), (1, "high 1"))
    return _drawn("gauge", _share(probability), _span(probability, sd), "middle", 0.5, 8, ticks)


def draw_expression(answer: float, sd: float | None, unit: str, measured: float | None) -> Markup:
    """A scale of log2(expression + 1), written in expression, with the answer as a dot.

    Args:
        answer: The prediction, on that scale.
        sd: Its standard deviation, where there is one.
        unit: Of expression.
        measured: What was measured, on that scale, as a line; None where nobody knows.
    """
    highest = HIGHEST_EXPRESSION
    ticks = [(value / highest, f"{2**value - 1:,}") for value in range(0, highest + 1, 4)]
    ticks[0] = (0, f"0 {unit}")  # where there is room for it
    span = _span(answer / highest, None if sd is None else sd / highest)
    line = None if measured is None else _share(measured / highest)
    return _drawn("gauge", _share(answer / highest), span, "tss", line, 9, ticks)


def draw_bar(share: float) -> Markup:
    """A share of 1, such as a probability, as a bar for a row of a table."""
    return _drawn("bar", _share(share))


def ramp_level(share: float) -> int:
    """The step of the ramp of alpha, from 0, for a value as a share, 0 to 1, of the highest."""
    return round(_share(share) * _HIGHEST_LEVEL)


def _drawn(macro: str, *arguments: Any) -> Markup:
    return Markup(getattr(environment.get_template("drawings.svg").module, macro)(*arguments))


def _share(value: float) -> float:
    return min(1.0, max(0.0, value))


def _span(value: float, sd: float | None) -> tuple[float, float] | None:
    """What lies within a standard deviation, on a scale from 0 to 1."""
    return None if sd is None else (_share(value - sd), _share(value + sd))


def _drawing(picture: GenePicture, is_narrow: bool) -> _Drawing:
    layout, region = _layout(picture, is_narrow), picture.region
    # Attention that is about even everywhere is pale, not at full strength.
    even = 1 / region.num_bins
    highest_alpha = 0.0 if picture.alpha is None else max(float(picture.alpha.max()), 4 * even)
    rows = [_row(picture, layout, mark, highest_alpha) for mark in range(len(picture.marks))]
    if picture.contribution is not None:
        for row, drawn in zip(rows, _contributions(picture.contribution, layout), strict=True):
            row |= drawn
    bottom = layout.top + len(rows) * layout.row
    # The axis, its label, and on a phone the key of alpha.
    below = 76 if is_narrow and picture.alpha is not None else 44
    if picture.contribution is not None:
        below += int(layout.sums_key)
    at = region.tss_bin
    return _Drawing(
        picture,
        layout,
        rows,
        bottom,
        bottom + below,
        None if at is None or not 0 <= at <= region.num_bins else layout.to_x(region.num_bins, at),
        [
            (layout.to_x(region.num_bins, bin_), text)
            for bin_, text in _ticks(region, 5 if is_narrow else 10)
        ],
        highest_alpha,
        0.0 if picture.contribution is None else float(np.abs(picture.contribution).max()),
    )


def _row(picture: GenePicture, layout: _Layout, mark: int, highest_alpha: float) -> dict[str, Any]:
    top = layout.top + mark * layout.row
    base = top + layout.head + layout.area
    signal = picture.signal[:, mark].astype(float)
    low = min(0.0, float(signal.min()))
    # An empty mark gets a scale, too: one read.
    high = max(1.0, float(signal.max()))
    scale = layout.area / (high - low)
    zero = base + low * scale
    beta = None if picture.beta is None else float(picture.beta[mark])
    sd = None if picture.beta_sd is None else float(picture.beta_sd[mark])
    return {
        "name": picture.marks[mark],
        "class": mark_class(picture.marks[mark]),
        "top": top,
        "middle": base - layout.area / 2,
        "base": base,
        "zero": zero,
        "high": high,
        "signal": layout.outline(signal, zero, scale),
        "alpha": []
        if picture.alpha is None
        else _cells(picture.alpha[mark] / highest_alpha, layout),
        "beta": beta,
        "beta_span": None if beta is None else _span(beta, sd),
    }


def _cells(shares: np.ndarray, layout: _Layout) -> list[tuple[int, list[tuple[float, float]]]]:
    """For each step of the ramp the left edges and widths of what has its colour."""
    cells: dict[int, list[tuple[float, float]]] = {}
    end = 0
    for level, run in groupby(ramp_level(float(share)) for share in shares):
        start, end = end, end + len(list(run))
        x = layout.to_x(len(shares), start)
        cells.setdefault(level, []).append((x, layout.to_x(len(shares), end) - x))
    return sorted(cells.items())


def _contributions(contribution: np.ndarray, layout: _Layout) -> Iterator[dict[str, Any]]:
    """Of each mark bars from a line of zero, up and down, on one scale for all marks."""
    low = min(0.0, float(contribution.min()))
    high = max(0.0, float(contribution.max()), low + 1e-30)
    scale = (layout.sums - layout.strip_gap) / (high - low)
    for mark, values in enumerate(contribution.astype(float)):
        zero = layout.top + (mark + 1) * layout.row - layout.gap + low * scale
        yield {
            "zero_of_sums": zero,
            "raises": layout.outline(values.clip(min=0), zero, scale),
            "lowers": layout.outline(values.clip(max=0), zero, scale),
            "total": signed_decimals(float(values.sum())),
        }


def _ticks(region: Region, number: int) -> Sequence[tuple[float, str]]:
    """Places on the axis, in bins from its start, and what stands there."""
    if region.tss_bin is None or region.bin_bp is None or region.flank_bp is None:
        step = max(1, int(_round_step(region.num_bins / number)))
        counted = sorted({1, *range(step, region.num_bins + 1, step)})
        return [(bin_ - 0.5, str(bin_)) for bin_ in counted]
    low = -region.flank_bp / 1000
    high = low + region.num_bins * region.bin_bp / 1000
    step_kb = _round_step((high - low) / number)
    first, last = math.ceil(low / step_kb - 1e-9), math.floor(high / step_kb + 1e-9)
    return [
        ((i * step_kb - low) * 1000 / region.bin_bp, f"{i * step_kb:.6g}".replace("-", MINUS))
        for i in range(first, last + 1)
    ]


def _round_step(rough: float) -> float:
    power: float = 10.0 ** math.floor(math.log10(rough))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.999)
