"""One gene as a figure: its signals, what alpha picks out of them, what it adds, and beta."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from keras_chrome.figures.axes import edges_kb, legend_below, quiet
from keras_chrome.figures.palette import (
    DARK,
    DOWN_COLOUR,
    GREY,
    PALE,
    UP_COLOUR,
    mark_colour,
    mark_text_colour,
)
from keras_chrome.tables import format_number

# Two columns of most journals: nothing is scaled down in print.
_WIDTH_INCHES = 7.2
_MAP = LinearSegmentedColormap.from_list("alpha", ["white", "black"])


def draw_gene(gene: xr.Dataset) -> Figure:
    """Draw one gene of what `attend` returns.

    Each row is a mark: the signal a bin as an area, alpha below it as a strip, darker where the
    model attends more; one scale of alpha for all marks. Bars on the right are beta, from 0 to 1.
    Of an additive model a third line has what each bin adds to the answer, up and down from 0, on
    one scale for all marks, and its sum stands below beta.

    Args:
        gene: One gene, without the gene dimension.

    Returns:
        A figure to save.
    """
    marks = [str(m) for m in gene["mark"].values]
    edges = edges_kb(gene["bin"].values, gene.attrs["bin_bp"])
    has_beta, has_sums = "beta" in gene, "contribution" in gene
    # Inches.
    of_mark = [0.4, 0.13, *([0.2] if has_sums else [])]
    figure = Figure(
        figsize=(_WIDTH_INCHES, 1.5 + (1.2 if has_sums else 0.84) * len(marks)),
        dpi=200,
        layout=ConstrainedLayoutEngine(h_pad=0.03, w_pad=0.03, hspace=0, wspace=0.02),
    )
    grid = figure.add_gridspec(
        1 + len(of_mark) * len(marks),
        2 if has_beta else 1,
        width_ratios=[5, 1] if has_beta else None,
        # The first is for the lines above.
        height_ratios=[0.42, *of_mark * len(marks)],
    )
    _write_heading(figure.add_subplot(grid[0, :]), _heading(gene))
    highest = float(gene["alpha"].max())
    strips, beside = [], []
    for number, mark in enumerate(marks):
        row = 1 + len(of_mark) * number
        values = gene.sel(mark=mark)
        _draw_signal(figure.add_subplot(grid[row, 0]), values["signal"], edges, mark)
        strips.append(figure.add_subplot(grid[row + 1, 0]))
        scale = _draw_alpha(strips[-1], values["alpha"].values, edges, highest)
        if has_sums:
            strips.append(figure.add_subplot(grid[row + 2, 0]))
            _draw_sums(strips[-1], values["contribution"].values, edges, _range_of_sums(gene))
        if has_beta:
            beside.append(figure.add_subplot(grid[row : row + len(of_mark), 1]))
            _draw_beta(beside[-1], float(values["beta"]), mark)
            if has_sums:
                _write_sum(beside[-1], float(values["contribution"].sum()))
    _add_axes_below(strips, _direction(gene))
    if has_beta:
        _add_axes_below(beside, "beta, the attention\nto a mark")
    _add_scale(figure, scale, [*strips, *beside])
    if has_sums:
        _add_key_of_sums(figure, gene["contribution"])
    figure.align_ylabels()
    return figure


def _write_heading(axes: Axes, lines: Sequence[str]) -> None:
    axes.axis("off")
    axes.text(0, 1, lines[0], va="top", fontsize=11, weight="bold", style="italic", color=DARK)
    axes.text(0, 0, "\n".join(lines[1:]), fontsize=7.5, color=GREY, linespacing=1.4)


def _draw_signal(axes: Axes, signal: xr.DataArray, edges: np.ndarray, mark: str) -> None:
    values = signal.values
    axes.stairs(values, edges, fill=True, color=mark_colour(mark))
    axes.axvline(0, color=GREY, linewidth=0.8, linestyle=":")
    axes.set_xlim(edges[0], edges[-1])
    # A mark without signal gets a scale, too; reads are counted in whole numbers.
    axes.set_ylim(0, 1.08 * float(values.max()) or 1)
    axes.yaxis.set_major_locator(
        MaxNLocator(nbins=2, steps=[1, 2, 5, 10], integer=not (values % 1).any())
    )
    axes.yaxis.set_major_formatter("{x:,g}")
    axes.set_title(mark, fontsize=8, loc="left", pad=2, color=mark_text_colour(mark), weight="bold")
    axes.set_ylabel(signal.attrs.get("units", "signal"), fontsize=7, color=GREY)
    quiet(axes, "left")
    axes.tick_params(labelbottom=False)


def _draw_alpha(axes: Axes, alpha: np.ndarray, edges: np.ndarray, highest: float) -> QuadMesh:
    strip = axes.pcolormesh(edges, [0, 1], alpha[np.newaxis], cmap=_MAP, vmin=0, vmax=highest)
    axes.set_yticks([0.5], ["alpha"], fontsize=7)
    quiet(axes, *axes.spines)
    axes.tick_params(axis="y", length=0)
    return strip


def _range_of_sums(gene: xr.Dataset) -> tuple[float, float]:
    low, high = (float(of) for of in (gene["contribution"].min(), gene["contribution"].max()))
    return min(low, 0.0), max(high, 0.0, low + 1e-30)


def _draw_sums(
    axes: Axes, values: np.ndarray, edges: np.ndarray, ends: tuple[float, float]
) -> None:
    for of_sign, colour in ((values.clip(min=0), UP_COLOUR), (values.clip(max=0), DOWN_COLOUR)):
        axes.stairs(of_sign, edges, fill=True, color=colour)
    axes.axhline(0, color=GREY, linewidth=0.6)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(ends)
    axes.set_yticks([0], ["adds"], fontsize=7)
    quiet(axes)
    axes.tick_params(axis="y", length=0)


def _write_sum(axes: Axes, total: float) -> None:
    # Adding 0 keeps what rounds to nothing from being written as -0.00.
    text = f"adds {round(total, 2) + 0.0:+.2f}".replace("-", "\N{MINUS SIGN}")
    axes.annotate(
        text,
        (0, 0),
        xycoords="axes fraction",
        xytext=(3, 3),
        textcoords="offset points",
        fontsize=7,
        color=DARK,
    )


def _add_key_of_sums(figure: Figure, contribution: xr.DataArray) -> None:
    most = format_number(float(np.abs(contribution).max()))
    summed = contribution.attrs["long_name"].removeprefix("what a bin adds to the ")
    handles = [
        Patch(color=UP_COLOUR, label="raises"),
        Patch(color=DOWN_COLOUR, label=f"lowers the {summed}, by up to {most} a bin"),
    ]
    legend_below(figure, handles, len(handles))


def _draw_beta(axes: Axes, beta: float, mark: str) -> None:
    axes.barh([0], [beta], color=mark_colour(mark), height=0.5)
    axes.annotate(
        f"{beta:.2f}",
        (beta, 0),
        xytext=(3, 0),
        textcoords="offset points",
        va="center",
        fontsize=7,
        color=DARK,
    )
    axes.set_xlim(0, 1)
    axes.set_ylim(-0.7, 0.7)
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.set_yticks([])
    quiet(axes, "left", "bottom")


def _add_axes_below(column: Sequence[Axes], label: str) -> None:
    """Numbers and a label below the last of axes that have one scale."""
    for axes in column[:-1]:
        axes.tick_params(labelbottom=False, bottom=False)
    column[-1].set_xlabel(label, fontsize=8, color=DARK)


def _add_scale(figure: Figure, mapped: QuadMesh, of_axes: Sequence[Axes]) -> None:
    scale = figure.colorbar(
        mapped,
        ax=of_axes,
        location="bottom",
        shrink=0.25,
        aspect=22,
        pad=0.01,
        anchor=(0.0, 1.0),
        ticks=MaxNLocator(nbins=4, steps=[1, 2, 5, 10]),
        format="{x:g}",
    )
    scale.ax.annotate(
        "alpha, the attention to a bin of its mark",
        (1, 0.5),
        xycoords="axes fraction",
        xytext=(8, 0),
        textcoords="offset points",
        va="center",
        fontsize=8,
        color=DARK,
    )
    quiet(scale.ax, "bottom")
    scale.outline.set(visible=True, edgecolor=PALE)


def _predicted(gene: xr.Dataset) -> str:
    """What the model says, of classification or of regression."""
    if "probability" in gene:
        return f"P(high) = {float(gene['probability']):.2f}"
    scale = gene["expression"].attrs["units"]
    return f"predicted {scale} = {float(gene['expression']):.2f}"


def _direction(gene: xr.Dataset) -> str:
    direction = "in the direction of transcription" if bool(gene["oriented"]) else "on the genome"
    return f"kb from the TSS, {direction}"


def _heading(gene: xr.Dataset) -> list[str]:
    """The name, where the gene lies, and what is predicted and measured, a line each."""
    name = str(gene["symbol"].values) or str(gene["gene_id"].values)
    place = ""
    if int(gene["tss"]) >= 0:
        place = f"{gene['chrom'].values}:{int(gene['tss']):,} ({gene['strand'].values or '?'})"
    rpkm = float(gene["rpkm"])
    truth = f"{'high' if int(gene['label']) else 'low'} ({gene.attrs['label_rule']} label"
    unit = gene["rpkm"].attrs["units"]
    truth += f", {format_number(rpkm)} {unit})" if np.isfinite(rpkm) else ")"
    facts = [
        str(gene["transcript_id"].values),
        place,
        f"{gene.attrs['dataset']}, {gene.attrs['split']} split",
    ]
    return [
        name,
        "   ".join(filter(None, facts)),
        f"{_predicted(gene)}, measured {truth}",
    ]
