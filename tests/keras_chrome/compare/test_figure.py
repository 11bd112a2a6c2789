"""What the figure shows, read off its artists."""

import numpy as np
import pandas as pd
import pytest
from figure_reader import cut_off, letters, overlapping

from keras_chrome.compare.correlations import NAIVE_METHODS, Row, _ways
from keras_chrome.compare.figure import draw_comparison
from keras_chrome.importance import METHODS
from keras_chrome.runs.trainings import NETWORKS


def rows(
    epigenome: str, *methods: str, held: str | None = None, variant: str = "attentive_chrome"
) -> pd.DataFrame:
    """Naive methods once, others in a trained network and in those that have learned nothing."""
    about = {
        "run": f"runs/{epigenome}",
        "epigenome": epigenome,
        "variant": variant,
        "num_genes": 1234,
        "num_networks": 1,
        "num_as_high": 0,
        "mark": "H3K4me3",
        "validation_mark": "H3K27ac",
        "validation_dataset": held or f"remc/{epigenome}",
        "direction": "transcription",
        "on_rule": "P >= 0.5, as given",
    }
    values = {"none": 0.5, "signal": 0.2, "distance": -0.25, "both": 0.125}
    table = [
        Row(
            **about,
            method=method,
            network=network,
            level=level,
            statistic=statistic,
            control=control,
            form=form,
            r=values[control] - position / 8,
            low=values[control] - 0.1 - position / 8,
            high=values[control] + 0.1 - position / 8,
        )
        for method in methods
        for position, network in enumerate(["none"] if method in NAIVE_METHODS else NETWORKS)
        for level in ("profile", "gene")
        for statistic, (control, form) in _ways()
    ]
    return pd.DataFrame(table)


TITLES = [
    "mean over genes, then correlated",
    "each gene correlated, then the mean,\nwhich 1,234 genes have",
    "means, the mark's own signal held fixed",
    "each gene, its signal held fixed",
]


def test_a_run_has_its_panels_side_by_side_and_says_what_they_show() -> None:
    figure = draw_comparison(rows("E116", "signal", "alpha"))
    assert [axes.get_title() for axes in figure.axes] == TITLES
    left, right, below, _ = figure.axes
    assert left.get_position().y0 == right.get_position().y0
    assert left.get_position().x0 == below.get_position().x0
    assert figure.get_suptitle() == "E116, attentive_chrome\nn = 1,234 genes predicted ON"
    for axes in figure.axes[2:]:
        assert axes.get_xlabel() == "Pearson r of H3K4me3's importance\nwith H3K27ac"
    assert [label.get_text() for label in left.get_yticklabels()] == ["signal", "alpha"]
    for axes, values in ((left, [0.5, 0.5, 0.375, 0.25]), (below, [0.2, 0.2, 0.075, -0.05])):
        dots = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "o"]
        assert dots == pytest.approx(values)
    crosses = [float(x.get_xdata()[0]) for x in left.lines if x.get_marker() == "x"]
    # The paper's value of alpha in E116, and none of what is no method.
    assert [x for x in crosses if not np.isnan(x)] == [0.85]
    assert not [line for line in below.lines if line.get_marker() == "x"]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "knows nothing of the model",
        "trained, 95 % interval over genes and trainings",
        "trained on shuffled labels, mean and range",
        "untrained, mean and range",
        "the paper's Table 3",
    ]


def test_genes_without_a_correlation_are_not_counted() -> None:
    table = rows("E116", "signal", "alpha")
    is_of_signal = (table["method"] == "signal") & (table["level"] == "gene")
    table.loc[is_of_signal, "num_genes"] = 999
    table.loc[(table["level"] == "gene") & (table["control"] == "both"), "num_genes"] = 0
    figure = draw_comparison(table)
    assert figure.axes[1].get_title().endswith("\nwhich 999 to 1,234 genes have")


def test_another_dataset_is_named() -> None:
    figure = draw_comparison(rows("E003", "alpha", held="remc/E003_reads"))
    assert figure.axes[2].get_xlabel().endswith("with H3K27ac of E003_reads")


def test_several_runs_have_a_column_each() -> None:
    figure = draw_comparison(pd.concat(rows(e, "alpha") for e in ("E116", "E123")))
    for axes, epigenome in zip(figure.axes, ("E116", "E123"), strict=False):
        assert axes.get_title().splitlines() == [
            f"{epigenome}, attentive_chrome",
            "n = 1,234 genes predicted ON",
            "mean over genes, then correlated",
        ]
    assert figure.axes[2].get_title() == TITLES[1]
    assert letters(figure) == list("abcdefgh")


def test_a_row_is_the_same_method_in_every_column() -> None:
    both = rows("E116", "signal", "alpha", "saliency")
    without = rows("E123", "signal", "saliency", variant="deep_chrome")
    figure = draw_comparison(pd.concat([both, without]))
    left, right = figure.axes[:2]
    assert [label.get_text() for label in left.get_yticklabels()] == ["signal", "alpha", "saliency"]
    heights = [
        {round(float(line.get_ydata()[0])) for line in axes.lines if line.get_marker() == "o"}
        for axes in (left, right)
    ]
    assert heights == [{0, 1, 2}, {0, 2}]
    assert left.get_ylim() == right.get_ylim()


@pytest.mark.parametrize("epigenomes", [["E116"], ["E003", "E116_peaks", "E123_peaks"]])
def test_nothing_is_written_over_anything(epigenomes: list[str]) -> None:
    methods = [*NAIVE_METHODS, *(m for m in METHODS if METHODS[m].resolves_bins)]
    figure = draw_comparison(pd.concat(rows(e, *methods) for e in epigenomes))
    assert letters(figure) == list("abcdefghijkl"[: 4 * len(epigenomes)])
    assert overlapping(figure) == []
    assert cut_off(figure) == []
