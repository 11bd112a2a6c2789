"""The quality of a dataset's signal as files, and as a figure of profiles and correlations."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from .mark_quality import MarkQuality
from .overlap_agreement import MAX_AGREEING_LAG, OverlapAgreement, PairLags
from .quality import Quality
from .quality_summary import percent

# Okabe and Ito's palette, which readers with any colour vision tell apart; activating marks in
# cool colours, repressive ones in warm.
_COLOURS = {
    "H3K27me3": "#D55E00",
    "H3K36me3": "#009E73",
    "H3K4me1": "#56B4E9",
    "H3K4me3": "#0072B2",
    "H3K9me3": "#E69F00",
    "H3K27ac": "#CC79A7",
}
_OTHER_COLOUR = "#555555"
# The same, as dark as it takes to read them as letters on white paper.
_TEXT_COLOURS = {
    "H3K27me3": "#c25600",
    "H3K36me3": "#008662",
    "H3K4me1": "#3b7ca1",
    "H3K4me3": "#0072b2",
    "H3K9me3": "#9c6c00",
    "H3K27ac": "#a36186",
}
_DARK = "#222222"
_GREY = "#666666"
_PALE = "#cccccc"
_HIGH: dict[str, Any] = {"linewidth": 1.6, "linestyle": "-"}
_LOW: dict[str, Any] = {"linewidth": 1.2, "linestyle": (0, (2.5, 1.2))}
_PANEL_INCHES = (2.45, 1.6)
_ONLY_PANEL_INCHES = (5.0, 2.8)
_CELL_INCHES = 0.42
_LABEL_INCHES = 1.0
# Its title is as wide.
_MIN_CELLS = 4
_MARGIN_INCHES = 0.9
_AGREEMENT_INCHES = (6.4, 2.5)
_PALE_BAR = "#a8a8a8"


def draw_quality(quality: Quality, *, title: str = "") -> Figure:
    """Draws the TSS profile of each mark, and the correlation of each two marks.

    A panel is a mark: its mean signal against the distance from the TSS, in genes labelled high
    and low apart if there are labels. A cell of the matrix is the Spearman correlation over genes
    of two marks' mean signal.

    Args:
        quality: What `measure_quality` returns.
        title: What was measured, such as the name of the dataset.

    Returns:
        A figure to save.
    """
    num_marks = len(quality.marks)
    num_rows = math.isqrt(num_marks)
    num_columns = math.ceil(num_marks / num_rows)
    panel_width, panel_height = _PANEL_INCHES if num_marks > 1 else _ONLY_PANEL_INCHES
    widths = [panel_width * num_columns]
    if num_marks > 1:
        widths.append(_LABEL_INCHES + _CELL_INCHES * max(num_marks - 1, _MIN_CELLS))
    figure = Figure(
        figsize=(sum(widths), _MARGIN_INCHES + max(panel_height * num_rows, *widths[1:], 0)),
        dpi=200,
        layout=ConstrainedLayoutEngine(h_pad=0.05, w_pad=0.07, hspace=0.02, wspace=0.02),
    )
    figure.suptitle(_title(quality, title), fontsize=10, color=_DARK, x=0.01, ha="left")
    grid = figure.add_gridspec(1, len(widths), width_ratios=widths)
    left = figure.add_subfigure(grid[0, 0])
    if num_marks > 1:
        _draw_correlation(figure.add_subfigure(grid[0, 1]).subplots(), quality)
    panels = left.subplots(num_rows, num_columns, squeeze=False)
    num_bins = len(quality.marks[0].profile)
    edges_kb = (quality.bin_bp * np.arange(num_bins + 1) - quality.flank_bp) / 1000
    for place, axes in enumerate(panels.flat):
        if place >= num_marks:
            axes.axis("off")
            continue
        _draw_profile(axes, quality.marks[place], edges_kb)
        axes.tick_params(labelbottom=place + num_columns >= num_marks)
    direction = "in the direction of transcription" if quality.is_directed else "along the genome"
    left.supxlabel(f"distance from the TSS {direction} (kb)", fontsize=9, color=_DARK)
    left.supylabel("mean signal a bin", fontsize=9, color=_DARK)
    if quality.num_high and quality.num_low:
        _draw_legend(figure, quality)
    return figure


def draw_agreement(agreement: OverlapAgreement, *, title: str = "") -> Figure:
    """Draws at which lag pairs of overlapping gene regions agree best.

    A panel is a kind of pairs. A bar is the pairs that agree best at some lag from where their TSSs
    say; the dark one is of those that count as agreeing.

    Args:
        agreement: What `measure_agreement` returns.
        title: What was measured, such as the name of the dataset.

    Returns:
        A figure to save.
    """
    figure = Figure(figsize=_AGREEMENT_INCHES, dpi=200, layout=ConstrainedLayoutEngine(w_pad=0.08))
    heading = f"{title}   overlapping gene regions".strip()
    figure.suptitle(heading, fontsize=10, color=_DARK, x=0.01, ha="left")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, (name, lags) in zip(panels, agreement.by_strands.items(), strict=True):
        _draw_lags(axes, name, lags)
    panels[0].set_ylabel("share of the pairs", fontsize=9, color=_DARK)
    figure.supxlabel(
        "bins from where their TSSs say that they overlap to where their signal does",
        fontsize=9,
        color=_DARK,
    )
    return figure


def write_quality(quality: Quality, data_path: Path, *, title: str) -> None:
    """Writes what was measured of the signal into the folder `quality` beside the records.

    Args:
        quality: What `measure_quality` returns.
        data_path: Folder of the records.
        title: Of the figure.
    """
    folder = data_path / "quality"
    folder.mkdir(exist_ok=True)
    (folder / "quality.json").write_text(json.dumps(quality.as_dict(), indent=2) + "\n")
    (folder / "summary.txt").write_text(quality.summary() + "\n")
    figures = {"tss_profiles": draw_quality(quality, title=title)}
    if quality.agreement and quality.agreement.holds is not None:
        figures["overlap_agreement"] = draw_agreement(quality.agreement, title=title)
    for name, figure in figures.items():
        for suffix in ("png", "svg"):
            figure.savefig(folder / f"{name}.{suffix}")


def _draw_profile(axes: Axes, mark: MarkQuality, edges_kb: np.ndarray) -> None:
    colour = _COLOURS.get(mark.mark, _OTHER_COLOUR)
    centres_kb = (edges_kb[:-1] + edges_kb[1:]) / 2
    if mark.profile_high and mark.profile_low:
        axes.plot(centres_kb, mark.profile_high, color=colour, **_HIGH)
        axes.plot(centres_kb, mark.profile_low, color=colour, **_LOW)
        highest = max(*mark.profile_high, *mark.profile_low)
    else:
        axes.fill_between(centres_kb, mark.profile, color=colour, alpha=0.25, linewidth=0)
        axes.plot(centres_kb, mark.profile, color=colour, **_HIGH)
        highest = max(mark.profile)
    axes.axvline(0, color=_GREY, linewidth=0.8, linestyle=":", zorder=0)
    axes.set_xlim(edges_kb[0], edges_kb[-1])
    axes.set_ylim(0, 1.08 * highest or 1)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=3))
    axes.tick_params(labelsize=7, colors=_GREY)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_PALE)
    text_colour = _TEXT_COLOURS.get(mark.mark, _OTHER_COLOUR)
    axes.set_title(mark.mark, fontsize=9, loc="left", color=text_colour)
    axes.set_title(_numbers(mark), fontsize=7, loc="right", color=_GREY)


def _draw_lags(axes: Axes, name: str, lags: PairLags) -> None:
    num_steps = len(lags.num_at_lag) // 2
    width = 2 * MAX_AGREEING_LAG
    lag = width * np.arange(-num_steps, num_steps + 1)
    share = np.array(lags.num_at_lag) / max(lags.num_pairs, 1)
    colours = np.where(lag == 0, _DARK, _PALE_BAR)
    axes.bar(lag, share, width=0.85 * width, color=colours.tolist())
    axes.set_xlim(lag[0] - width / 2, lag[-1] + width / 2)
    axes.set_ylim(0, 1)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axes.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.0f} %")
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4))
    axes.tick_params(labelsize=7, colors=_GREY)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_PALE)
    axes.set_title(f"{name}, {lags.num_pairs:,} pairs", fontsize=9, loc="left", color=_DARK)
    if lags.num_pairs:
        numbers = f"{percent(lags.share)} agree\nmedian lag {lags.median_abs_lag_bins:.1f} bins"
        axes.text(
            *(0.03, 0.95, numbers),
            transform=axes.transAxes,
            va="top",
            fontsize=8,
            linespacing=1.4,
            color=_GREY,
        )


def _draw_correlation(axes: Axes, quality: Quality) -> None:
    names = [mark.mark for mark in quality.marks]
    correlation = np.array(quality.correlation, dtype=float)[1:, :-1]
    is_shown = np.tri(len(correlation), dtype=bool)
    axes.imshow(np.where(is_shown, correlation, np.nan), cmap="RdBu_r", vmin=-1, vmax=1)
    for row, column in np.argwhere(is_shown):
        value = correlation[row, column]
        axes.text(
            column,
            row,
            # Rounded before, lest it says -0.00.
            "" if np.isnan(value) else f"{round(value, 2) + 0.0:.2f}",
            ha="center",
            va="center",
            fontsize=7,
            color="white" if abs(value) > 0.6 else _DARK,
        )
    axes.set_xticks(range(len(names) - 1), names[:-1], rotation=90)
    axes.set_yticks(range(len(names) - 1), names[1:])
    axes.tick_params(length=0, labelsize=8, colors=_GREY)
    axes.spines[:].set_visible(False)
    axes.set_xlim(-0.5, max(len(correlation), _MIN_CELLS) - 0.5)
    axes.set_anchor("NW")
    axes.set_title("Spearman correlation\nover genes", fontsize=9, loc="left", color=_DARK)


def _draw_legend(figure: Figure, quality: Quality) -> None:
    handles = [
        Line2D([], [], color=_DARK, label=f"{name} expression, {number:,} genes", **style)
        for name, number, style in (
            ("high", quality.num_high, _HIGH),
            ("low", quality.num_low, _LOW),
        )
    ]
    figure.legend(
        handles=handles,
        loc="outside lower left",
        ncols=2,
        frameon=False,
        fontsize=8,
        labelcolor=_GREY,
    )


def _numbers(mark: MarkQuality) -> str:
    zero = f"{100 * mark.zero_share:.0f} % zero"
    return zero if mark.tss_enrichment is None else f"{mark.tss_enrichment:.1f} x at TSS, {zero}"


def _title(quality: Quality, title: str) -> str:
    return "   ".join(filter(None, [title, f"{quality.num_genes:,} gene regions"]))
