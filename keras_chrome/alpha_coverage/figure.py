"""A validation mark above the attention to another mark, as a figure."""

import functools
import math
from collections.abc import Hashable, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axes._secondary_axes import SecondaryAxis
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from keras_chrome.alpha_coverage.coverage import AlphaCoverage
from keras_chrome.figures.axes import edges_kb, letter_panels, printed, quiet, round_ticks
from keras_chrome.figures.palette import DARK, GREY, PALE, mark_colour

# A column of most journals: nothing is scaled down in print.
_WIDTH_INCHES = 3.5


def draw_alpha_coverage(coverage: AlphaCoverage) -> Figure:
    """Draw the validation mark's signal, and below it the mean alpha, over one axis.

    The signal is the mean over genes, on the right summed over them; bands are 95 % intervals over
    genes. The dotted line is the alpha of a model that attends to all bins alike. Pearson's r of
    the two curves stands below, and for comparison that of the mark's own mean signal.

    Args:
        coverage: From `keras_chrome.alpha_coverage`.

    Returns:
        A figure to save.
    """
    table = coverage.table
    figure = Figure(
        figsize=(_WIDTH_INCHES, 3.6),
        dpi=300,
        layout=ConstrainedLayoutEngine(h_pad=0.03, w_pad=0.03, hspace=0, wspace=0),
    )
    above, below = figure.subplots(2, 1, sharex=True)
    _draw_signal(above, table, coverage)
    _draw_alpha(below, table, coverage)
    for axes in (above, below):
        axes.axvline(0, color=PALE, linewidth=0.8, zorder=0)
        _style(axes, "left", "bottom")
    edges = edges_kb(table["bin_start_bp"], coverage.bin_bp)
    below.set_xlim(edges[0], edges[-1])
    below.set_xlabel("kb from the TSS, in the direction of transcription", fontsize=8, color=DARK)
    figure.align_ylabels()
    held = coverage.validation_mark
    if coverage.validation_dataset != coverage.dataset:
        held += f" of {coverage.validation_dataset}"
    figure.suptitle(
        f"{coverage.dataset}, {coverage.split} split, {coverage.model}; {held}\n"
        f"n = {coverage.num_genes:,} expressed genes predicted ON; 95 % intervals over genes\n"
        f"ON: {printed(coverage.on_rule)}",
        fontsize=7,
        color=DARK,
        x=0.01,
        ha="left",
    )
    letter_panels(figure, (above, below))
    return figure


def _draw_signal(axes: Axes, table: pd.DataFrame, coverage: AlphaCoverage) -> None:
    colour = mark_colour(coverage.validation_mark)
    edges = edges_kb(table["bin_start_bp"], coverage.bin_bp)
    mean = table["validation_mean"]
    axes.stairs(mean, edges, fill=True, color=colour, alpha=0.35)
    axes.stairs(mean, edges, baseline=None, color=colour, linewidth=1.2)
    _draw_band(axes, table, "validation", colour, coverage.bin_bp)
    # A mark without signal gets a scale, too.
    axes.set_ylim(0, 1.08 * table["validation_high"].max() or 1)
    axes.set_ylabel(f"{coverage.validation_mark}\nmean a gene", fontsize=8, color=DARK)
    summed = axes.secondary_yaxis(
        "right",
        functions=(
            functools.partial(np.multiply, coverage.num_genes),
            functools.partial(np.multiply, 1 / coverage.num_genes),
        ),
    )
    summed.set_ylabel("summed over genes", fontsize=8, color=DARK)
    _style(summed, "right")


def _draw_alpha(axes: Axes, table: pd.DataFrame, coverage: AlphaCoverage) -> None:
    colour = mark_colour(coverage.mark)
    middle_kb = (table["bin_start_bp"] + coverage.bin_bp / 2) / 1000
    axes.plot(middle_kb, table["alpha_mean"], color=colour, linewidth=1.2)
    _draw_band(axes, table, "alpha", colour, coverage.bin_bp)
    axes.axhline(1 / len(table), color=GREY, linewidth=0.9, linestyle=":")
    axes.set_ylim(0, 1.08 * max(table["alpha_high"].max(), 1 / len(table)))
    axes.set_ylabel(f"{coverage.mark}\nmean alpha", fontsize=8, color=DARK)
    of_alpha, of_signal = map(_with_interval, coverage.correlations.to_dict("records"))
    axes.set_title(
        f"Pearson r with {coverage.validation_mark}: {of_alpha}\n"
        f"{coverage.mark}'s own signal: {of_signal}",
        fontsize=7,
        loc="left",
        color=GREY,
    )


def _with_interval(row: Mapping[Hashable, float]) -> str:
    if not math.isfinite(row["r"]):
        return "none, a mean is constant"
    text = f"{row['r']:.2f} ({row['low']:.2f} to {row['high']:.2f})"
    # A hyphen is too short for a minus sign.
    return text.replace("-", "\N{MINUS SIGN}")


def _draw_band(axes: Axes, table: pd.DataFrame, name: str, colour: str, bin_bp: int) -> None:
    middle_kb = (table["bin_start_bp"] + bin_bp / 2) / 1000
    low, high = table[f"{name}_low"], table[f"{name}_high"]
    axes.fill_between(middle_kb, low, high, color=colour, alpha=0.3, linewidth=0)


def _style(axes: Axes | SecondaryAxis, *spines: str) -> None:
    quiet(axes, *spines)
    round_ticks(axes.yaxis, 4)
    axes.yaxis.set_major_formatter("{x:,g}")
