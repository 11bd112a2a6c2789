"""What the figure shows, read off its artists."""

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from keras_chrome.alpha_profile import AlphaProfile
from keras_chrome.alpha_profile.figure import COLOURS, draw_alpha_profile
from keras_chrome.alpha_profile.profile import profile_table

MARKS = ("H3K4me1", "H3K4me3", "H3K9me3")
NUM_BINS = 8


def profile(*, num_off: int = 20, has_beta: bool = True) -> AlphaProfile:
    rng = np.random.default_rng(0)
    num_genes = 30 + num_off
    alpha = rng.dirichlet(np.ones(NUM_BINS), size=(num_genes, len(MARKS)))
    table = profile_table(
        alpha=alpha,
        signal=rng.poisson(3, size=alpha.shape),
        beta=rng.dirichlet(np.ones(len(MARKS)), size=num_genes) if has_beta else None,
        is_on=np.arange(num_genes) < 30,
        marks=MARKS,
        bin_start_bp=100 * np.arange(NUM_BINS) - 400,
    )
    names = ("remc/E116", "test", "attentive_chrome", "P >= 0.3, as given")
    return AlphaProfile(table, *names, 100, 30, num_off, 0)


def labelled(figure: Figure, label: str) -> list[Axes]:
    return [axes for axes in figure.axes if axes.get_ylabel() == label]


def test_a_row_a_mark_with_a_curve_a_prediction() -> None:
    drawn = profile()
    figure = draw_alpha_profile(drawn)
    assert [a.get_title(loc="left") for a in labelled(figure, "signal")] == list(MARKS)
    for mark, axes in zip(MARKS, labelled(figure, "alpha"), strict=True):
        curves = [line for line in axes.lines if len(line.get_xdata()) == NUM_BINS]
        for prediction, curve in zip(("ON", "OFF"), curves, strict=True):
            rows = drawn.table.query(
                f"prediction == '{prediction}' and mark == '{mark}' and quantity == 'alpha'"
            )
            np.testing.assert_array_equal(curve.get_ydata(), rows["mean"])
            np.testing.assert_allclose(curve.get_xdata()[[0, -1]], [-0.35, 0.35])
            assert to_rgba(curve.get_color()) == to_rgba(COLOURS[prediction])
        assert axes.get_xlim() == (-0.4, 0.4)
    assert axes.get_xlabel().startswith("kb from the TSS")


def test_beta_stands_beside_with_its_interval() -> None:
    drawn = profile()
    beside = draw_alpha_profile(drawn).axes[-1]
    rows = drawn.table.query("mark == 'H3K9me3' and quantity == 'beta'")
    dots = [line.get_xdata()[0] for line in beside.lines if line.get_marker() == "o"]
    np.testing.assert_array_equal(dots, rows["mean"])
    assert [text.get_text() for text in beside.texts] == [f"{b:.2f}" for b in rows["mean"]]


@pytest.mark.parametrize(("num_off", "has_beta"), [(0, True), (20, False), (0, False)])
def test_without_off_or_beta(num_off: int, has_beta: bool) -> None:
    figure = draw_alpha_profile(profile(num_off=num_off, has_beta=has_beta))
    assert len(figure.axes) == len(MARKS) * (3 if has_beta else 2)
    entries = [text.get_text() for text in figure.legends[0].get_texts()]
    assert entries[0] == "predicted ON (30)"
    title = figure.legends[0].get_title().get_text().splitlines()
    assert title == ["remc/E116, test split, attentive_chrome", "ON: P \u2265 0.3, as given"]
    assert any("OFF" in entry for entry in entries) == bool(num_off)
    for axes in labelled(figure, "alpha"):
        curves = [line for line in axes.lines if len(line.get_xdata()) == NUM_BINS]
        assert len(curves) == (2 if num_off else 1)
    figure.draw_without_rendering()
