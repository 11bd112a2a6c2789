"""A comparison with a validation mark as a figure."""

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from keras_chrome.compare.paper import paper_value
from keras_chrome.figures.axes import dot, draw_estimate, legend_below, quiet
from keras_chrome.figures.palette import DARK, GREY, PALE, SERIES_COLOURS

_CONTROLS = {
    "none": "correlation",
    "signal": "the mark's own signal held fixed",
    "distance": "distance to the TSS held fixed",
    "both": "both held fixed",
}
_COLOURS = dict(zip(_CONTROLS, (DARK, *SERIES_COLOURS), strict=False))
_LEVELS = {
    "profile": "mean over genes, then correlated",
    "gene": "each gene correlated, then the mean",
}
_PAPER: dict[str, Any] = {
    "marker": "x",
    "linestyle": "none",
    "markersize": 6,
    "color": SERIES_COLOURS[5],
}


def draw_comparison(table: pd.DataFrame) -> Figure:
    """Draw Pearson's correlations: a column of panels a run, profiles above, genes below.

    A row is a method; dots are correlations with their 95 % intervals, one colour for what is
    held fixed. A cross is the paper's own value.

    Args:
        table: What `compare` returns.

    Returns:
        A figure to save.
    """
    chosen = table[table["statistic"] == "pearson"]
    runs = list(chosen.groupby("run", sort=False))
    num_methods = max(of_run["method"].nunique() for _, of_run in runs)
    figure = Figure(
        figsize=(1.6 + 3.1 * len(runs), 1.1 + 2 * (0.5 + 0.34 * num_methods)),
        dpi=200,
        layout=ConstrainedLayoutEngine(wspace=0.03, hspace=0.04),
    )
    grid = figure.subplots(len(_LEVELS), len(runs), squeeze=False, sharey="col", sharex=True)
    for column, (_, of_run) in enumerate(runs):
        for row, level in enumerate(_LEVELS):
            of_level = of_run[of_run["level"] == level]
            axes = grid[row, column]
            _draw_panel(axes, of_level, labels=column == 0)
            if row == 0:
                first = of_run.iloc[0]
                axes.set_title(f"{first['epigenome']}, {first['variant']}", fontsize=10, color=DARK)
            if column == 0:
                axes.set_ylabel(_LEVELS[level], fontsize=8, color=GREY)
            if row == len(_LEVELS) - 1:
                axes.set_xlabel("Pearson r with the validation mark", fontsize=9, color=DARK)
    handles = [
        Line2D([], [], label=what, **dot(_COLOURS[control])) for control, what in _CONTROLS.items()
    ]
    if any(math.isfinite(paper_value(row)) for row in chosen.itertuples()):
        handles.append(Line2D([], [], label="the paper's Table 3", **_PAPER))
    # As many columns as there is room for.
    legend_below(figure, handles, min(len(handles), max(2, 2 * len(runs) - 1)))
    return figure


def _draw_panel(axes: Axes, rows: pd.DataFrame, *, labels: bool) -> None:
    quiet(axes, "bottom")
    methods = list(dict.fromkeys(rows["method"]))
    offsets = dict(zip(_CONTROLS, np.linspace(-0.27, 0.27, len(_CONTROLS)), strict=True))
    for y, method in enumerate(methods):
        axes.axhline(y + 0.5, color=PALE, linewidth=0.5, zorder=0)
        of_method = rows[rows["method"] == method]
        for row in of_method.itertuples():
            control, estimate = str(row.control), (row.r, row.low, row.high)
            draw_estimate(axes, y + offsets[control], estimate, dot(_COLOURS[control], 4.5))
        if rows["level"].iloc[0] == "profile":
            paper = paper_value(of_method.iloc[0])
            axes.plot([paper], [y + offsets["none"]], zorder=4, **_PAPER)
    axes.axvline(0, color=GREY, linewidth=0.8)
    axes.set_xlim(-1.03, 1.03)
    axes.set_ylim(len(methods) - 0.5, -0.5)
    axes.set_yticks(range(len(methods)), methods, fontsize=8, color=DARK)
    axes.tick_params(axis="y", labelleft=labels)
