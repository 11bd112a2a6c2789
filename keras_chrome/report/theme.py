"""The palette of all figures on a light and on a dark page, with contrasts that can be read."""

from collections.abc import Sequence
from dataclasses import dataclass

from keras_chrome.figures.palette import (
    DARK,
    DOWN_COLOUR,
    GREY,
    PALE,
    PAPER,
    SERIES_COLOURS,
    SHAPE_CONTRAST,
    TEXT_CONTRAST,
    UP_COLOUR,
    mark_colour,
    readable,
)


@dataclass(frozen=True)
class Theme:
    """Colours of a page, as `#rrggbb`.

    Attributes:
        paper: Behind everything.
        panel: Behind controls and strips.
        ink: Text.
        soft: Text that stands back.
        rule: Lines that only part things.
        edge: Outlines of controls.
        accent: Links, and the one series that matters.
        wrong: What a prediction gets wrong.
        raises: What raises it.
        lowers: What lowers it.
    """

    paper: str
    panel: str
    ink: str
    soft: str
    rule: str
    edge: str
    accent: str
    wrong: str
    raises: str
    lowers: str


_PAPER, _PANEL = "#fdfdfb", "#f3f3ef"
_DARK_PAPER, _DARK_PANEL = "#16181c", "#20242a"


LIGHT_THEME = Theme(
    paper=_PAPER,
    panel=_PANEL,
    ink=DARK,
    soft=readable(GREY, _PANEL, TEXT_CONTRAST),
    rule="#dcdcd6",
    edge=readable("#b0b0aa", _PANEL, SHAPE_CONTRAST),
    accent=readable(SERIES_COLOURS[0], _PANEL, TEXT_CONTRAST),
    wrong=readable(SERIES_COLOURS[-1], _PANEL, TEXT_CONTRAST),
    raises=UP_COLOUR,
    lowers=DOWN_COLOUR,
)
DARK_THEME = Theme(
    paper=_DARK_PAPER,
    panel=_DARK_PANEL,
    ink="#e7e5e0",
    soft=readable(GREY, _DARK_PANEL, 5.5),
    rule="#343a42",
    edge=readable("#555c66", _DARK_PANEL, SHAPE_CONTRAST),
    accent=readable(SERIES_COLOURS[0], _DARK_PANEL, 5.5),
    wrong=readable(SERIES_COLOURS[-1], _DARK_PANEL, TEXT_CONTRAST),
    raises=readable(UP_COLOUR, _DARK_PAPER, 4.5),
    lowers=readable(DOWN_COLOUR, _DARK_PAPER, 4.5),
)


# What figures are drawn in, and the custom property that it becomes on a page.
_DRAWN = {
    DARK: "ink",
    GREY: "soft",
    PALE: "rule",
    PAPER: "paper",
    **{colour: f"series-{i}" for i, colour in enumerate(SERIES_COLOURS)},
}


def theme_css(marks: Sequence[str]) -> str:
    """Custom properties for both themes: of the page, and `--mark-N`, `--mark-N-line` of marks.

    Drawings of class `themed` take the page's colours for those that figures are drawn in.

    A reader's choice, `data-theme` on the root element, goes before the system's.

    Args:
        marks: In the order of their numbers.
    """
    light, dark = (_declarations(theme, marks) for theme in (LIGHT_THEME, DARK_THEME))
    of_marks = "".join(
        f".mark-{i}{{--mark:var(--mark-{i});--mark-line:var(--mark-{i}-line)}}"
        for i in range(len(marks))
    )
    of_drawings = "".join(
        f'.themed {where}[{what}="{colour.lower()}"]{{{what}:var(--{name})}}'
        for colour, name in _DRAWN.items()
        for what in ("fill", "stroke")
        # Text that is white stands on a dark cell of its own, which stays dark.
        for where in (":not(text)" if colour == PAPER else "",)
    )
    return (
        f":root{{color-scheme:light;{light}}}"
        f"@media screen and (prefers-color-scheme:dark)"
        f"{{:root:not([data-theme=light]){{color-scheme:dark;{dark}}}}}"
        f"@media screen{{:root[data-theme=dark]{{color-scheme:dark;{dark}}}}}"
        f"{of_marks}{of_drawings}"
    )


def _declarations(theme: Theme, marks: Sequence[str]) -> str:
    colours = dict(vars(theme))
    for i, mark in enumerate(marks):
        colours[f"mark-{i}"] = mark_colour(mark)
        colours[f"mark-{i}-line"] = readable(mark_colour(mark), theme.paper, SHAPE_CONTRAST)
    for colour in SERIES_COLOURS:
        colours[_DRAWN[colour]] = readable(colour, theme.paper, SHAPE_CONTRAST)
    return "".join(f"--{name}:{colour};" for name, colour in colours.items())
