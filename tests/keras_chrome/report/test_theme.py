"""Colours that can be read."""

import re

import pytest

from keras_chrome.figures.palette import (
    DARK,
    GREY,
    MARK_COLOURS,
    SERIES_COLOURS,
    SHAPE_CONTRAST,
    TEXT_CONTRAST,
    contrast,
)
from keras_chrome.report.theme import DARK_THEME, LIGHT_THEME, Theme, _declarations, theme_css


@pytest.mark.parametrize("theme", [LIGHT_THEME, DARK_THEME])
def test_themes_meet_aa(theme: Theme) -> None:
    for background in (theme.paper, theme.panel):
        for name in ("ink", "soft", "accent", "wrong"):
            assert contrast(getattr(theme, name), background) >= TEXT_CONTRAST, name
        for name in ("edge", "raises", "lowers"):
            assert contrast(getattr(theme, name), background) >= SHAPE_CONTRAST, name


def test_css_has_every_mark_in_both_themes() -> None:
    css = theme_css(tuple(MARK_COLOURS))
    # Light; dark by the system; dark by choice.
    assert css.count("--mark-5-line:#") == 3
    assert ".mark-5{--mark:var(--mark-5);--mark-line:var(--mark-5-line)}" in css
    assert css.count("{color-scheme:dark;") == 2
    assert LIGHT_THEME.paper in css
    assert DARK_THEME.paper in css


@pytest.mark.parametrize("theme", [LIGHT_THEME, DARK_THEME])
def test_what_figures_are_drawn_in_stands_out_from_the_page(theme: Theme) -> None:
    css = _declarations(theme, ())
    drawn = dict(re.findall(r"--([\w-]+):(#\w+);", css))
    for i in range(len(SERIES_COLOURS)):
        assert contrast(drawn[f"series-{i}"], theme.paper) >= SHAPE_CONTRAST
    rules = theme_css(())
    for colour, name in ((DARK, "ink"), (GREY, "soft"), (SERIES_COLOURS[5], "series-5")):
        assert f'.themed [fill="{colour.lower()}"]{{fill:var(--{name})}}' in rules
    # White numbers stand on dark cells, which stay dark.
    assert '.themed :not(text)[fill="#ffffff"]{fill:var(--paper)}' in rules
    assert '.themed [fill="#ffffff"]' not in rules
