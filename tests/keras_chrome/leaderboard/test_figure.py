"""What the figure shows, read off its artists."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.lines import Line2D

from keras_chrome.leaderboard.board import GROUP
from keras_chrome.leaderboard.ceiling import CeilingRow
from keras_chrome.leaderboard.figure import _swarm, draw_leaderboard

MODELS = ("cnn_attn", "deep_chrome", "lstm")
NO_CEILINGS = pd.DataFrame(columns=[*GROUP, *CeilingRow._fields])


def tables(num_epigenomes: int, *, num_unshared: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(0)
    epigenomes = pd.DataFrame(
        [
            {
                "labels": labels,
                "split": "dataset",
                "marks": "H3K4me3",
                "epigenome": f"E{i:03d}",
                "model": model,
                "auroc": rng.normal(0.8 + 0.02 * MODELS.index(model), 0.03),
                "is_shared": i >= num_unshared,
            }
            for labels in ("median", "published")
            for i in range(num_epigenomes)
            for model in MODELS
        ]
    )
    epigenomes["auroc_low"] = epigenomes["auroc"] - 0.01
    epigenomes["auroc_high"] = epigenomes["auroc"] + 0.01
    models = (
        epigenomes[epigenomes["is_shared"]]
        .groupby([*GROUP, "model"], as_index=False)
        .agg(mean=("auroc", "mean"), num_epigenomes=("auroc", "size"))
        .sort_values(["labels", "mean"], ascending=[True, False])
        .assign(reference="deep_chrome")
    )
    return models, epigenomes


def dots(axes: Axes) -> list[Line2D]:
    return [line for line in axes.lines if line.get_marker() == "o" and len(line.get_xdata())]


def test_a_panel_a_label_rule_with_the_models_in_order() -> None:
    models, epigenomes = tables(3)
    panels = draw_leaderboard(models, epigenomes, NO_CEILINGS).axes
    assert [p.get_title(loc="left") for p in panels] == [
        "median labels, the dataset's split",
        "published labels, the dataset's split",
    ]
    for panel, labels in zip(panels, ("median", "published"), strict=True):
        best_first = models.loc[models["labels"] == labels, "model"].tolist()
        assert [label.get_text() for label in panel.get_yticklabels()] == best_first
        means = [line.get_xdata()[0] for line in panel.lines if line.get_marker() == "|"]
        np.testing.assert_array_equal(means, models.loc[models["labels"] == labels, "mean"])


def test_dots_are_the_epigenomes_in_the_row_of_their_model() -> None:
    for num_epigenomes in (1, 3, 40):
        models, epigenomes = tables(num_epigenomes)
        panel = draw_leaderboard(models, epigenomes, NO_CEILINGS).axes[0]
        order = models.loc[models["labels"] == "median", "model"].tolist()
        for y, model in enumerate(order):
            drawn = [
                float(x)
                for line in dots(panel)
                for x, height in zip(line.get_xdata(), line.get_ydata(), strict=True)
                if abs(height - y) < 0.5
            ]
            is_own = (epigenomes["labels"] == "median") & (epigenomes["model"] == model)
            np.testing.assert_allclose(sorted(drawn), sorted(epigenomes.loc[is_own, "auroc"]))


def test_dots_outside_of_the_mean_are_open() -> None:
    for num_epigenomes in (3, 40):
        panel = draw_leaderboard(*tables(num_epigenomes, num_unshared=2), NO_CEILINGS).axes[0]
        is_open = [to_rgba(line.get_markerfacecolor()) == to_rgba("white") for line in dots(panel)]
        num_open = sum(
            len(line.get_xdata()) for line, o in zip(dots(panel), is_open, strict=True) if o
        )
        assert num_open == 2 * len(MODELS)


@pytest.mark.parametrize("num_epigenomes", [3, 40])
def test_the_ceiling_lies_below_a_line_of_its_own(num_epigenomes: int) -> None:
    models, epigenomes = tables(num_epigenomes)
    names = epigenomes["epigenome"].unique()
    ceilings = pd.DataFrame(
        [("median", "dataset", "H3K4me3", name, 0.97, 0.96, 0.98, 100, 0) for name in names],
        columns=NO_CEILINGS.columns,
    )
    panel, other = draw_leaderboard(models, epigenomes, ceilings).axes[:2]
    labels = [label.get_text() for label in panel.get_yticklabels()]
    assert labels[-1] == "expression_elsewhere:\na ceiling, uses no mark"
    assert labels[:-1] == models.loc[models["labels"] == "median", "model"].tolist()
    # It has no rank: a line parts it from the last model.
    y = panel.get_yticks()[-1]
    across = [line.get_ydata()[0] for line in panel.lines if list(line.get_xdata()) == [0, 1]]
    (line,) = (height for height in across if height > 2)
    assert line == pytest.approx((2 + y) / 2)
    below = [
        (float(x), float(height))
        for dots_of in dots(panel)
        for x, height in zip(dots_of.get_xdata(), dots_of.get_ydata(), strict=True)
        if height > line
    ]
    assert len(below) == num_epigenomes
    assert {x for x, _ in below} == {0.97}
    assert max(abs(height - y) for _, height in below) <= 0.4 + 1e-9
    assert "0.970" in [text.get_text() for text in panel.texts]
    assert panel.get_xlim()[1] > 0.97
    assert len(other.get_yticklabels()) == len(MODELS)


def test_how_a_model_was_trained_stands_below_its_name() -> None:
    models, epigenomes = tables(3)
    name = "lstm (targets hard, lstm reads default and 12 more)"
    both = [table.replace("lstm", name) for table in (models, epigenomes)]
    panel = draw_leaderboard(*both, NO_CEILINGS).axes[0]
    labels = [label.get_text() for label in panel.get_yticklabels()]
    assert "lstm\n(targets hard, lstm reads\ndefault and 12 more)" in labels


def test_no_dot_covers_another() -> None:
    positions = np.sort(np.random.default_rng(0).normal(scale=4, size=56))
    offsets = _swarm(positions)
    points = np.stack([positions, offsets])
    distances = np.hypot(*(points[:, :, None] - points[:, None]))
    assert distances[~np.eye(56, dtype=bool)].min() > 1 - 1e-6
    assert abs(offsets).max() < 4


def test_a_column_of_equal_dots_stays_in_its_row() -> None:
    models, epigenomes = tables(40)
    panel = draw_leaderboard(models, epigenomes.assign(auroc=0.8), NO_CEILINGS).axes[0]
    for line in dots(panel):
        assert np.ptp(line.get_ydata()) <= 0.8 + 1e-9
