"""What the figure shows, read off its artists."""

import pandas as pd
import pytest
from figure_reader import cut_off, letters, overlapping

from keras_chrome.compare.correlations import NAIVE_METHODS, Row
from keras_chrome.compare.figure import draw_comparison
from keras_chrome.importance import METHODS


def rows(epigenome: str, *methods: str, held: str | None = None) -> pd.DataFrame:
    of_run = f"runs/{epigenome}", epigenome, "attentive_chrome"
    held = held or f"remc/{epigenome}"
    return pd.DataFrame(
        [
            Row(*of_run, method, level, statistic, c, r, r - 0.1, r + 0.1, 1234, *of_marks)
            for of_marks in [("H3K4me3", "H3K27ac", held)]
            for method in methods
            for level in ("profile", "gene")
            for statistic in ("pearson", "spearman")
            for c, r in (("none", 0.5), ("signal", 0.2), ("distance", -0.25), ("both", 0.125))
        ]
    )


def test_a_run_has_its_panels_side_by_side_and_says_what_they_show() -> None:
    figure = draw_comparison(rows("E116", "alpha"))
    left, right = figure.axes
    assert left.get_position().y0 == right.get_position().y0
    assert figure.get_suptitle() == "E116, attentive_chrome\nn = 1,234 genes predicted ON"
    assert left.get_title() == "mean over genes, then correlated"
    assert right.get_title() == "each gene correlated, then the mean,\nwhich 1,234 genes have"
    for axes in figure.axes:
        assert axes.get_xlabel() == "Pearson r of H3K4me3's importance\nwith H3K27ac"
    assert [label.get_text() for label in left.get_yticklabels()] == ["alpha"]
    dots = [line.get_xdata()[0] for line in left.lines if line.get_marker() == "o"]
    assert dots == [0.5, 0.2, -0.25, 0.125]
    crosses = [line for line in left.lines if line.get_marker() == "x"]
    # The paper's value of alpha in E116.
    assert [float(line.get_xdata()[0]) for line in crosses] == [0.85]


def test_genes_without_a_correlation_are_not_counted() -> None:
    table = rows("E116", "signal", "alpha")
    is_of_signal = (table["method"] == "signal") & (table["level"] == "gene")
    table.loc[is_of_signal, "num_genes"] = 999
    table.loc[(table["level"] == "gene") & (table["control"] == "both"), "num_genes"] = 0
    figure = draw_comparison(table)
    assert figure.axes[1].get_title().endswith("\nwhich 999 to 1,234 genes have")


def test_another_dataset_is_named() -> None:
    figure = draw_comparison(rows("E003", "alpha", held="remc/E003_reads"))
    assert figure.axes[0].get_xlabel().endswith("with H3K27ac of E003_reads")


def test_several_runs_have_a_column_each() -> None:
    figure = draw_comparison(pd.concat(rows(e, "alpha") for e in ("E116", "E123")))
    for axes, epigenome in zip(figure.axes, ("E116", "E123"), strict=False):
        assert axes.get_title().splitlines() == [
            f"{epigenome}, attentive_chrome",
            "n = 1,234 genes predicted ON",
            "mean over genes, then correlated",
        ]
    assert figure.axes[2].get_title().startswith("each gene correlated, then the mean,")
    assert letters(figure) == ["a", "b", "c", "d"]


@pytest.mark.parametrize("epigenomes", [["E116"], ["E003", "E116_peaks", "E123_peaks"]])
def test_nothing_is_written_over_anything(epigenomes: list[str]) -> None:
    methods = [*NAIVE_METHODS, *(m for m in METHODS if METHODS[m].resolves_bins)]
    figure = draw_comparison(pd.concat(rows(e, *methods) for e in epigenomes))
    assert letters(figure) == list("abcdef"[: 2 * len(epigenomes)])
    assert overlapping(figure) == []
    assert cut_off(figure) == []
