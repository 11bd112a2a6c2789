"""Colours of all figures."""

# Okabe and Ito's palette, which readers with any colour vision tell apart; activating marks in
# cool colours, repressive ones in warm.
MARK_COLOURS = {
    "H3K27me3": "#D55E00",
    "H3K36me3": "#009E73",
    "H3K4me1": "#56B4E9",
    "H3K4me3": "#0072B2",
    "H3K9me3": "#E69F00",
    "H3K27ac": "#CC79A7",
}
OTHER_MARK_COLOUR = "#555555"
# What is high, ON or rises, and what is low, OFF or falls, beside marks in their own colours: no
# mark has these, and readers with any colour vision tell them apart.
UP_COLOUR, DOWN_COLOUR = "#332288", "#6B4C11"
SERIES_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
DARK = "#222222"
GREY = "#666666"
PALE = "#cccccc"
PAPER = "#ffffff"

TEXT_CONTRAST = 4.5
"""Of text (WCAG 2.2, success criterion 1.4.3, level AA)."""

SHAPE_CONTRAST = 3.0
"""Of lines and shapes that carry meaning (1.4.11)."""


def mark_colour(mark: str) -> str:
    """The colour of a mark, the same in every figure; grey for marks that have none."""
    return MARK_COLOURS.get(mark, OTHER_MARK_COLOUR)


def mark_text_colour(mark: str) -> str:
    """The colour of a mark's name on white paper: its own, as dark as it takes to be read."""
    return readable(mark_colour(mark), PAPER, TEXT_CONTRAST)


def luminance(colour: str) -> float:
    """Relative luminance, 0 to 1, as WCAG defines it."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(colour: str, other: str) -> float:
    """Contrast ratio, 1 to 21, as WCAG defines it."""
    low, high = sorted((luminance(colour), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def readable_on(background: str) -> str:
    """White or black, whichever stands out more from a colour."""
    return max("#ffffff", "#111111", key=lambda colour: contrast(colour, background))


def readable(colour: str, background: str, ratio: float) -> str:
    """The colour, as far towards black or white as it takes to stand out from its background."""
    towards = "#000000" if luminance(background) > 0.18 else "#ffffff"
    for percent in range(100):
        if contrast(mixed := _mixed(colour, towards, percent / 100), background) >= ratio:
            return mixed
    return towards


def _mixed(colour: str, other: str, share: float) -> str:
    channels = [(int(colour[i : i + 2], 16), int(other[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(a + share * (b - a)):02x}" for a, b in channels)
