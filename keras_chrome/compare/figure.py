"""A comparison with a validation mark as a figure."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from keras_chrome.compare.correlations import NAIVE_METHODS
from keras_chrome.compare.paper import paper_value
from keras_chrome.data import epigenome_of
from keras_chrome.figures.axes import dot, draw_estimate, legend_below, letter_panels, quiet
from keras_chrome.figures.palette import DARK, GREY, PALE, SERIES_COLOURS

# A panel's level, control and form, and what its title says.
_PANELS = {
    ("profile", "none", "none"): "mean over genes, then correlated",
    ("gene", "none", "none"): "each gene correlated, then the mean",
    ("profile", "signal", "linear_log"): "means, the mark's own signal held fixed",
    ("gene", "signal", "linear_log"): "each gene, its signal held fixed",
}
_NETWORKS = {
    "none": ("knows nothing of the model", dot(GREY, 4.5)),
    "trained": ("trained, 95 % interval over genes and trainings", dot(SERIES_COLOURS[0], 5.0)),
    "permuted_labels": (
        "trained on shuffled labels, mean and range",
        dot(SERIES_COLOURS[1], 4.0, is_filled=False),
    ),
    "untrained": ("untrained, mean and range", dot(GREY, 4.0, is_filled=False)),
}
_OFFSETS = {"none": 0.0, "trained": -0.25, "permuted_labels": 0.03, "untrained": 0.27}
_PAPER: dict[str, Any] = {
    "marker": "x",
    "linestyle": "none",
    "markersize": 6,
    "color": SERIES_COLOURS[5],
}


def draw_comparison(table: pd.DataFrame) -> Figure:
    """Draw Pearson's correlations: of several runs a column each, of one its panels side by side.

    A row is a method. Dots with intervals are trained networks; below them stand those that have
    learned nothing. A cross is the paper's own value.

    Args:
        table: What `compare` returns.

    Returns:
        A figure to save.
    """
    chosen = table[table["statistic"] == "pearson"]
    runs = [of_run for _, of_run in chosen.groupby("run", sort=False)]
    # A row is the same method in every panel, though not every model has it.
    methods = list(dict.fromkeys(chosen["method"]))
    num_rows, num_columns = (len(_PANELS), len(runs)) if len(runs) > 1 else (2, 2)
    figure = Figure(
        figsize=(1.4 + 2.6 * num_columns, 1.5 + num_rows * (0.4 + 0.3 * len(methods))),
        dpi=200,
        layout=ConstrainedLayoutEngine(wspace=0.03, hspace=0.04),
    )
    grid = figure.subplots(num_rows, num_columns, squeeze=False, sharex=True)
    for column, of_run in enumerate(runs):
        panels = grid[:, column] if len(runs) > 1 else grid.flat
        for axes, (level, control, form) in zip(panels, _PANELS, strict=True):
            rows = of_run.query("level == @level and control == @control and form == @form")
            _draw_panel(axes, rows, methods, labels=axes in grid[:, 0])
            title = _title(rows, _PANELS[level, control, form])
            is_top = axes in grid[0] and len(runs) > 1
            heading = f"{_heading(of_run)}\n{title}" if is_top else title
            axes.set_title(heading, fontsize=8, color=DARK, linespacing=1.5)
            if axes in grid[-1]:
                axes.set_xlabel(_axis_label(of_run.iloc[0]), fontsize=8, color=DARK)
    if len(runs) == 1:
        figure.suptitle(_heading(runs[0]), fontsize=8, color=DARK)
    handles = [
        Line2D([], [], label=label, **style)
        for kind, (label, style) in _NETWORKS.items()
        if (chosen["network"] == kind).any()
    ]
    if any(math.isfinite(paper_value(row)) for row in chosen.itertuples()):
        handles.append(Line2D([], [], label="the paper's Table 3", **_PAPER))
    # As many columns as there is room for.
    legend_below(figure, handles, 2 if num_columns < 3 else 3)
    letter_panels(figure, grid.flat)
    return figure


def _heading(of_run: pd.DataFrame) -> str:
    first = of_run.iloc[0]
    num_genes = of_run["num_genes"].max()
    return f"{first['epigenome']}, {first['variant']}\nn = {num_genes:,} genes predicted ON"


def _title(rows: pd.DataFrame, title: str) -> str:
    first = rows.iloc[0]
    if (first["level"], first["control"]) != ("gene", "none"):
        return title
    # A gene without signal has no correlation.
    least, most = f"{rows['num_genes'].min():,}", f"{rows['num_genes'].max():,}"
    numbers = least if least == most else f"{least} to {most}"
    return f"{title},\nwhich {numbers} genes have"


def _axis_label(row: pd.Series) -> str:
    held = row["validation_mark"]
    # Where both are of one dataset, the heading names it.
    if epigenome_of(row["validation_dataset"]) != row["epigenome"]:
        held += f" of {epigenome_of(row['validation_dataset'])}"
    return f"Pearson r of {row['mark']}'s importance\nwith {held}"


def _draw_panel(axes: Axes, rows: pd.DataFrame, methods: Sequence[str], *, labels: bool) -> None:
    quiet(axes, "bottom")
    for y, method in enumerate(methods):
        axes.axhline(y + 0.5, color=PALE, linewidth=0.5, zorder=0)
        of_method = rows[rows["method"] == method]
        for _, row in of_method.iterrows():
            _, style = _NETWORKS[row["network"]]
            estimate = (row["r"], row["low"], row["high"])
            draw_estimate(axes, y + _OFFSETS[row["network"]], estimate, style)
        at_paper = of_method.query("level == 'profile' and control == 'none'")
        for named in at_paper[at_paper["network"] == "trained"].itertuples():
            axes.plot([paper_value(named)], [y + _OFFSETS["trained"]], zorder=4, **_PAPER)
    axes.axvline(0, color=GREY, linewidth=0.8)
    axes.set_xlim(-1.03, 1.03)
    axes.set_xticks(np.linspace(-1, 1, 5))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_ylim(len(methods) - 0.5, -0.5)
    axes.set_yticks(range(len(methods)), methods if labels else [], fontsize=8, color=DARK)
    for label in axes.get_yticklabels():
        if label.get_text() in NAIVE_METHODS:
            label.set(color=GREY, fontstyle="italic")
