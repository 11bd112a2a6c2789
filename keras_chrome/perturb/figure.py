"""What each mark and each pair of marks does to the prediction, as heat maps."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from keras_chrome.figures.axes import printed, quiet, write_cells
from keras_chrome.figures.palette import DARK, GREY, PALE, mark_text_colour


class _Measure(NamedTuple):
    """A column of heat maps: what of the matrix it shows, and how."""

    column: str
    title: str
    is_signed: bool


_MEASURES = (
    _Measure("logit_change", "mean change of logit", True),
    _Measure("probability_change", "mean change of probability", True),
    _Measure("share_flipped", "share of genes that flip", False),
    _Measure("interaction", "interaction (logit)", True),
)
_CELL_INCHES = 0.55


def draw_perturbation(matrix: pd.DataFrame) -> Figure:
    """Draw what `perturb_all_marks` returns.

    A row of heat maps is the genes predicted high or low before. On the diagonal a mark is changed
    alone, below it two marks at once. A measure has one scale for both rows. Without pairs there
    is no interaction; genes that are not there leave their heat maps empty.

    Args:
        matrix: From `perturb_all_marks`.

    Returns:
        A figure to save.
    """
    matrix = matrix.assign(share_flipped=matrix["share_to_high"] + matrix["share_to_low"])
    marks = list(dict.fromkeys(matrix["mark_a"]))
    measures = [m for m in _MEASURES if len(marks) > 1 or m.column != "interaction"]
    side = 1.0 + _CELL_INCHES * len(marks)
    figure = Figure(
        figsize=(1.1 + (side + 0.5) * len(measures), 0.8 + (side + 0.2) * 2),
        dpi=150,
        layout=ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.06),
    )
    grid = figure.subplots(2, len(measures), squeeze=False)
    for column, measure in enumerate(measures):
        highest = float(np.nanmax(abs(matrix[measure.column]), initial=0)) or 1.0
        for row, predicted in enumerate(("high", "low")):
            axes = grid[row, column]
            of_group = matrix[matrix["predicted"] == predicted]
            _draw_heat_map(axes, _square(of_group, measure.column, marks), measure, highest)
            _label_marks(axes, marks, is_last_row=row == 1, is_first_column=column == 0)
            if row == 0:
                axes.set_title(measure.title, fontsize=10, loc="left", color=DARK)
            if column == 0:
                axes.set_ylabel(
                    f"predicted {predicted} ({of_group['num_genes'].iloc[0]} genes)",
                    fontsize=9,
                    color=DARK,
                )
        scale = figure.colorbar(axes.images[0], ax=grid[:, column], shrink=0.5, pad=0.02)
        scale.outline.set_edgecolor(PALE)
        scale.ax.tick_params(labelsize=7, colors=GREY)
    rule = f"predicted high: {printed(matrix['on_rule'].iloc[0])}"
    figure.suptitle(rule, fontsize=8, color=DARK, x=0.01, ha="left")
    return figure


def _square(of_group: pd.DataFrame, column: str, marks: list[str]) -> np.ndarray:
    """Values `(marks, marks)`, NaN above the diagonal."""
    values = of_group.pivot(index="mark_b", columns="mark_a", values=column)
    return values.reindex(index=marks, columns=marks).to_numpy(float)


def _draw_heat_map(axes: Axes, values: np.ndarray, measure: _Measure, highest: float) -> None:
    lowest = -highest if measure.is_signed else 0.0
    cells = axes.imshow(
        values, cmap="RdBu_r" if measure.is_signed else "Greys", vmin=lowest, vmax=highest
    )
    write_cells(axes, cells, values, sign="+" if measure.is_signed else "")
    quiet(axes)


def _label_marks(axes: Axes, marks: list[str], *, is_last_row: bool, is_first_column: bool) -> None:
    positions = range(len(marks))
    axes.set_xticks(positions, marks if is_last_row else [], rotation=45, ha="right", fontsize=8)
    axes.set_yticks(positions, marks if is_first_column else [], fontsize=8)
    for label, mark in (
        *zip(axes.get_xticklabels(), marks, strict=False),
        *zip(axes.get_yticklabels(), marks, strict=False),
    ):
        label.set_color(mark_text_colour(mark))
