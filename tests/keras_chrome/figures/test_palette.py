"""Colours that readers with any colour vision tell apart."""

import itertools

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from keras_chrome.figures.palette import (
    DOWN_COLOUR,
    MARK_COLOURS,
    OTHER_MARK_COLOUR,
    PAPER,
    SERIES_COLOURS,
    TEXT_CONTRAST,
    UP_COLOUR,
    contrast,
    mark_text_colour,
    readable,
)

# Machado, Oliveira & Fernandes, IEEE TVCG 2009, at full severity, for linear RGB.
VISIONS = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
}
RGB_TO_XYZ = np.array(
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
)


def lab(colour: str, vision: np.ndarray) -> np.ndarray:
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = RGB_TO_XYZ @ np.clip(vision @ linear, 0, 1) / RGB_TO_XYZ.sum(axis=1)
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("colours", [SERIES_COLOURS, tuple(MARK_COLOURS.values())])
def test_colours_differ_for_every_reader(colours: tuple[str, ...], vision: str) -> None:
    seen = [lab(colour, VISIONS[vision]) for colour in colours]
    # A difference of 2.3 can just be noticed.
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > 10


@pytest.mark.parametrize("vision", VISIONS)
def test_up_and_down_are_the_colours_of_no_mark(vision: str) -> None:
    up, down, *marks = (
        lab(colour, VISIONS[vision])
        for colour in (UP_COLOUR, DOWN_COLOUR, *MARK_COLOURS.values(), OTHER_MARK_COLOUR)
    )
    assert np.linalg.norm(up - down) > 60
    assert min(np.linalg.norm(a - b) for a in (up, down) for b in marks) > 20


@pytest.mark.parametrize("mark", [*MARK_COLOURS, "H2A.Z"])
def test_names_of_marks_can_be_read_on_paper(mark: str) -> None:
    assert contrast(mark_text_colour(mark), PAPER) >= TEXT_CONTRAST


def test_only_pale_marks_are_written_darker_than_they_are_drawn() -> None:
    changed = {m for m, c in MARK_COLOURS.items() if mark_text_colour(m) != c.lower()}
    assert changed == {"H3K27me3", "H3K36me3", "H3K4me1", "H3K9me3", "H3K27ac"}


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
