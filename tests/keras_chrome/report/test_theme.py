"""Colours that can be read."""

import pytest

from keras_chrome.figures.palette import MARK_COLOURS, contrast
from keras_chrome.report.theme import (
    DARK_THEME,
    LIGHT_THEME,
    SHAPE_CONTRAST,
    TEXT_CONTRAST,
    Theme,
    readable,
    theme_css,
)


def test_contrast_as_wcag_gives_it() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#ffffff", "#777777") == pytest.approx(4.48, abs=0.005)


def test_a_colour_changes_as_little_as_it_must() -> None:
    assert readable("#0072B2", "#ffffff", 4.5) == "#0072b2"
    darker = readable("#56B4E9", "#ffffff", 3.0)
    assert 3.0 <= contrast(darker, "#ffffff") < 3.1
    # Still blue.
    assert darker[1:3] < darker[3:5] < darker[5:7]
    assert contrast(readable("#0072B2", "#101010", 6.0), "#101010") >= 6.0


@pytest.mark.parametrize("theme", [LIGHT_THEME, DARK_THEME])
def test_themes_meet_aa(theme: Theme) -> None:
    for background in (theme.paper, theme.panel):
        for name in ("ink", "soft", "accent", "wrong"):
            assert contrast(getattr(theme, name), background) >= TEXT_CONTRAST, name
        assert contrast(theme.edge, background) >= SHAPE_CONTRAST


def test_css_has_every_mark_in_both_themes() -> None:
    css = theme_css(tuple(MARK_COLOURS))
    # Light; dark by the system; dark by choice.
    assert css.count("--mark-5-line:#") == 3
    assert ".mark-5{--mark:var(--mark-5);--mark-line:var(--mark-5-line)}" in css
    assert css.count("{color-scheme:dark;") == 2
    assert LIGHT_THEME.paper in css
    assert DARK_THEME.paper in css
