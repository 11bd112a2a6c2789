"""A gene as a drawing: of each mark the signal, below it alpha and contributions, beside it beta.

Drawings are SVG for a page whose style sheet has the rules of `figure_css`; `standalone` makes a
file of one, with the rules inside.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape

from serving.web.gene_picture import GenePicture, Region
from serving.web.numbers import MINUS, brief, signed_decimals
from serving.web.palette import MARK_CLASSES, light_colours, mark_class, ramp_level
from serving.web.svg import clean, element, path, rounded, text_at

_FONT = (
    "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Liberation Sans', Arial, "
    "sans-serif"
)
_LEVELS = range(ramp_level(1.0) + 1)
HIGHEST_EXPRESSION = 12
"""Where scales of log2(expression + 1) end: at 4,095."""


@dataclass(frozen=True)
class _Layout:
    """Where everything goes."""

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

    @property
    def row(self) -> float:
        return self.head + self.area + self.strip + self.sums + self.gap


_STRIP_GAP = 3
# Beta has one scale for all marks and genes, from 0 to 1.
_BETA_GAP, _BETA_ROOM = 24.0, 99.0


def _layout(picture: GenePicture, is_narrow: bool) -> _Layout:
    has_alpha, has_beta = picture.alpha is not None, picture.beta is not None
    sums = 0.0 if picture.contribution is None else 26.0 + _STRIP_GAP
    if is_narrow:
        strip = 14 + _STRIP_GAP if has_alpha else 0
        return _Layout(344, 36, 336, 26, 20, 38, strip, sums, 14, True)
    strip = 16 + _STRIP_GAP if has_alpha else 0
    # Bins of 100 are whole pixels wide where the drawing has its full size.
    return _Layout(920, 118, 718 if has_beta else 918, 30, 0, 46, strip, sums, 16, False)


def draw_gene(picture: GenePicture, *, is_narrow: bool = False) -> Markup:
    """Draw a gene as SVG, 920 units wide, or 344 for a phone."""
    content, layout, height = _drawing(picture, is_narrow)
    kind = "narrow" if is_narrow else "wide"
    return element(
        "svg",
        content + element("rect", class_="cursor", y=layout.top - 4, width=0, height=0),
        class_=f"gene {kind}",
        viewBox=f"0 0 {layout.width} {height}",
        role="img",
        # No title element: browsers would show it as a tooltip, over the values under the pointer.
        aria_label=clean(f"Signal and attention of {picture.name}. {picture.summary}"),
        data_left=layout.left,
        data_right=layout.right,
        data_bottom=layout.top + len(picture.marks) * layout.row,
    )


def standalone(picture: GenePicture, heading: str, about: str) -> str:
    """The drawing as an SVG file, on white, under a heading.

    Args:
        picture: The gene.
        heading: A line in larger type, such as the gene and its probability.
        about: A line below it, such as the model.
    """
    content, layout, height = _drawing(picture, False)
    above, margin = 54, 16
    style = figure_css(light_colours().__getitem__)
    box = (-margin, -above - margin, layout.width + 2 * margin, height + above + 2 * margin)
    root = element(
        "svg",
        Markup("").join(
            (
                element("title", escape(clean(heading))),
                element("desc", escape(clean(picture.summary))),
                element("style", Markup(style)),
                element("rect", x=box[0], y=box[1], width=box[2], height=box[3], fill="#ffffff"),
                text_at(heading, 0, 18 - above, "heading"),
                text_at(about, 0, 38 - above, "label"),
                content,
            )
        ),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=" ".join(map(rounded, box)),
        width=box[2],
        height=box[3],
    )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{root}\n'


def draw_probability(probability: float, sd: float | None = None) -> Markup:
    """A scale from 0 to 1 with the probability, and its standard deviation where there is one."""
    left, right, y = 8.0, 232.0, 12.0

    def at(value: float) -> float:
        return left + (right - left) * min(1.0, max(0.0, value))

    parts = [
        element("rect", class_="track", x=left, y=y - 3, width=right - left, height=6, rx=3),
        element(
            "rect", class_="filled", x=left, y=y - 3, width=at(probability) - left, height=6, rx=3
        ),
        path("middle", f"M{rounded(at(0.5))} {y - 8}v16"),
    ]
    if sd is not None:
        low, high = rounded(at(probability - sd)), rounded(at(probability + sd))
        parts.append(path("whisker", f"M{low} {y}H{high}M{low} {y - 5}v10M{high} {y - 5}v10"))
    parts += [
        element("circle", class_="dot", cx=at(probability), cy=y, r=6),
        text_at("0 low", left, y + 22, "tick"),
        text_at("0.5", at(0.5), y + 22, "tick", anchor="middle"),
        text_at("high 1", right, y + 22, "tick", anchor="end"),
    ]
    return element(
        "svg", Markup("").join(parts), class_="gauge", viewBox="0 0 240 40", aria_hidden="true"
    )


def draw_expression(answer: float, sd: float | None, unit: str, measured: float | None) -> Markup:
    """A scale of log2(expression + 1), written in expression, with the answer as a dot.

    Args:
        answer: The prediction, on that scale.
        sd: Its standard deviation, where there is one.
        unit: Of expression.
        measured: What was measured, on that scale, as a line; None where nobody knows.
    """
    left, right, y = 8.0, 232.0, 12.0

    def at(value: float) -> float:
        return left + (right - left) * min(1.0, max(0.0, value / HIGHEST_EXPRESSION))

    parts = [
        element("rect", class_="track", x=left, y=y - 3, width=right - left, height=6, rx=3),
        element("rect", class_="filled", x=left, y=y - 3, width=at(answer) - left, height=6, rx=3),
    ]
    if sd is not None:
        low, high = rounded(at(answer - sd)), rounded(at(answer + sd))
        parts.append(path("whisker", f"M{low} {y}H{high}M{low} {y - 5}v10M{high} {y - 5}v10"))
    if measured is not None:
        parts.append(path("tss", f"M{rounded(at(measured))} {y - 9}v18"))
    parts.append(element("circle", class_="dot", cx=at(answer), cy=y, r=6))
    for value in range(0, HIGHEST_EXPRESSION + 1, 4):
        amount = f"{2**value - 1:,}"
        anchor = {0: "start", HIGHEST_EXPRESSION: "end"}.get(value, "middle")
        # Where there is room for it.
        text = amount if value else f"{amount} {unit}"
        parts.append(text_at(text, at(value), y + 22, "tick", anchor=anchor))
    return element(
        "svg", Markup("").join(parts), class_="gauge", viewBox="0 0 240 40", aria_hidden="true"
    )


def draw_bar(share: float) -> Markup:
    """A share of 1, such as a probability, as a bar for a row of a table."""
    parts = (
        element("rect", class_="track", width=64, height=8, rx=1),
        element("rect", class_="filled", width=64 * min(1.0, max(0.0, share)), height=8, rx=1),
        path("middle", "M32 0v8"),
    )
    return element(
        "svg", Markup("").join(parts), class_="bar", viewBox="0 0 64 8", aria_hidden="true"
    )


def figure_css(colour: Callable[[str], str]) -> str:
    """The rules of the drawings.

    Args:
        colour: What stands for a colour of the palette, by its name: itself, or a variable.
    """
    of_marks = "".join(
        f".{name} .signal,.{name} .beta{{fill:{colour(name)};stroke:{colour(f'{name}-line')}}}"
        for name in MARK_CLASSES
    )
    of_levels = "".join(f".a{level}{{fill:{colour(f'alpha-{level}')}}}" for level in _LEVELS)
    ink, soft, edge = colour("ink"), colour("soft"), colour("edge")
    accent = colour("accent")
    return (
        f"svg text{{font-family:{_FONT}}}"
        f".heading{{font-size:18px;font-weight:600;fill:{ink}}}"
        f".name{{font-size:13px;font-weight:600;fill:{ink}}}"
        f".tick{{font-size:11px;fill:{soft};font-variant-numeric:tabular-nums}}"
        f".value{{font-size:12px;fill:{ink};font-variant-numeric:tabular-nums}}"
        f".label{{font-size:12px;fill:{soft}}}"
        f".axis{{fill:none;stroke:{edge};stroke-width:1}}"
        f".frame{{fill:none;stroke:{colour('rule')};stroke-width:1}}"
        f".guide{{fill:none;stroke:{edge};stroke-width:1.2;stroke-dasharray:1.5 3.5;"
        "stroke-linecap:round}"
        f".tss{{fill:none;stroke:{ink};stroke-width:1.3}}.head{{fill:{ink}}}"
        ".signal{fill-opacity:.72;stroke-width:1;stroke-linejoin:round}"
        ".beta{fill-opacity:.85;stroke-width:1}"
        ".heat,.contribution{shape-rendering:crispEdges}"
        f".whisker{{fill:none;stroke:{ink};stroke-width:1.2}}"
        f".track{{fill:{colour('panel')};stroke:{colour('rule')};stroke-width:1}}"
        f".filled{{fill:{accent}}}.middle{{fill:none;stroke:{edge};stroke-width:1}}"
        f".dot{{fill:{accent};stroke:{colour('paper')};stroke-width:2}}"
        f".raises{{fill:{colour('raises')}}}.lowers{{fill:{colour('lowers')}}}"
        f"{of_marks}{of_levels}"
    )


# Below the last row: the axis, its label, and on a phone the key of alpha.
_BELOW = {False: 44, True: 76}
_SUMS_KEY = 24


def _drawing(picture: GenePicture, is_narrow: bool) -> tuple[Markup, _Layout, float]:
    layout = _layout(picture, is_narrow)
    bottom = layout.top + len(picture.marks) * layout.row
    # Attention that is about even everywhere is pale, not at full strength.
    even = 1 / picture.region.num_bins
    highest = 0.0 if picture.alpha is None else max(float(picture.alpha.max()), 4 * even)
    parts = [_row(picture, layout, i, highest) for i in range(len(picture.marks))]
    if picture.contribution is not None:
        parts.append(_contributions(picture, layout))
    parts += [_tss(picture, layout, bottom), _axis(picture, layout, bottom)]
    if picture.beta is not None and not is_narrow:
        parts.append(_scale_of_beta(layout, bottom))
    if picture.alpha is not None:
        parts.append(_key(layout, bottom, highest, picture.beta is not None))
    below = _BELOW[is_narrow] if picture.alpha is not None else _BELOW[False]
    if picture.contribution is not None:
        parts.append(_key_of_signs(picture, layout, bottom + below))
        below += _SUMS_KEY
    return Markup("").join(parts), layout, bottom + below


def _row(picture: GenePicture, layout: _Layout, mark: int, highest_alpha: float) -> Markup:
    top = layout.top + mark * layout.row
    base = top + layout.head + layout.area
    signal = picture.signal[:, mark].astype(float)
    low = min(0.0, float(signal.min()))
    # An empty mark gets a scale, too: one read.
    high = max(1.0, float(signal.max()))

    def to_y(value: float) -> float:
        return base - (value - low) / (high - low) * layout.area

    zero = rounded(to_y(0))
    steps = "".join(
        f"V{rounded(to_y(value))}H{rounded(_to_x(layout, len(signal), i + 1))}"
        for i, value in enumerate(signal)
    )
    name = picture.marks[mark]
    name_x = layout.left if layout.is_narrow else 0.0
    name_y = top + 13 if layout.is_narrow else base - layout.area / 2 + 5
    parts = [
        text_at(name, name_x, name_y, "name"),
        text_at(brief(high), layout.left - 7, top + layout.head + 9, "tick", anchor="end"),
        path("signal", f"M{rounded(layout.left)} {zero}{steps}V{zero}Z"),
        path("axis", f"M{rounded(layout.left)} {zero}H{rounded(layout.right)}"),
    ]
    if picture.alpha is not None:
        y, height = base + _STRIP_GAP, layout.strip - _STRIP_GAP
        parts.append(_heat(picture.alpha[mark], layout, y, height, highest_alpha))
        if mark == 0 and not layout.is_narrow:
            parts.append(text_at("alpha", layout.left - 7, y + height - 4, "tick", anchor="end"))
    if mark == 0 and picture.signal_unit:
        x, y = (layout.left, 14.0) if layout.is_narrow else (layout.left - 7, base)
        anchor = None if layout.is_narrow else "end"
        parts.append(text_at(picture.signal_unit, x, y, "tick", anchor=anchor))
    if picture.beta is not None:
        parts.append(_beta(picture, layout, mark, top, base))
    return element("g", Markup("").join(parts), class_=mark_class(name))


def _heat(alpha: np.ndarray, layout: _Layout, y: float, height: float, highest: float) -> Markup:
    """A strip of cells, those of one colour as one path."""
    levels = [ramp_level(float(value) / highest) for value in alpha]
    paths: dict[int, list[str]] = {}
    start = 0
    for i in range(1, len(levels) + 1):
        if i == len(levels) or levels[i] != levels[start]:
            x = _to_x(layout, len(levels), start)
            width = rounded(_to_x(layout, len(levels), i) - x)
            cell = f"M{rounded(x)} {rounded(y)}h{width}v{rounded(height)}h-{width}z"
            paths.setdefault(levels[start], []).append(cell)
            start = i
    cells = [path(f"a{level}", "".join(paths[level])) for level in sorted(paths)]
    frame = element(
        "rect",
        class_="frame",
        x=layout.left,
        y=y,
        width=layout.right - layout.left,
        height=height,
    )
    return element("g", Markup("").join((*cells, frame)), class_="heat")


def _contributions(picture: GenePicture, layout: _Layout) -> Markup:
    """Of each mark bars from a line of zero, up and down, on one scale for all marks."""
    assert picture.contribution is not None
    low = min(0.0, float(picture.contribution.min()))
    high = max(0.0, float(picture.contribution.max()), low + 1e-30)
    scale = (layout.sums - _STRIP_GAP) / (high - low)
    parts = []
    for mark, values in enumerate(picture.contribution.astype(float)):
        bottom = layout.top + (mark + 1) * layout.row - layout.gap
        zero = bottom + low * scale
        for name, of_sign in (("raises", values.clip(min=0)), ("lowers", values.clip(max=0))):
            steps = "".join(
                f"V{rounded(zero - value * scale)}H{rounded(_to_x(layout, len(values), i + 1))}"
                for i, value in enumerate(of_sign)
            )
            outline = f"M{rounded(layout.left)} {rounded(zero)}{steps}V{rounded(zero)}Z"
            parts.append(path(name, outline))
        line = f"M{rounded(layout.left)} {rounded(zero)}H{rounded(layout.right)}"
        parts.append(path("axis", line))
        total, is_wide = signed_decimals(float(values.sum())), not layout.is_narrow
        if is_wide and picture.beta is not None:
            middle = bottom - layout.sums - layout.strip - layout.area / 2
            parts.append(text_at(f"adds {total}", layout.right + _BETA_GAP, middle + 22, "value"))
            total = "contribution" if mark == 0 else ""
        parts.append(text_at(total, layout.left - 7, bottom - 8, "tick", anchor="end"))
    return element("g", Markup("").join(parts), class_="contribution")


def _key_of_signs(picture: GenePicture, layout: _Layout, y: float) -> Markup:
    """What the bars of contributions mean."""
    assert picture.contribution is not None
    highest = brief(float(np.abs(picture.contribution).max()))
    parts = []
    x = layout.left
    for name, text, room in (
        ("raises", "raises", 58),
        ("lowers", f"lowers the {picture.score}, by up to {highest} a bin", 0),
    ):
        parts.append(element("rect", class_=name, x=x, y=y, width=10, height=9))
        parts.append(text_at(text, x + 15, y + 9, "tick"))
        x += room
    return Markup("").join(parts)


def _beta(picture: GenePicture, layout: _Layout, mark: int, top: float, base: float) -> Markup:
    assert picture.beta is not None
    if layout.is_narrow:
        room, x, y = 56.0, layout.right - 178, top + 4
        if picture.beta_sd is None:
            x += 58
    else:
        room, x, y = _BETA_ROOM, layout.right + _BETA_GAP, base - layout.area / 2 - 6
    beta = float(picture.beta[mark])
    parts = [
        element("rect", class_="track", x=x, y=y, width=room, height=11),
        element("rect", class_="beta", x=x, y=y, width=max(1.0, room * beta), height=11),
    ]
    if picture.beta_sd is not None:
        sd = float(picture.beta_sd[mark])
        low, high = (rounded(x + room * min(1.0, max(0.0, b))) for b in (beta - sd, beta + sd))
        middle = rounded(y + 5.5)
        ticks = "".join(f"M{at} {rounded(y + 2.5)}v6" for at in (low, high))
        parts.append(path("whisker", f"M{low} {middle}H{high}{ticks}"))
    text = f"beta {picture.beta_text(mark)}" if layout.is_narrow else picture.beta_text(mark)
    parts.append(text_at(text, x + room + 7, y + 9.5, "value"))
    return Markup("").join(parts)


def _scale_of_beta(layout: _Layout, bottom: float) -> Markup:
    left, right = layout.right + _BETA_GAP, layout.right + _BETA_GAP + _BETA_ROOM
    y = bottom - 26
    parts = [
        text_at("beta", left, 14, "tick"),
        path("axis", f"M{rounded(left)} {rounded(y)}H{rounded(right)}"),
    ]
    for value, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end")):
        x = left + value * _BETA_ROOM
        parts.append(path("axis", f"M{rounded(x)} {rounded(y)}v4"))
        parts.append(text_at(f"{value:g}", x, y + 15, "tick", anchor=anchor))
    return Markup("").join(parts)


def _tss(picture: GenePicture, layout: _Layout, bottom: float) -> Markup:
    at = picture.region.tss_bin
    if at is None or not 0 <= at <= picture.region.num_bins:
        return Markup("")
    x = _to_x(layout, picture.region.num_bins, at)
    direction = picture.direction
    last = bottom - layout.gap + 4
    parts = [path("guide", f"M{rounded(x)} {layout.top - 4}V{rounded(last)}")]
    if direction:
        tip = x + 26 * direction
        parts += [
            path("tss", f"M{rounded(x)} {layout.top - 4}V10H{rounded(tip)}"),
            path("head", f"M{rounded(tip + 7 * direction)} 10l{-8 * direction} -4.5v9z"),
        ]
        anchor = "end" if direction > 0 else "start"
        parts.append(text_at("TSS", x - 7 * direction, 14, "tick", anchor=anchor))
    else:
        parts.append(text_at("TSS", x, 14, "tick", anchor="middle"))
    return Markup("").join(parts)


def _axis(picture: GenePicture, layout: _Layout, bottom: float) -> Markup:
    region = picture.region
    y = bottom - 2
    parts = [path("axis", f"M{rounded(layout.left)} {rounded(y)}H{rounded(layout.right)}")]
    for bin_, text in _ticks(region, 5 if layout.is_narrow else 10):
        x = _to_x(layout, region.num_bins, bin_)
        parts.append(path("axis", f"M{rounded(x)} {rounded(y)}v4"))
        parts.append(text_at(text, x, y + 17, "tick", anchor="middle"))
    label = region.axis
    if layout.is_narrow:
        label = label.replace("distance from the TSS, kb, ", "kb from the TSS ").replace(
            "the direction of ", ""
        )
    middle = (layout.left + layout.right) / 2
    parts.append(text_at(label, middle, y + 35, "label", anchor="middle"))
    return Markup("").join(parts)


def _ticks(region: Region, number: int) -> list[tuple[float, str]]:
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
        (
            (i * step_kb - low) * 1000 / region.bin_bp,
            f"{i * step_kb:.6g}".replace("-", MINUS),
        )
        for i in range(first, last + 1)
    ]


def _round_step(rough: float) -> float:
    power: float = 10.0 ** math.floor(math.log10(rough))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.999)


def _key(layout: _Layout, bottom: float, highest: float, has_beta: bool) -> Markup:
    """What the colours of alpha mean."""
    if layout.is_narrow:
        x, y, width = layout.left + 42, bottom + 48, 132.0
    elif has_beta:
        x, y, width = layout.right + _BETA_GAP, bottom + 14, _BETA_ROOM
    else:
        x, y, width = layout.left - 118, bottom - 6, 66.0
    cell = width / len(_LEVELS)
    cells = [
        element("rect", class_=f"a{i}", x=x + i * cell, y=y, width=cell + 0.4, height=9)
        for i in _LEVELS
    ]
    frame = element("rect", class_="frame", x=x, y=y, width=width, height=9)
    if layout.is_narrow:
        texts = [
            text_at("alpha", layout.left, y + 9, "tick"),
            text_at(f"0 to {brief(highest)}", x + width + 8, y + 9, "tick"),
        ]
    else:
        texts = [
            text_at("0", x, y + 23, "tick"),
            text_at(brief(highest), x + width, y + 23, "tick", anchor="end"),
            text_at("alpha", x, y + 38, "tick"),
        ]
    return Markup("").join((*cells, frame, *texts))


def _to_x(layout: _Layout, num_bins: int, bin_: float) -> float:
    return layout.left + (layout.right - layout.left) * bin_ / num_bins
