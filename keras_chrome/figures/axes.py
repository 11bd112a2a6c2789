"""What figures share: quiet axes, dots, numbers in cells, letters of panels, a legend below."""

import math
import string
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axes._secondary_axes import SecondaryAxis
from matplotlib.axis import Axis
from matplotlib.cm import ScalarMappable
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from keras_chrome.figures.palette import DARK, GREY, PALE, readable_on


def edges_kb(bin_start_bp: Any, bin_bp: int) -> np.ndarray:
    """The edges of bins, `(bins + 1,)`, in kb, from where they start, `(bins,)` in bp."""
    start_bp = np.asarray(bin_start_bp, float)
    return np.append(start_bp, start_bp[-1] + bin_bp) / 1000


def quiet(axes: Axes | SecondaryAxis, *spines: str, fontsize: float = 7) -> None:
    """Leave these spines alone, pale, with grey numbers; ticks stand on them only."""
    for name, spine in axes.spines.items():
        spine.set(visible=name in spines, color=PALE)
    axes.tick_params(labelsize=fontsize, colors=GREY)
    axes.tick_params(axis="x", length=2 if "bottom" in spines else 0)
    axes.tick_params(axis="y", length=2 if {"left", "right"} & set(spines) else 0)


def round_ticks(axis: Axis, most: int) -> None:
    """At most so many intervals between ticks, at round numbers."""
    axis.set_major_locator(MaxNLocator(nbins=most, steps=[1, 2, 5, 10]))


def printed(words: str) -> str:
    """Words of the screen as print has them: `>=` is one character."""
    return words.replace(">=", "\N{GREATER-THAN OR EQUAL TO}")


def dot(colour: str, size: float = 5.0, *, is_filled: bool = True) -> dict[str, Any]:
    """The style of a dot, or of an open one; of a line for `plot` and `Line2D`."""
    return {
        "marker": "o",
        "linestyle": "none",
        "markersize": size,
        "markerfacecolor": colour if is_filled else "white",
        "markeredgecolor": "white" if is_filled else colour,
        "markeredgewidth": 0.5 if is_filled else 1.0,
    }


def draw_estimate(
    axes: Axes, y: float, estimate: Sequence[float] | np.ndarray, style: dict[str, Any]
) -> None:
    """Draw a value as a dot, and its interval as a line behind it.

    Args:
        axes: Where.
        y: At which height.
        estimate: The value, and the low and the high end of its interval.
        style: From `dot`.
    """
    value, low, high = estimate
    colour = style["markerfacecolor"]
    if colour == "white":
        colour = style["markeredgecolor"]
    axes.plot([low, high], [y, y], color=colour, linewidth=1.5, alpha=0.5, zorder=2)
    axes.plot([value], [y], zorder=3, **style)


def write_cells(
    axes: Axes, cells: ScalarMappable, values: np.ndarray, *, sign: str = "", offset: float = 0.0
) -> None:
    """Write a number into each cell of a heat map, so that it can be read on the cell's colour.

    Args:
        axes: Where the heat map is.
        cells: The heat map, from `imshow` or `pcolormesh`.
        values: The numbers, `(rows, columns)`; NaN leaves a cell empty.
        sign: `+` writes that of positive numbers, too.
        offset: Of a cell's centre from its place in `values`: 0.5 after `pcolormesh`.
    """
    colours = cells.to_rgba(np.reshape(np.ma.asarray(cells.get_array()), values.shape))
    for (y, x), value in np.ndenumerate(values):
        if math.isfinite(value):
            # Adding 0 keeps what rounds to nothing from being written as -0.00.
            text = f"{round(value, 2) + 0.0:{sign}.2f}"
            colour = readable_on(to_hex(tuple(colours[y, x])))
            at = x + offset, y + offset
            axes.text(*at, text, ha="center", va="center", fontsize=7, color=colour)


def letter_panels(figure: Figure, panels: Iterable[Axes]) -> None:
    """Write a, b, c ... in bold over the left edge of what belongs to each panel.

    The letters of panels one below the other stand one below the other. To be called last: where
    labels end is known once they are there.
    """
    panels = list(panels)
    figure.draw_without_rendering()
    left_of = {axes: (axes.get_tightbbox() or axes.bbox).x0 for axes in panels}
    for letter, axes in zip(string.ascii_lowercase, panels, strict=False):
        column = [left_of[other] for other in panels if abs(other.bbox.x0 - axes.bbox.x0) < 1]
        axes.annotate(
            letter,
            (0, 1),
            xycoords="axes fraction",
            xytext=((min(column) - axes.bbox.x0) * 72 / figure.dpi, 6),
            textcoords="offset points",
            va="bottom",
            fontsize=10,
            weight="bold",
            color=DARK,
            gid=f"panel-{letter}",
        )


def legend_below(figure: Figure, handles: Sequence[Artist], num_columns: int) -> None:
    """Add a legend under all axes."""
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=num_columns,
        frameon=False,
        fontsize=8,
        labelcolor=GREY,
        columnspacing=1.4,
        handletextpad=0.5,
    )
