"""A gene as a drawing: of each mark the signal, below it alpha, beside it beta.

Drawings are SVG for a page whose style sheet has the rules of `figure_css`; `standalone` makes a
file of one, with the rules inside.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup, escape

from serving.web.numbers import MINUS, brief, decimals, signed
from serving.web.palette import MARK_CLASSES, light_colours, mark_class, ramp_level

_FONT = (
    "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Liberation Sans', Arial, "
    "sans-serif"
)
_LEVELS = range(ramp_level(1.0) + 1)


@dataclass(frozen=True)
class Region:
    """The bins around a TSS.

    Attributes:
        num_bins: Number of bins.
        bin_bp: Width of a bin in bp, or None where the model does not say.
        flank_bp: bp from the start of the first bin to the TSS, or None.
        oriented: True if bins run in the direction of transcription, False if along the genome,
            None if that is not known.
    """

    num_bins: int
    bin_bp: int | None = None
    flank_bp: int | None = None
    oriented: bool | None = None

    @property
    def tss_bin(self) -> float | None:
        """Where the TSS lies, in bins from the start of the region, if it is known."""
        if not self.bin_bp or self.flank_bp is None:
            return None
        return self.flank_bp / self.bin_bp

    @property
    def axis(self) -> str:
        """What runs along the bins, and in which direction."""
        along = {
            True: "along the direction of transcription",
            False: "along the genome",
            None: "in the order of the input",
        }[self.oriented]
        if self.tss_bin is None:
            return f"bin, {along}"
        return f"distance from the TSS, kb, {along}"

    def place(self, bin_: int) -> str:
        """The place of a bin, counted from 0, in words."""
        if not self.bin_bp or self.flank_bp is None:
            return f"bin {bin_ + 1}"
        start = bin_ * self.bin_bp - self.flank_bp
        return f"{signed(start)} to {signed(start + self.bin_bp)} bp"


@dataclass(frozen=True)
class GenePicture:
    """What is drawn of a gene.

    Attributes:
        name: Symbol or id.
        marks: Names of the marks, in the order of the arrays' axes.
        region: The bins.
        signal: `(bins, marks)`, as measured.
        alpha: Attention over the bins of each mark, `(marks, bins)`, or None.
        beta: Attention over the marks, `(marks,)`, or None.
        beta_sd: Standard deviation of beta over the members of an ensemble, or None.
        strand: `+`, `-`, or empty where it is not known.
    """

    name: str
    marks: Sequence[str]
    region: Region
    signal: np.ndarray
    alpha: np.ndarray | None = None
    beta: np.ndarray | None = None
    beta_sd: np.ndarray | None = None
    strand: str = ""

    @property
    def direction(self) -> int:
        """Of transcription on the drawing: 1 to the right, -1 to the left, 0 not known."""
        if self.region.oriented:
            return 1
        return {"+": 1, "-": -1}.get(self.strand, 0) if self.region.oriented is False else 0

    @property
    def summary(self) -> str:
        """The drawing in words."""
        parts = []
        for i, mark in enumerate(self.marks):
            text = f"{mark}: signal up to {brief(float(self.signal[:, i].max()))}"
            if self.alpha is not None:
                place = self.region.place(int(self.alpha[i].argmax()))
                text += f", alpha highest at {place}"
            if self.beta is not None:
                text += f", beta {_beta_text(self, i)}"
            parts.append(text)
        return "; ".join(parts) + "."


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
    gap: float
    is_narrow: bool

    @property
    def row(self) -> float:
        return self.head + self.area + self.strip + self.gap


_STRIP_GAP = 3


def _layout(picture: GenePicture, is_narrow: bool) -> _Layout:
    has_alpha, has_beta = picture.alpha is not None, picture.beta is not None
    if is_narrow:
        strip = 14 + _STRIP_GAP if has_alpha else 0
        return _Layout(344, 36, 336, 26, 20, 38, strip, 14, True)
    strip = 16 + _STRIP_GAP if has_alpha else 0
    # Bins of 100 are whole pixels wide where the drawing has its full size.
    return _Layout(920, 118, 718 if has_beta else 918, 30, 0, 46, strip, 16, False)


def draw_gene(picture: GenePicture, *, is_narrow: bool = False) -> Markup:
    """Draw a gene as SVG, 920 units wide, or 344 for a phone."""
    content, layout, height = _drawing(picture, is_narrow)
    kind = "narrow" if is_narrow else "wide"
    return _element(
        "svg",
        content + _element("rect", class_="cursor", y=layout.top - 4, width=0, height=0),
        class_=f"gene {kind}",
        viewBox=f"0 0 {layout.width} {height}",
        role="img",
        # No title element: browsers would show it as a tooltip, over the values under the pointer.
        aria_label=_clean(f"Signal and attention of {picture.name}. {picture.summary}"),
        data_left=layout.left,
        data_right=layout.right,
        data_bottom=height - _BELOW[is_narrow],
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
    root = _element(
        "svg",
        Markup("").join(
            (
                _element("title", escape(_clean(heading))),
                _element("desc", escape(_clean(picture.summary))),
                _element("style", Markup(style)),
                _element("rect", x=box[0], y=box[1], width=box[2], height=box[3], fill="#ffffff"),
                _text(heading, 0, 18 - above, "heading"),
                _text(about, 0, 38 - above, "label"),
                content,
            )
        ),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=" ".join(map(_number, box)),
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
        _element("rect", class_="track", x=left, y=y - 3, width=right - left, height=6, rx=3),
        _element(
            "rect", class_="filled", x=left, y=y - 3, width=at(probability) - left, height=6, rx=3
        ),
        _path("middle", f"M{_number(at(0.5))} {y - 8}v16"),
    ]
    if sd is not None:
        low, high = _number(at(probability - sd)), _number(at(probability + sd))
        parts.append(_path("whisker", f"M{low} {y}H{high}M{low} {y - 5}v10M{high} {y - 5}v10"))
    parts += [
        _element("circle", class_="dot", cx=at(probability), cy=y, r=6),
        _text("0 low", left, y + 22, "tick"),
        _text("0.5", at(0.5), y + 22, "tick", anchor="middle"),
        _text("high 1", right, y + 22, "tick", anchor="end"),
    ]
    return _element(
        "svg", Markup("").join(parts), class_="gauge", viewBox="0 0 240 40", aria_hidden="true"
    )


def draw_bar(probability: float) -> Markup:
    """The probability as a bar for a row of a table."""
    parts = (
        _element("rect", class_="track", width=64, height=8, rx=1),
        _element("rect", class_="filled", width=64 * probability, height=8, rx=1),
        _path("middle", "M32 0v8"),
    )
    return _element(
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
        ".heat{shape-rendering:crispEdges}"
        f".whisker{{fill:none;stroke:{ink};stroke-width:1.2}}"
        f".track{{fill:{colour('panel')};stroke:{colour('rule')};stroke-width:1}}"
        f".filled{{fill:{accent}}}.middle{{fill:none;stroke:{edge};stroke-width:1}}"
        f".dot{{fill:{accent};stroke:{colour('paper')};stroke-width:2}}"
        f"{of_marks}{of_levels}"
    )


# Below the last row: the axis, its label, and on a phone the key of alpha.
_BELOW = {False: 44, True: 76}


def _drawing(picture: GenePicture, is_narrow: bool) -> tuple[Markup, _Layout, float]:
    layout = _layout(picture, is_narrow)
    bottom = layout.top + len(picture.marks) * layout.row
    # Attention that is about even everywhere is pale, not at full strength.
    even = 1 / picture.region.num_bins
    highest = 0.0 if picture.alpha is None else max(float(picture.alpha.max()), 4 * even)
    parts = [_row(picture, layout, i, highest) for i in range(len(picture.marks))]
    parts += [_tss(picture, layout, bottom), _axis(picture, layout, bottom)]
    if picture.beta is not None and not is_narrow:
        parts.append(_text("beta", layout.right + 24, 14, "tick"))
    if picture.alpha is not None:
        parts.append(_key(layout, bottom, highest, picture.beta is not None))
    below = _BELOW[is_narrow] if picture.alpha is not None else _BELOW[False]
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

    zero = _number(to_y(0))
    steps = "".join(
        f"V{_number(to_y(value))}H{_number(_to_x(layout, len(signal), i + 1))}"
        for i, value in enumerate(signal)
    )
    name = picture.marks[mark]
    name_x = layout.left if layout.is_narrow else 0.0
    name_y = top + 13 if layout.is_narrow else base - layout.area / 2 + 5
    parts = [
        _text(name, name_x, name_y, "name"),
        _text(brief(high), layout.left - 7, top + layout.head + 9, "tick", anchor="end"),
        _path("signal", f"M{_number(layout.left)} {zero}{steps}V{zero}Z"),
        _path("axis", f"M{_number(layout.left)} {zero}H{_number(layout.right)}"),
    ]
    if picture.alpha is not None:
        y, height = base + _STRIP_GAP, layout.strip - _STRIP_GAP
        parts.append(_heat(picture.alpha[mark], layout, y, height, highest_alpha))
        if mark == 0 and not layout.is_narrow:
            parts.append(_text("alpha", layout.left - 7, y + height - 4, "tick", anchor="end"))
    if picture.beta is not None:
        parts.append(_beta(picture, layout, mark, top, base))
    return _element("g", Markup("").join(parts), class_=mark_class(name))


def _heat(alpha: np.ndarray, layout: _Layout, y: float, height: float, highest: float) -> Markup:
    """A strip of cells, those of one colour as one path."""
    levels = [ramp_level(float(value) / highest) for value in alpha]
    paths: dict[int, list[str]] = {}
    start = 0
    for i in range(1, len(levels) + 1):
        if i == len(levels) or levels[i] != levels[start]:
            x = _to_x(layout, len(levels), start)
            width = _number(_to_x(layout, len(levels), i) - x)
            cell = f"M{_number(x)} {_number(y)}h{width}v{_number(height)}h-{width}z"
            paths.setdefault(levels[start], []).append(cell)
            start = i
    cells = [_path(f"a{level}", "".join(paths[level])) for level in sorted(paths)]
    frame = _element(
        "rect",
        class_="frame",
        x=layout.left,
        y=y,
        width=layout.right - layout.left,
        height=height,
    )
    return _element("g", Markup("").join((*cells, frame)), class_="heat")


def _beta(picture: GenePicture, layout: _Layout, mark: int, top: float, base: float) -> Markup:
    assert picture.beta is not None
    sd = np.zeros(len(picture.beta)) if picture.beta_sd is None else picture.beta_sd
    longest = float((picture.beta + sd).max()) or 1.0
    if layout.is_narrow:
        room, x, y = 56.0, layout.right - 178, top + 4
        if picture.beta_sd is None:
            x += 58
    else:
        room, x, y = 76.0, layout.right + 24, base - layout.area / 2 - 6
    length = room * float(picture.beta[mark]) / longest
    end = room * float(picture.beta[mark] + sd[mark]) / longest
    parts = [_element("rect", class_="beta", x=x, y=y, width=max(1.0, length), height=11)]
    if picture.beta_sd is not None:
        start = room * max(0.0, float(picture.beta[mark] - sd[mark])) / longest
        low, high = _number(x + start), _number(x + end)
        middle = _number(y + 5.5)
        ticks = "".join(f"M{at} {_number(y + 2.5)}v6" for at in (low, high))
        parts.append(_path("whisker", f"M{low} {middle}H{high}{ticks}"))
    text = f"beta {_beta_text(picture, mark)}" if layout.is_narrow else _beta_text(picture, mark)
    parts.append(_text(text, x + end + 7, y + 9.5, "value"))
    return Markup("").join(parts)


def _beta_text(picture: GenePicture, mark: int) -> str:
    assert picture.beta is not None
    text = decimals(float(picture.beta[mark]), 2)
    if picture.beta_sd is not None:
        text += f" ± {decimals(float(picture.beta_sd[mark]), 2)}"
    return text


def _tss(picture: GenePicture, layout: _Layout, bottom: float) -> Markup:
    at = picture.region.tss_bin
    if at is None or not 0 <= at <= picture.region.num_bins:
        return Markup("")
    x = _to_x(layout, picture.region.num_bins, at)
    direction = picture.direction
    last = bottom - layout.gap + 4
    parts = [_path("guide", f"M{_number(x)} {layout.top - 4}V{_number(last)}")]
    if direction:
        tip = x + 26 * direction
        parts += [
            _path("tss", f"M{_number(x)} {layout.top - 4}V10H{_number(tip)}"),
            _path("head", f"M{_number(tip + 7 * direction)} 10l{-8 * direction} -4.5v9z"),
        ]
        anchor = "end" if direction > 0 else "start"
        parts.append(_text("TSS", x - 7 * direction, 14, "tick", anchor=anchor))
    else:
        parts.append(_text("TSS", x, 14, "tick", anchor="middle"))
    return Markup("").join(parts)


def _axis(picture: GenePicture, layout: _Layout, bottom: float) -> Markup:
    region = picture.region
    y = bottom - 2
    parts = [_path("axis", f"M{_number(layout.left)} {_number(y)}H{_number(layout.right)}")]
    for bin_, text in _ticks(region, 5 if layout.is_narrow else 10):
        x = _to_x(layout, region.num_bins, bin_)
        parts.append(_path("axis", f"M{_number(x)} {_number(y)}v4"))
        parts.append(_text(text, x, y + 17, "tick", anchor="middle"))
    label = region.axis
    if layout.is_narrow:
        label = label.replace("distance from the TSS, kb, ", "kb from the TSS ").replace(
            "the direction of ", ""
        )
    middle = (layout.left + layout.right) / 2
    parts.append(_text(label, middle, y + 35, "label", anchor="middle"))
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
        x, y, width = layout.right + 24, bottom - 6, 99.0
    else:
        x, y, width = layout.left - 118, bottom - 6, 66.0
    cell = width / len(_LEVELS)
    cells = [
        _element("rect", class_=f"a{i}", x=x + i * cell, y=y, width=cell + 0.4, height=9)
        for i in _LEVELS
    ]
    frame = _element("rect", class_="frame", x=x, y=y, width=width, height=9)
    if layout.is_narrow:
        texts = [
            _text("alpha", layout.left, y + 9, "tick"),
            _text(f"0 to {brief(highest)}", x + width + 8, y + 9, "tick"),
        ]
    else:
        texts = [
            _text("0", x, y + 23, "tick"),
            _text(brief(highest), x + width, y + 23, "tick", anchor="end"),
            _text("alpha", x, y + 38, "tick"),
        ]
    return Markup("").join((*cells, frame, *texts))


def _to_x(layout: _Layout, num_bins: int, bin_: float) -> float:
    return layout.left + (layout.right - layout.left) * bin_ / num_bins


def _number(value: float) -> str:
    return f"{round(value, 2):g}" if abs(value) < 1e5 else str(round(value))


def _clean(text: str) -> str:
    """Text that may stand in XML, which has no control characters, not even escaped."""
    return "".join(c if c.isprintable() or c == " " else "\N{REPLACEMENT CHARACTER}" for c in text)


def _element(tag: str, content: Any = "", **attributes: Any) -> Markup:
    named = "".join(
        f' {_attribute_name(name)}="{escape(_number(v) if isinstance(v, float) else v)}"'
        for name, v in attributes.items()
    )
    if not content:
        return Markup(f"<{tag}{named}/>")
    return Markup(f"<{tag}{named}>{escape(content)}</{tag}>")


def _attribute_name(name: str) -> str:
    # viewBox keeps its capital; class_ and aria_label are how Python lets them be written.
    return name.rstrip("_").replace("_", "-")


def _path(class_: str, d: str) -> Markup:
    return _element("path", class_=class_, d=d)


def _text(text: str, x: float, y: float, class_: str, *, anchor: str | None = None) -> Markup:
    attributes = {"text-anchor": anchor} if anchor else {}
    return _element("text", escape(_clean(text)), class_=class_, x=x, y=y, **attributes)
