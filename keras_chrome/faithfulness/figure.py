"""What the faithfulness suite found as one figure."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure, SubFigure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from keras_chrome.faithfulness.measures import MEASURES, NAIVE_METHODS, Faithfulness
from keras_chrome.figures.axes import quiet, write_cells
from keras_chrome.figures.palette import DARK, GREY, SERIES_COLOURS

_GOOD = LinearSegmentedColormap.from_list("good", ["#f7fbff", "#9ecae1", "#2171b5"])
_TITLES = {
    "deletion": "deletion",
    "deletion_untrained": "untrained",
    "deletion_permuted": "shuffled\nlabels",
    "insertion": "insertion",
    "insertion_untrained": "untrained",
    "insertion_permuted": "shuffled\nlabels",
    "tau_occlusion": "tau with\nocclusion",
    "random_weights": "like\nuntrained",
    "permuted_labels": "like shuffled\nlabels",
    "seeds": "other\nseeds",
    "planted": "planted\nbins",
    "planted_untrained": "untrained",
    "planted_smooth": "planted,\nsmoothed",
}
_ARROWS = {"higher": "\N{UPWARDS ARROW}", "lower": "\N{DOWNWARDS ARROW}"}


def draw_faithfulness(result: Faithfulness) -> Figure:
    """Draw curves of deletion and insertion above a table of all methods and measures.

    In the table a darker cell is better, and an arrow says whether that is up or down; a column's
    scale runs from its worst to its best. Curves of methods are coloured, naive orders grey.

    Args:
        result: What `faithfulness` returns.

    Returns:
        A figure to save.
    """
    methods = [m for m in dict.fromkeys(result.curves["method"]) if m != "random"]
    figure = Figure(
        figsize=(8.6, 4.6 + 0.34 * len(methods)), dpi=200, layout=ConstrainedLayoutEngine()
    )
    grid = figure.add_gridspec(2, 1, height_ratios=[3.6, 1.0 + 0.34 * len(methods)])
    _draw_curves(figure.add_subfigure(grid[0]), result.curves)
    _draw_table(figure.add_subfigure(grid[1]).subplots(), result.scores, methods)
    return figure


def _draw_curves(figure: SubFigure, curves: pd.DataFrame) -> None:
    panels = figure.subplots(1, 2, sharey=True)
    titles = {"deletion": "bins emptied, foremost first", "insertion": "empty gene filled"}
    styles = _styles(list(dict.fromkeys(curves["method"])))
    for axes, (kind, title) in zip(panels, titles.items(), strict=True):
        quiet(axes, "left", "bottom", fontsize=8)
        of_kind = curves[curves["kind"] == kind]
        for method, of_method in of_kind.groupby("method", sort=False):
            axes.plot(
                of_method["fraction"], of_method["probability"], label=method, **styles[str(method)]
            )
        axes.set_title(title, fontsize=10, loc="left", color=DARK)
        axes.set_xlabel("share of all bins of all marks", fontsize=9, color=DARK)
        # Most happens among the first bins.
        axes.set_xscale("symlog", linthresh=0.01, linscale=0.4)
        axes.set_xticks([0, 0.01, 0.1, 1], ["0", "1 %", "10 %", "100 %"])
        axes.set_xlim(0, 1)
    panels[0].set_ylabel("mean P(high), genes predicted ON", fontsize=9, color=DARK)
    figure.legend(
        *panels[0].get_legend_handles_labels(),
        loc="outside right upper",
        frameon=False,
        fontsize=8,
        labelcolor=GREY,
    )


def _styles(methods: list[str]) -> dict[str, dict[str, Any]]:
    """Colours of methods, two methods a colour at most; greys of naive orders."""
    styles: dict[str, dict[str, Any]] = {}
    naive = dict(zip(NAIVE_METHODS, (":", "--", "-"), strict=True))
    own = [method for method in methods if method not in naive]
    for position, method in enumerate(own):
        turn, colour = divmod(position, len(SERIES_COLOURS))
        styles[method] = {
            "color": SERIES_COLOURS[colour],
            "linestyle": ("-", "--", ":")[turn % 3],
            "linewidth": 1.4,
        }
    for method, line in naive.items():
        styles[method] = {"color": GREY, "linestyle": line, "linewidth": 1.1}
    return styles


def _draw_table(axes: Axes, scores: pd.DataFrame, methods: list[str]) -> None:
    measures = [m for m in _TITLES if m in set(scores["measure"])]
    values = scores[scores["measure"].isin(measures)].pivot(
        index="method", columns="measure", values="value"
    )
    values = values.reindex(index=methods, columns=measures)
    signs = np.array([1 if MEASURES[m].better == "higher" else -1 for m in measures])
    goodness = values.to_numpy() * signs
    worst, best = (f(goodness, axis=0) for f in (np.nanmin, np.nanmax))
    shade = (goodness - worst) / np.where(best > worst, best - worst, 1)
    quiet(axes)
    cells = axes.pcolormesh(shade, cmap=_GOOD, vmin=0, vmax=1.15, edgecolors="white", linewidth=2)
    write_cells(axes, cells, values.to_numpy(), offset=0.5)
    axes.set_xlim(0, len(measures))
    axes.set_ylim(len(methods), 0)
    titles = [f"{_TITLES[m]} {_ARROWS[MEASURES[m].better]}" for m in measures]
    axes.set_xticks(np.arange(len(measures)) + 0.5, titles, fontsize=7.5, color=DARK)
    axes.xaxis.tick_top()
    axes.set_yticks(np.arange(len(methods)) + 0.5, methods, fontsize=8.5, color=DARK)
    for label in axes.get_yticklabels():
        if label.get_text() in NAIVE_METHODS:
            label.set_color(GREY)
            label.set_fontstyle("italic")
