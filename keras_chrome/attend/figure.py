"""One gene as a figure: its signals, what alpha picks out of them, and beta."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator

from keras_chrome.figures.axes import edges_kb, quiet
from keras_chrome.figures.palette import GREY, PALE, mark_colour
from keras_chrome.tables import format_number


def draw_gene(gene: xr.Dataset) -> Figure:
    """Draw one gene of what `attend` returns.

    Each row is a mark: the signal a bin as an area, alpha below it as a strip, darker where the
    model attends more; one scale of alpha for all marks. Bars on the right are beta.

    Args:
        gene: One gene, without the gene dimension.

    Returns:
        A figure to save.
    """
    marks = [str(m) for m in gene["mark"].values]
    edges = edges_kb(gene["bin"].values, gene.attrs["bin_bp"])
    layout = ConstrainedLayoutEngine(h_pad=0.01, w_pad=0.02, hspace=0, wspace=0.01)
    figure = Figure(figsize=(9, 1.1 + len(marks)), dpi=150, layout=layout)
    grid = figure.add_gridspec(
        2 * len(marks), 2, width_ratios=[6, 1], height_ratios=[4, 1] * len(marks)
    )
    for row, mark in enumerate(marks):
        colour = mark_colour(mark)
        of_mark = gene.sel(mark=mark)
        axes = figure.add_subplot(grid[2 * row, 0])
        _draw_signal(axes, of_mark["signal"].values, edges, colour)
        axes.set_ylabel(mark, rotation=0, ha="right", va="center", fontsize=9, color=colour)
        axes = figure.add_subplot(grid[2 * row + 1, 0])
        is_last = row == len(marks) - 1
        axes.tick_params(labelbottom=is_last, bottom=is_last, labelsize=8, colors=GREY)
        if "alpha" in gene:
            strip = _draw_alpha(axes, of_mark["alpha"].values, edges, float(gene["alpha"].max()))
            if is_last:
                scale = figure.add_subplot(grid[2 * row + 1, 1])
                figure.colorbar(strip, cax=scale, orientation="horizontal")
                scale.set_xlabel("alpha", fontsize=9)
                scale.xaxis.set_major_locator(MaxNLocator(nbins=3))
                scale.tick_params(labelsize=7, colors=GREY)
                scale.spines[:].set_edgecolor(PALE)
        if "beta" in gene:
            axes_of_beta = figure.add_subplot(grid[2 * row, 1])
            _draw_beta(axes_of_beta, float(of_mark["beta"]), float(gene["beta"].max()), colour)
            if row == 0:
                axes_of_beta.set_title("beta", fontsize=9, loc="left")
    direction = "direction of transcription" if bool(gene["oriented"]) else "genome"
    axes.set_xlabel(f"distance from the TSS along the {direction} (kb)", fontsize=9)
    figure.suptitle(_title(gene), fontsize=10, x=0.01, ha="left")
    return figure


def _draw_signal(axes: Axes, signal: np.ndarray, edges: np.ndarray, colour: str) -> None:
    axes.stairs(signal, edges, fill=True, color=colour, alpha=0.85)
    axes.axvline(0, color=GREY, linewidth=0.8, linestyle=":")
    axes.set_xlim(edges[0], edges[-1])
    # An empty mark gets a scale, too: one read.
    axes.set_ylim(0, max(1.0, 1.08 * float(signal.max())))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=2, integer=True))
    quiet(axes, "left")
    axes.tick_params(labelbottom=False)


def _draw_alpha(axes: Axes, alpha: np.ndarray, edges: np.ndarray, highest: float) -> QuadMesh:
    axes.set_yticks([])
    axes.spines[:].set_edgecolor(PALE)
    return axes.pcolormesh(edges, [0, 1], alpha[np.newaxis], cmap="Greys", vmin=0, vmax=highest)


def _draw_beta(axes: Axes, beta: float, highest: float, colour: str) -> None:
    axes.barh([0], [beta], color=colour, height=0.5, alpha=0.85)
    axes.text(beta + 0.03 * highest, 0, f"{beta:.2f}", va="center", fontsize=8, color=GREY)
    # Room for the number.
    axes.set_xlim(0, 1.4 * highest)
    axes.set_ylim(-0.7, 0.7)
    axes.axis("off")


def _title(gene: xr.Dataset) -> str:
    name = str(gene["symbol"].values) or str(gene["gene_id"].values)
    place = ""
    if int(gene["tss"]) >= 0:
        place = f"{gene['chrom'].values}:{int(gene['tss']):,} ({gene['strand'].values or '?'})"
    rpkm = float(gene["rpkm"])
    truth = f"{'high' if int(gene['label']) else 'low'} ({gene.attrs['label_rule']} label"
    unit = gene["rpkm"].attrs["units"]
    truth += f", {format_number(rpkm)} {unit})" if np.isfinite(rpkm) else ")"
    parts = [
        name,
        str(gene["transcript_id"].values),
        place,
        f"{gene.attrs['dataset']}, {gene.attrs['split']} split",
        f"P(high) = {float(gene['probability']):.2f}, measured {truth}",
    ]
    return "   ".join(filter(None, parts))
