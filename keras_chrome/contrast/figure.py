"""Two epigenomes as a figure: predicted against measured change, and what changed on the marks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from keras_chrome.figures.axes import dot, draw_estimate, legend_below, letter_panels, quiet
from keras_chrome.figures.palette import (
    DARK,
    DOWN_COLOUR,
    GREY,
    PALE,
    UP_COLOUR,
    mark_text_colour,
)

if TYPE_CHECKING:
    from keras_chrome.contrast.epigenomes import Contrast

# The genes that stay as they are lie below the others. Shapes say once more what colours say.
_GROUPS: dict[str, dict[str, Any]] = {
    "same": dot(GREY),
    "gained": dot(UP_COLOUR) | {"marker": "^"},
    "lost": dot(DOWN_COLOUR) | {"marker": "v"},
}
_PREDICTED_BY = {
    "difference": "own models",
    "signal_effect_a": "signal, by model A",
    "signal_effect_b": "signal, by model B",
    "signal_effect": "signal, mean of both",
    "model_effect": "model",
}
_QUANTITIES = {
    "signal_change": "change of mean\nlog(1 + signal)",
    "beta_change": "change of beta",
    "alpha_distance": "distance of the alphas",
}
# Two columns of most journals: nothing is scaled down in print.
_WIDTH_INCHES = 7.2
_REFERENCE: dict[str, Any] = {"color": PALE, "linewidth": 0.8, "zorder": 0}


def draw_contrast(contrast: Contrast) -> Figure:
    """Draw what `contrast` returns.

    Above, every gene's predicted against its measured change, and how well the two agree by AUROC
    and by Spearman's correlation; below, what changes on each mark in genes that gain, lose or
    keep their expression. Bars are 95 % intervals over genes. Variants without attention have
    fewer panels below.

    Args:
        contrast: From `keras_chrome.contrast`.

    Returns:
        A figure to save.
    """
    figure = Figure(figsize=(_WIDTH_INCHES, 5.2), dpi=200, layout="constrained")
    grid = figure.subplots(2, 3)
    for axes in grid.flat:
        quiet(axes, "left", "bottom")
    _draw_genes(grid[0, 0], contrast.genes, contrast.unit)
    _draw_agreement(grid[0, 1], contrast.agreement, "auroc", "AUROC,\ngained against lost", 0.5)
    _draw_agreement(
        grid[0, 2], contrast.agreement, "spearman", "Spearman's rho with\nlog2 fold change", 0.0
    )
    changes = contrast.mark_changes
    shown = [q for q in _QUANTITIES if (changes["quantity"] == q).any()]
    for axes, quantity in zip(grid[1], shown, strict=False):
        _draw_mark_changes(axes, changes[changes["quantity"] == quantity], contrast.marks)
        axes.set_xlabel(_QUANTITIES[quantity], fontsize=8, color=DARK)
    for axes in grid[1, len(shown) :]:
        axes.axis("off")
    figure.align_xlabels()
    num = contrast.genes["measured"].value_counts()
    handles = [
        Line2D([], [], label=f"{name} (n = {num.get(name, 0):,} genes)", **style)
        for name, style in _GROUPS.items()
    ]
    legend_below(figure, handles, len(handles))
    names = f"from A = {contrast.name_a} to B = {contrast.name_b}"
    figure.suptitle(names, fontsize=7, color=DARK, x=0.01, ha="left")
    letter_panels(figure, [*grid[0], *grid[1, : len(shown)]])
    return figure


def _draw_genes(axes: Axes, genes: pd.DataFrame, unit: str) -> None:
    axes.axhline(0, **_REFERENCE)
    axes.axvline(0, **_REFERENCE)
    for group, style in _GROUPS.items():
        of_group = genes[genes["measured"] == group]
        axes.plot(
            of_group["log2_fold_change"],
            of_group["difference"],
            **style | {"markersize": 2.5, "markeredgewidth": 0, "alpha": 0.5},
            # Thousands of dots would make a vector file that no viewer likes to open.
            rasterized=True,
        )
    axes.set_ylim(-1.05, 1.05)
    axes.set_xlabel(f"log2 fold change of {unit},\nB over A", fontsize=8, color=DARK)
    axes.set_ylabel("change of P(high), own models", fontsize=8, color=DARK)


def _draw_agreement(
    axes: Axes, agreement: pd.DataFrame, measure: str, title: str, chance: float
) -> None:
    axes.axvline(chance, **_REFERENCE)
    columns = [measure, f"{measure}_low", f"{measure}_high"]
    for y, estimate in enumerate(agreement[columns].to_numpy(float)):
        draw_estimate(axes, y, estimate, dot(DARK))
    names = [_PREDICTED_BY[name] for name in agreement["predicted_by"]]
    axes.set_yticks(range(len(names)), names, fontsize=7, color=DARK)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlabel(title, fontsize=8, color=DARK)


def _draw_mark_changes(axes: Axes, changes: pd.DataFrame, marks: tuple[str, ...]) -> None:
    axes.axvline(0, **_REFERENCE)
    offsets = np.linspace(0.22, -0.22, len(_GROUPS))
    for (group, style), offset in zip(_GROUPS.items(), offsets, strict=True):
        of_group = changes[changes["genes"] == group].set_index("mark")
        for y, mark in enumerate(marks):
            estimate = of_group.loc[mark, ["mean", "low", "high"]].to_numpy(float)
            draw_estimate(axes, y + offset, estimate, style)
    axes.set_yticks(range(len(marks)), marks, fontsize=7)
    for label, mark in zip(axes.get_yticklabels(), marks, strict=True):
        label.set_color(mark_text_colour(mark))
    axes.set_ylim(len(marks) - 0.5, -0.5)
