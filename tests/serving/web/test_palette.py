"""The colours are the report's, and the ramp of alpha can be read by everybody."""

import math
import re

import pytest
from page_colours import DARK, LIGHT

from keras_chrome.figures.palette import (
    DOWN_COLOUR,
    MARK_COLOURS,
    OTHER_MARK_COLOUR,
    SHAPE_CONTRAST,
    TEXT_CONTRAST,
    UP_COLOUR,
    contrast,
    luminance,
    mark_colour,
    readable,
)
from keras_chrome.report.theme import DARK_THEME, LIGHT_THEME
from serving.web.figure import ramp_level
from serving.web.rendering import mark_class

LEVELS = range(33)
OWN = re.compile(r"mark-|alpha-|raises$|lowers$")


def test_colours_are_those_of_the_report() -> None:
    # The report has some that the page has no use for.
    for colours, theme in ((LIGHT, LIGHT_THEME), (DARK, DARK_THEME)):
        of_page = {name: colour for name, colour in colours.items() if not OWN.match(name)}
        assert len(of_page) == 8
        assert of_page.items() <= vars(theme).items()
    assert LIGHT.keys() == DARK.keys()


@pytest.mark.parametrize("mark", [*MARK_COLOURS, "H2A.Z"])
def test_marks_have_the_colours_of_the_report(mark: str) -> None:
    for colours, theme in ((LIGHT, LIGHT_THEME), (DARK, DARK_THEME)):
        assert colours[mark_class(mark)] == mark_colour(mark).lower()
        line = readable(mark_colour(mark), theme.paper, SHAPE_CONTRAST)
        assert colours[f"{mark_class(mark)}-line"] == line.lower()


def test_what_raises_and_lowers_has_the_colours_of_the_figures() -> None:
    for colours, theme in ((LIGHT, LIGHT_THEME), (DARK, DARK_THEME)):
        for name, colour in (("raises", UP_COLOUR), ("lowers", DOWN_COLOUR)):
            assert colours[name] == readable(colour, theme.paper, TEXT_CONTRAST).lower()


def test_unknown_marks_share_a_class() -> None:
    assert mark_class("H2A.Z") == mark_class("<b>") == "mark-other"
    assert LIGHT["mark-other"] == OTHER_MARK_COLOUR
    assert len({mark_class(mark) for mark in MARK_COLOURS}) == len(MARK_COLOURS)


@pytest.mark.parametrize(("colours", "darkens"), [(LIGHT, True), (DARK, False)])
def test_ramp_runs_from_paper_in_steps_that_look_alike(
    colours: dict[str, str], darkens: bool
) -> None:
    ramp = [colours[f"alpha-{level}"] for level in LEVELS]
    light = [luminance(colour) for colour in ramp]
    assert light == sorted(light, reverse=darkens)
    # Seen from the paper: nothing at one end, unmistakable at the other.
    assert contrast(ramp[0], colours["paper"]) < 1.15
    assert contrast(ramp[-1], colours["paper"]) > 12
    steps = [math.dist(a, b) for a, b in zip(map(oklab, ramp), map(oklab, ramp[1:]), strict=False)]
    # Of colours in whole 256ths.
    assert max(steps) < 1.25 * min(steps)


def oklab(colour: str) -> tuple[float, float, float]:
    """Oklab by way of XYZ, as its author defines it, not by the short cut that the page takes."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    x = 0.4123908 * r + 0.3575843 * g + 0.1804808 * b
    y = 0.2126390 * r + 0.7151687 * g + 0.0721923 * b
    z = 0.0193308 * r + 0.1191948 * g + 0.9505322 * b
    long, middle, short = (
        math.cbrt(value)
        for value in (
            0.8189330 * x + 0.3618667 * y - 0.1288597 * z,
            0.0329845 * x + 0.9293119 * y + 0.0361456 * z,
            0.0482003 * x + 0.2643663 * y + 0.6338517 * z,
        )
    )
    return (
        0.2104543 * long + 0.7936178 * middle - 0.0040720 * short,
        1.9779985 * long - 2.4285922 * middle + 0.4505937 * short,
        0.0259040 * long + 0.7827718 * middle - 0.8086758 * short,
    )


def test_levels_are_shares_of_the_highest() -> None:
    assert [ramp_level(share) for share in (0, 0.5, 1, 2, -1)] == [0, 16, 32, 32, 0]
