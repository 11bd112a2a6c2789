"""What the figure shows, read off its artists."""

import dataclasses

import numpy as np
from figure_reader import cut_off, letters, overlapping

from keras_chrome.alpha_coverage import AlphaCoverage
from keras_chrome.alpha_coverage.coverage import coverage_tables
from keras_chrome.alpha_coverage.figure import draw_alpha_coverage

NUM_BINS = 8
NUM_GENES = 40


def coverage(*, is_constant: bool = False) -> AlphaCoverage:
    rng = np.random.default_rng(0)
    signal = rng.poisson(np.arange(1, NUM_BINS + 1), size=(NUM_GENES, NUM_BINS)).astype(float)
    table, correlations = coverage_tables(
        alpha=np.full_like(signal, 1 / NUM_BINS) if is_constant else (9 - signal) / 100,
        signal=signal,
        validation=signal,
        bin_start_bp=100 * np.arange(NUM_BINS) - 400,
    )
    return AlphaCoverage(
        table=table,
        correlations=correlations,
        mark="H3K4me3",
        validation_mark="H3K27ac",
        validation_dataset="remc/E116",
        dataset="remc/E116",
        split="test",
        model="attentive_chrome",
        on_rule="P >= 0.314, best balanced accuracy over 6,488 validation genes",
        bin_bp=100,
        num_genes=NUM_GENES,
        num_without_signal=0,
        num_unknown_strand=0,
    )


def test_signal_above_alpha_over_one_axis() -> None:
    drawn = coverage()
    figure = draw_alpha_coverage(drawn)
    above, below = figure.axes
    assert above.get_ylabel() == "H3K27ac\nmean a gene"
    assert below.get_ylabel() == "H3K4me3\nmean alpha"
    assert below.get_xlabel().startswith("kb from the TSS")
    assert above.get_xlim() == below.get_xlim() == (-0.4, 0.4)
    np.testing.assert_array_equal(below.lines[0].get_ydata(), drawn.table["alpha_mean"])
    np.testing.assert_allclose(below.lines[0].get_xdata()[[0, -1]], [-0.35, 0.35])
    genes = "remc/E116, test split, attentive_chrome; H3K27ac\nn = 40 expressed"
    assert figure.get_suptitle().startswith(genes)
    rule = "ON: P \u2265 0.314, best balanced accuracy over 6,488 validation genes"
    assert figure.get_suptitle().splitlines()[2] == rule
    assert letters(figure) == ["a", "b"]
    assert overlapping(figure) == []
    assert cut_off(figure) == []


def test_another_dataset_of_the_validation_mark_is_named() -> None:
    drawn = dataclasses.replace(coverage(), validation_dataset="remc/E003_reads")
    title = draw_alpha_coverage(drawn).get_suptitle().splitlines()[0]
    assert title == "remc/E116, test split, attentive_chrome; H3K27ac of remc/E003_reads"


def test_the_right_axis_is_the_sum() -> None:
    figure = draw_alpha_coverage(coverage())
    figure.draw_without_rendering()
    above = figure.axes[0]
    (summed,) = above.child_axes
    assert summed.get_ylabel() == "summed over genes"
    np.testing.assert_allclose(summed.get_ylim(), NUM_GENES * np.array(above.get_ylim()))


def test_correlations_are_written_out() -> None:
    title = draw_alpha_coverage(coverage()).axes[1].get_title(loc="left")
    # A minus sign, not a hyphen.
    assert title.splitlines() == [
        "Pearson r with H3K27ac: \u22121.00 (\u22121.00 to \u22121.00)",
        "H3K4me3's own signal: 1.00 (1.00 to 1.00)",
    ]
    figure = draw_alpha_coverage(coverage(is_constant=True))
    assert "H3K27ac: none, a mean is constant" in figure.axes[1].get_title(loc="left")
    figure.draw_without_rendering()
