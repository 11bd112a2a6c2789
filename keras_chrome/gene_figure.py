"""One gene as a figure: its signals, what alpha picks out of them, and beta."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

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
_GREY = "#666666"


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
    bin_bp = int(gene.attrs["bin_bp"])
    edges_kb = np.append(gene["bin"].values, gene["bin"].values[-1] + bin_bp) / 1000
    figure = Figure(figsize=(9, 1.2 + 1.15 * len(marks)), dpi=150, layout="constrained")
    grid = figure.add_gridspec(
        2 * len(marks), 2, width_ratios=[6, 1], height_ratios=[4, 1] * len(marks), hspace=0.02
    )
    has_beta = "beta" in gene
    has_alpha = "alpha" in gene
    highest_alpha = float(gene["alpha"].max()) if has_alpha else 1.0
    strip = None
    for row, mark in enumerate(marks):
        colour = _COLOURS.get(mark, _OTHER_COLOUR)
        of_mark = gene.sel(mark=mark)
        axes = figure.add_subplot(grid[2 * row, 0])
        axes.stairs(of_mark["signal"].values, edges_kb, fill=True, color=colour, alpha=0.85)
        axes.axvline(0, color=_GREY, linewidth=0.8, linestyle=":")
        axes.set_xlim(edges_kb[0], edges_kb[-1])
        axes.set_ylim(0, max(1.0, 1.08 * float(of_mark["signal"].max())))
        axes.yaxis.set_major_locator(_few_ticks())
        axes.tick_params(labelbottom=False, bottom=False, labelsize=7, colors=_GREY)
        axes.spines[["top", "right", "bottom"]].set_visible(False)
        axes.set_ylabel(mark, rotation=0, ha="right", va="center", fontsize=9, color=colour)
        below = figure.add_subplot(grid[2 * row + 1, 0])
        if has_alpha:
            strip = below.pcolormesh(
                edges_kb,
                [0, 1],
                of_mark["alpha"].values[np.newaxis],
                cmap="Greys",
                vmin=0,
                vmax=highest_alpha,
            )
        below.set_yticks([])
        below.spines[["top", "right", "left", "bottom"]].set_edgecolor("#cccccc")
        last = row == len(marks) - 1
        below.tick_params(labelbottom=last, bottom=last, labelsize=8, colors=_GREY)
        if last:
            direction = "direction of transcription" if bool(gene["oriented"]) else "genome"
            below.set_xlabel(f"distance from the TSS along the {direction} (kb)", fontsize=9)
        if has_beta:
            bar = figure.add_subplot(grid[2 * row, 1])
            value = float(of_mark["beta"])
            bar.barh([0], [value], color=colour, height=0.5)
            bar.text(value + 0.03, 0, f"{value:.2f}", va="center", fontsize=8, color=_GREY)
            bar.set_xlim(0, 1.25)
            bar.set_ylim(-0.7, 0.7)
            bar.axis("off")
            if row == 0:
                bar.set_title("beta", fontsize=9, loc="left", color=_GREY)
    if strip is not None:
        scale = figure.colorbar(
            strip, ax=figure.axes, location="bottom", shrink=0.25, aspect=30, anchor=(0.0, 0.0)
        )
        scale.set_label("alpha", fontsize=8)
        scale.ax.tick_params(labelsize=7)
    figure.suptitle(_title(gene), fontsize=10, x=0.01, ha="left")
    return figure


def _few_ticks() -> MaxNLocator:
    return MaxNLocator(nbins=2, integer=True)


def _title(gene: xr.Dataset) -> str:
    name = str(gene["symbol"].values) or str(gene["gene_id"].values)
    place = ""
    if int(gene["tss"]) >= 0:
        # Positions are 0-based; people and genome browsers read 1-based ones.
        place = f"{gene['chrom'].values}:{int(gene['tss']) + 1:,} ({gene['strand'].values or '?'})"
    rpkm = float(gene["rpkm"])
    truth = f"{'high' if int(gene['label']) else 'low'} ({gene.attrs['label_rule']} label"
    truth += f", {rpkm:.3g} RPKM)" if np.isfinite(rpkm) else ")"
    parts = [
        name,
        place,
        f"{gene.attrs['dataset']}, {gene.attrs['split']} split",
        f"P(high) = {float(gene['probability']):.2f}, measured {truth}",
    ]
    return "   ".join(filter(None, parts))
