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
from keras_chrome.data import epigenome_of
from keras_chrome.figures.axes import dot, draw_estimate, legend_below, letter_panels, quiet
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
    """Draw Pearson's correlations: of several runs a column each, of one its panels side by side.

    A row is a method; dots are correlations with their 95 % intervals, one colour for what is
    held fixed. A cross is the paper's own value.

    Args:
        table: What `compare` returns.

    Returns:
        A figure to save.
    """
    chosen = table[table["statistic"] == "pearson"]
    runs = [of_run for _, of_run in chosen.groupby("run", sort=False)]
    num_methods = max(of_run["method"].nunique() for of_run in runs)
    num_rows, num_columns = (len(_LEVELS), len(runs)) if len(runs) > 1 else (1, len(_LEVELS))
    figure = Figure(
        figsize=(1.4 + 2.4 * num_columns, 1.3 + num_rows * (0.35 + 0.3 * num_methods)),
        dpi=200,
        layout=ConstrainedLayoutEngine(wspace=0.03, hspace=0.04),
    )
    grid = figure.subplots(num_rows, num_columns, squeeze=False, sharex=True)
    panels = grid if len(runs) > 1 else grid.T
    for column, of_run in enumerate(runs):
        for row, level in enumerate(_LEVELS):
            axes = panels[row, column]
            of_level = of_run[of_run["level"] == level]
            _draw_panel(axes, of_level, labels=axes in grid[:, 0])
            title = _title(of_level)
            heading = f"{_heading(of_run)}\n{title}" if row == 0 and len(runs) > 1 else title
            axes.set_title(heading, fontsize=8, color=DARK, linespacing=1.5)
            if axes in grid[-1]:
                axes.set_xlabel(_axis_label(of_run.iloc[0]), fontsize=8, color=DARK)
    if len(runs) == 1:
        figure.suptitle(_heading(runs[0]), fontsize=8, color=DARK)
    handles = [
        Line2D([], [], label=what, **dot(_COLOURS[control])) for control, what in _CONTROLS.items()
    ]
    if any(math.isfinite(paper_value(row)) for row in chosen.itertuples()):
        handles.append(Line2D([], [], label="the paper's Table 3", **_PAPER))
    # As many columns as there is room for.
    legend_below(figure, handles, min(len(handles), max(3, num_columns)))
    letter_panels(figure, grid.flat)
    return figure


def _heading(of_run: pd.DataFrame) -> str:
    first = of_run.iloc[0]
    num_genes = of_run["num_genes"].max()
    return f"{first['epigenome']}, {first['variant']}\nn = {num_genes:,} genes predicted ON"


def _title(of_level: pd.DataFrame) -> str:
    first = of_level.iloc[0]
    if first["level"] != "gene":
        return _LEVELS[first["level"]]
    # A gene without signal has no correlation.
    defined = of_level.loc[of_level["control"] == "none", "num_genes"]
    least, most = f"{defined.min():,}", f"{defined.max():,}"
    numbers = least if least == most else f"{least} to {most}"
    return f"{_LEVELS['gene']},\nwhich {numbers} genes have"


def _axis_label(row: pd.Series) -> str:
    held = row["validation_mark"]
    # Where both are of one dataset, the heading names it.
    if epigenome_of(row["validation_dataset"]) != row["epigenome"]:
        held += f" of {epigenome_of(row['validation_dataset'])}"
    return f"Pearson r of {row['mark']}'s importance\nwith {held}"


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
    axes.set_xticks([-1, -0.5, 0, 0.5, 1])
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_ylim(len(methods) - 0.5, -0.5)
    axes.set_yticks(range(len(methods)), methods if labels else [], fontsize=8, color=DARK)
