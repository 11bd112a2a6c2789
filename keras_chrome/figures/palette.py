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
SERIES_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
DARK = "#222222"
GREY = "#666666"
PALE = "#cccccc"


def mark_colour(mark: str) -> str:
    """The colour of a mark, the same in every figure; grey for marks that have none."""
    return MARK_COLOURS.get(mark, OTHER_MARK_COLOUR)


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
    """White or dark, whichever stands out more from a colour."""
    return max("#ffffff", DARK, key=lambda colour: contrast(colour, background))
