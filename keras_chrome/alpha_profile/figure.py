"""Attention averaged over genes as a figure: a row a mark, ON and OFF in two colours."""

from typing import Any

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from keras_chrome.alpha_profile.profile import AlphaProfile
from keras_chrome.figures.axes import dot, draw_estimate, edges_kb, printed, quiet, round_ticks
from keras_chrome.figures.palette import DARK, DOWN_COLOUR, GREY, PALE, UP_COLOUR, mark_text_colour

COLOURS = {"ON": UP_COLOUR, "OFF": DOWN_COLOUR}
_UNIFORM: dict[str, Any] = {"color": GREY, "linewidth": 0.9, "linestyle": ":"}
# The text width of most journals' pages: nothing is scaled down in print.
_WIDTH_INCHES = 5.5


def draw_alpha_profile(profile: AlphaProfile) -> Figure:
    """Draw a row for each mark.

    On top, faint, the mean signal; below it the mean alpha with its 95 % interval over genes, on a
    scale of each row's own. On the right is the mean beta with its interval. Dotted lines are the
    weights of a model that attends to all bins, and all marks, alike.

    Args:
        profile: From `keras_chrome.alpha_profile`.

    Returns:
        A figure to save.
    """
    table = profile.table
    alpha, signal, beta = (table[table["quantity"] == q] for q in ("alpha", "signal", "beta"))
    marks = list(alpha["mark"].unique())
    figure = Figure(
        figsize=(_WIDTH_INCHES, 0.95 + 0.95 * len(marks)),
        dpi=200,
        layout=ConstrainedLayoutEngine(h_pad=0.02, w_pad=0.03, hspace=0, wspace=0.02),
    )
    rows = figure.add_gridspec(len(marks), 2, width_ratios=[4, 1] if len(beta) else [1, 0])
    for row, mark in enumerate(marks):
        cells = rows[row, 0].subgridspec(2, 1, height_ratios=[1, 2], hspace=0)
        above, below = figure.add_subplot(cells[0]), figure.add_subplot(cells[1])
        above.set_title(
            mark, fontsize=8, loc="left", pad=2, color=mark_text_colour(mark), weight="bold"
        )
        _draw_signal(above, signal[signal["mark"] == mark], profile.bin_bp)
        _draw_alpha(below, alpha[alpha["mark"] == mark], profile.bin_bp)
        below.tick_params(labelbottom=row == len(marks) - 1)
        if len(beta):
            beside = figure.add_subplot(rows[row, 1])
            _draw_beta(beside, beta[beta["mark"] == mark])
            beside.axvline(1 / len(marks), **_UNIFORM)
            beside.set_xlim(0, 1.15 * beta["high"].max())
            beside.tick_params(labelbottom=row == len(marks) - 1)
    below.set_xlabel("kb from the TSS, in the direction of transcription", fontsize=8, color=DARK)
    if len(beta):
        beside.set_xlabel("beta", fontsize=8, color=DARK)
    _add_legend(figure, profile)
    figure.align_ylabels()
    return figure


def _draw_signal(axes: Axes, rows: pd.DataFrame, bin_bp: int) -> None:
    for prediction, of_prediction in rows.groupby("prediction", sort=False):
        mean, edges = of_prediction["mean"], edges_kb(of_prediction["bin_start_bp"], bin_bp)
        colour = COLOURS[str(prediction)]
        axes.stairs(mean, edges, fill=True, color=colour, alpha=0.15)
        axes.stairs(mean, edges, baseline=None, color=colour, alpha=0.6, linewidth=0.8)
    # A mark without signal gets a scale, too.
    axes.set_ylim(0, 1.1 * rows["mean"].max() or 1)
    _style(axes, rows, bin_bp, "signal")
    axes.tick_params(labelbottom=False, bottom=False)
    axes.spines["bottom"].set_visible(False)


def _draw_alpha(axes: Axes, rows: pd.DataFrame, bin_bp: int) -> None:
    for prediction, of_prediction in rows.groupby("prediction", sort=False):
        colour = COLOURS[str(prediction)]
        middle_kb = (of_prediction["bin_start_bp"].to_numpy(float) + bin_bp / 2) / 1000
        low, high = of_prediction["low"], of_prediction["high"]
        axes.fill_between(middle_kb, low, high, color=colour, alpha=0.3, linewidth=0)
        axes.plot(middle_kb, of_prediction["mean"], color=colour, linewidth=1.2)
    axes.axhline(1 / rows["bin_start_bp"].nunique(), **_UNIFORM)
    axes.set_ylim(0, 1.1 * rows["high"].max())
    _style(axes, rows, bin_bp, "alpha")


def _style(axes: Axes, rows: pd.DataFrame, bin_bp: int, label: str) -> None:
    edges = edges_kb(rows["bin_start_bp"].unique(), bin_bp)
    axes.set_xlim(edges[0], edges[-1])
    axes.axvline(0, color=PALE, linewidth=0.8, zorder=0)
    round_ticks(axes.yaxis, 2)
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_ylabel(label, fontsize=7, color=GREY)
    quiet(axes, "left", "bottom")


def _draw_beta(axes: Axes, rows: pd.DataFrame) -> None:
    columns = ["prediction", "mean", "low", "high"]
    for y, (prediction, mean, low, high) in enumerate(rows[columns].itertuples(index=False)):
        draw_estimate(axes, y, (mean, low, high), dot(COLOURS[prediction]))
        axes.annotate(
            f"{mean:.2f}",
            (mean, y),
            xytext=(0, 5),
            textcoords="offset points",
            ha="center",
            fontsize=7,
            color=GREY,
            bbox={"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none"},
        )
    axes.set_ylim(1.6, -0.8)
    axes.set_yticks([])
    round_ticks(axes.xaxis, 2)
    axes.xaxis.set_major_formatter("{x:g}")
    quiet(axes, "bottom")


def _add_legend(figure: Figure, profile: AlphaProfile) -> None:
    counts = {"ON": profile.num_on, "OFF": profile.num_off}
    handles: list[Artist] = [
        Line2D([], [], color=colour, linewidth=1.5, label=f"predicted {name} ({counts[name]:,})")
        for name, colour in COLOURS.items()
        if counts[name]
    ]
    handles += [
        Patch(color=GREY, alpha=0.3, linewidth=0, label="95 % interval over genes"),
        Line2D([], [], label="uniform", **_UNIFORM),
    ]
    figure.legend(
        handles=handles,
        loc="outside upper left",
        ncols=4,
        frameon=False,
        fontsize=7,
        labelcolor=DARK,
        borderaxespad=0,
        handlelength=1.4,
        handletextpad=0.6,
        columnspacing=1.6,
        title=f"{profile.dataset}, {profile.split} split, {profile.model}\n"
        f"ON: {printed(profile.on_rule)}",
        title_fontsize=8,
        alignment="left",
    )
