"""Colours that readers with any colour vision tell apart."""

import itertools

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from keras_chrome.figures.palette import MARK_COLOURS, SERIES_COLOURS

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
