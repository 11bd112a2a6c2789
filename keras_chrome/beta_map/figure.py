"""Attention to marks as a heat map: a panel a gene, a row an epigenome."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from keras_chrome.figures.axes import quiet, round_ticks, write_cells
from keras_chrome.figures.palette import DARK, GREY, PALE, SERIES_COLOURS
from keras_chrome.tables import format_number

_ROW_INCHES = 0.27
_MARK_INCHES = 0.58
_MAP = LinearSegmentedColormap.from_list("beta", ["white", SERIES_COLOURS[0]])


def draw_beta_map(table: pd.DataFrame) -> Figure:
    """Draw a panel for each gene, with one scale of beta for all.

    Beside each row stand the predicted probability, as a bar from 0 to 1 with a line at 0.5, and
    what was measured. A cell is empty where the run was not trained on the mark.

    Args:
        table: From `keras_chrome.beta_map`.

    Returns:
        A figure to save.
    """
    panels = [of_gene for _, of_gene in table.groupby("gene", sort=False)]
    marks = [c.removeprefix("beta_") for c in table.columns if c.startswith("beta_")]
    highest = float(np.nanmax(_beta(table, marks)))
    map_inches = _MARK_INCHES * len(marks)
    figure = Figure(
        figsize=(
            3.0 + map_inches + 0.06 * max(table["epigenome"].str.len().max() - 8, 0),
            0.75 + sum(0.6 + _ROW_INCHES * len(panel) for panel in panels),
        ),
        dpi=300,
        layout=ConstrainedLayoutEngine(h_pad=0.03, w_pad=0.02, hspace=0.06, wspace=0.01),
    )
    grid = figure.add_gridspec(
        len(panels),
        3,
        width_ratios=[map_inches, 0.75, 1.1],
        height_ratios=[len(panel) for panel in panels],
    )
    maps = []
    for row, panel in enumerate(panels):
        axes = figure.add_subplot(grid[row, 0])
        mesh = _draw_map(axes, panel, marks, highest)
        _draw_probability(figure.add_subplot(grid[row, 1]), panel)
        _write_measured(figure.add_subplot(grid[row, 2]), panel)
        maps.append(axes)
    scale = figure.colorbar(
        mesh, ax=maps, location="bottom", aspect=30, shrink=0.6, pad=0.02, fraction=0.05
    )
    scale.set_label("beta, the attention to a mark", fontsize=7, color=DARK)
    quiet(scale.ax, "bottom")
    round_ticks(scale.ax.xaxis, 4)
    scale.outline.set_visible(False)
    return figure


def _beta(table: pd.DataFrame, marks: list[str]) -> np.ndarray:
    return table[[f"beta_{mark}" for mark in marks]].to_numpy(float)


def _draw_map(axes: Axes, panel: pd.DataFrame, marks: list[str], highest: float) -> QuadMesh:
    beta = _beta(panel, marks)
    mesh = axes.pcolormesh(
        np.ma.masked_invalid(beta), cmap=_MAP, vmin=0, vmax=highest, edgecolors="white", linewidth=1
    )
    write_cells(axes, mesh, beta, offset=0.5)
    quiet(axes)
    axes.set_ylim(len(panel), 0)
    axes.set_yticks(np.arange(len(panel)) + 0.5, panel["epigenome"], fontsize=8, color=DARK)
    axes.xaxis.tick_top()
    axes.set_xticks(np.arange(len(marks)) + 0.5, marks, fontsize=7, color=DARK)
    axes.tick_params(pad=2)
    title = _title(panel.iloc[0])
    # At a height of its own: the layout does not know of a title that makes way for ticks.
    axes.set_title(title, fontsize=8, loc="left", color=DARK, weight="bold", y=1, pad=16)
    return mesh


def _draw_probability(axes: Axes, panel: pd.DataFrame) -> None:
    middle = np.arange(len(panel)) + 0.5
    axes.barh(middle, 1, height=0.5, color=PALE, alpha=0.4)
    axes.barh(middle, panel["probability"], height=0.5, color=GREY)
    axes.axvline(0.5, color=DARK, linewidth=0.8, linestyle=":")
    for y, probability in zip(middle, panel["probability"], strict=True):
        axes.text(1.08, y, f"{probability:.2f}", va="center", fontsize=7, color=DARK)
    axes.set_xlim(0, 1.6)
    axes.set_ylim(len(panel), 0)
    axes.axis("off")
    _write_header(axes, 0, "predicted\nP(high)")


def _write_measured(axes: Axes, panel: pd.DataFrame) -> None:
    axes.set_xlim(0, 1)
    axes.set_ylim(len(panel), 0)
    axes.axis("off")
    # Epigenomes may have been measured in several.
    unit = "/".join(panel["unit"].unique())
    cells = {
        f"measured\n{unit}": [format_number(rpkm) for rpkm in panel["rpkm"]],
        "\nlabel": ["high" if label else "low" for label in panel["label"]],
        "\nsplit": list(panel["split"]),
    }
    for x, (header, texts) in zip((0, 0.45, 0.75), cells.items(), strict=True):
        _write_header(axes, x, header)
        for i, text in enumerate(texts):
            weight = "bold" if text == "high" else "normal"
            axes.text(x, i + 0.5, text, va="center", fontsize=7, color=DARK, weight=weight)


def _write_header(axes: Axes, x: float, text: str) -> None:
    axes.annotate(
        text,
        (x, 0),
        xytext=(0, 4),
        textcoords="offset points",
        va="bottom",
        fontsize=7,
        color=GREY,
    )


def _title(row: pd.Series) -> str:
    place = f"{row['chrom']}:{row['tss']:,}" if row["tss"] >= 0 else ""
    name = row["symbol"] or row["gene_id"]
    return ", ".join(filter(None, [name, row["transcript_id"], place]))
