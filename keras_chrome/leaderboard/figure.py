"""A leaderboard as a figure: models in the order of their mean AUROC, a dot an epigenome."""

import math
import textwrap
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from keras_chrome.figures.axes import dot, draw_estimate, legend_below, quiet, round_ticks
from keras_chrome.figures.palette import DARK, GREY, PALE, SERIES_COLOURS
from keras_chrome.leaderboard.board import group_titles, rows_of

_PANEL_WIDTH_INCHES = 4.9
_ROW_INCHES = 0.42
# Half of what the dots of a model may take up of its row.
_SPREAD = 0.4
_MEAN: dict[str, Any] = {
    "marker": "|",
    "linestyle": "none",
    "markersize": 2 * _SPREAD * _ROW_INCHES * 72,
    "markeredgewidth": 1.8,
    "color": DARK,
}
# The ceiling's row, apart from the models' rows.
_CEILING = "expression_elsewhere:\na ceiling, uses no mark"
_CEILING_ROWS = 1.35
_REFERENCE: dict[str, Any] = {"color": GREY, "linewidth": 0.9, "linestyle": ":"}


class _Panel(NamedTuple):
    """The rows of a group, and its title."""

    title: str
    models: pd.DataFrame
    epigenomes: pd.DataFrame
    ceilings: pd.DataFrame

    @property
    def num_rows(self) -> float:
        """How high it is, in rows of a model."""
        return len(self.models) + _CEILING_ROWS * bool(len(self.ceilings))

    @property
    def ceiling_y(self) -> float:
        """Where the ceiling is drawn."""
        return self.num_rows - 1


def draw_leaderboard(
    models: pd.DataFrame, epigenomes: pd.DataFrame, ceilings: pd.DataFrame
) -> Figure:
    """Draw a panel for each label rule, split scheme and set of marks.

    A row is a model, best first. A dot is an epigenome, open where the model is not compared with
    all others. Bar and number are the mean over the filled dots; the dotted line is the
    reference's. Up to six epigenomes have colours, and 95 % intervals. Below a line lies the
    ceiling, which is no model.

    Args:
        models: `Leaderboard.models`.
        epigenomes: `Leaderboard.epigenomes`.
        ceilings: `Leaderboard.ceilings`.

    Returns:
        A figure to save.
    """
    panels = [
        _Panel(
            title.replace(", marks ", ",\nmarks "),
            rows_of(group, models),
            of_group := rows_of(group, epigenomes),
            _as_epigenomes(rows_of(group, ceilings), of_group),
        )
        for group, title in group_titles(models).items()
    ]
    names = sorted(epigenomes["epigenome"].unique())
    colours = (
        dict(zip(names, SERIES_COLOURS, strict=False)) if len(names) <= len(SERIES_COLOURS) else {}
    )
    num_columns = min(2, len(panels))
    num_rows = math.ceil(len(panels) / num_columns)
    most_rows = max(panel.num_rows for panel in panels)
    figure = Figure(
        figsize=(
            0.2 + _PANEL_WIDTH_INCHES * num_columns,
            0.3 + (0.85 + _ROW_INCHES * most_rows) * num_rows,
        ),
        dpi=200,
        layout=ConstrainedLayoutEngine(wspace=0.06),
    )
    grid = figure.subplots(num_rows, num_columns, squeeze=False)
    for axes, panel in zip(grid.flat, panels, strict=False):
        axes.set_title(panel.title, fontsize=10, loc="left", color=DARK)
        _draw_frame(axes, panel, has_intervals=bool(colours))
    for axes in grid.flat[len(panels) :]:
        axes.axis("off")
    handles = _legend_handles(models, epigenomes, colours)
    num_lines = math.ceil(len(handles) / (4 * num_columns))
    legend_below(figure, handles, math.ceil(len(handles) / num_lines))
    # A swarm needs to know how large the axes are.
    figure.draw_without_rendering()
    for axes, panel in zip(grid.flat, panels, strict=False):
        rows = [panel.epigenomes[panel.epigenomes["model"] == m] for m in panel.models["model"]]
        for y, of_row in [*enumerate(rows), (panel.ceiling_y, panel.ceilings)]:
            if colours:
                _draw_intervals(axes, of_row, y, colours)
            else:
                _draw_swarm(axes, of_row, y)
    return figure


def _as_epigenomes(ceilings: pd.DataFrame, epigenomes: pd.DataFrame) -> pd.DataFrame:
    """With `is_shared`, as the rows of models have it."""
    shared = epigenomes.loc[epigenomes["is_shared"], "epigenome"]
    return ceilings.assign(is_shared=ceilings["epigenome"].isin(shared))


def _draw_frame(axes: Axes, panel: _Panel, *, has_intervals: bool) -> None:
    """All of a panel but the dots."""
    models = panel.models
    quiet(axes, "bottom", fontsize=8)
    _set_limits(axes, panel, has_intervals=has_intervals)
    has_means = (models["num_epigenomes"] > 1).any()
    _write_beside(axes, -0.8, "mean" if has_means else "AUROC", fontsize=8, color=GREY)
    for y, mean in enumerate(models["mean"]):
        axes.axhline(y, color=PALE, linewidth=0.5, zorder=0)
        if np.isfinite(mean):
            _write_beside(axes, y, f"{mean:.3f}", fontsize=9, color=DARK)
        if has_means:
            axes.plot([mean], [y], zorder=4, **_MEAN)
    for mean in models.loc[models["model"] == models["reference"], "mean"].dropna():
        axes.axvline(mean, zorder=1, **_REFERENCE)
    _label_rows(axes, panel)
    if len(panel.ceilings):
        _draw_ceiling_frame(axes, panel)
    axes.set_xlabel("test AUROC", fontsize=9, color=DARK)
    round_ticks(axes.xaxis, 6)


def _label_rows(axes: Axes, panel: _Panel) -> None:
    labels: dict[float, str] = {
        y: _in_lines(model) for y, model in enumerate(map(str, panel.models["model"]))
    }
    if len(panel.ceilings):
        labels[panel.ceiling_y] = _CEILING
    axes.set_yticks(list(labels), list(labels.values()), fontsize=9, color=DARK)
    for label in axes.get_yticklabels():
        if "\n" in label.get_text():
            label.set_fontsize(7)
    if len(panel.ceilings):
        axes.get_yticklabels()[-1].set_color(GREY)


def _in_lines(model: str) -> str:
    """How a model was trained stands below its name."""
    name, bracket, training = model.partition(" (")
    return "\n".join([name, *textwrap.wrap(f"({training}", 30)]) if bracket else name


def _draw_ceiling_frame(axes: Axes, panel: _Panel) -> None:
    """The line that parts the ceiling from the models, and its mean."""
    y = panel.ceiling_y
    axes.axhline((len(panel.models) - 1 + y) / 2, color=GREY, linewidth=0.8, zorder=0)
    of_models = set(panel.epigenomes.loc[panel.epigenomes["is_shared"], "epigenome"])
    shared = panel.ceilings[panel.ceilings["is_shared"]]
    if set(shared["epigenome"]) == of_models:
        mean = shared["auroc"].mean()
        _write_beside(axes, y, f"{mean:.3f}", fontsize=9, color=GREY)


def _set_limits(axes: Axes, panel: _Panel, *, has_intervals: bool) -> None:
    # An interval is unknown where a class has one test gene.
    columns = ["auroc", "auroc_low", "auroc_high"] if has_intervals else ["auroc"]
    values = np.concatenate([t[columns] for t in (panel.epigenomes, panel.ceilings)])
    low, high = np.nanmin(values), np.nanmax(values)
    margin = 0.04 * (high - low) or 0.01
    axes.set_xlim(low - margin, high + margin)
    axes.set_ylim(panel.num_rows - 0.45, -0.55)


def _write_beside(axes: Axes, y: float, text: str, **style: Any) -> None:
    axes.text(1.02, y, text, transform=axes.get_yaxis_transform(), va="center", **style)


def _draw_intervals(axes: Axes, rows: pd.DataFrame, y: float, colours: Mapping[str, str]) -> None:
    """Dots one below the other, each with its interval."""
    below = np.linspace(-1, 1, len(colours) + 2)[1:-1] * _SPREAD
    heights = dict(zip(colours, y + below, strict=True))
    columns = ["epigenome", "auroc", "auroc_low", "auroc_high", "is_shared"]
    for name, *estimate, is_shared in rows[columns].itertuples(index=False):
        style = dot(colours[name], 5.5, is_filled=is_shared)
        draw_estimate(axes, heights[name], estimate, style)


def _draw_swarm(axes: Axes, rows: pd.DataFrame, y: float) -> None:
    """Dots on a line, and beside it where they would lie on each other."""
    size_points = 4.0
    extent = axes.get_window_extent()
    points_a_pixel = 72 / axes.figure.dpi
    low, high = axes.get_xlim()
    points_an_auroc = extent.width * points_a_pixel / (high - low)
    points_a_row = extent.height * points_a_pixel / abs(np.subtract(*axes.get_ylim()))
    rows = rows.sort_values("auroc")
    offsets = _swarm(rows["auroc"].to_numpy() * points_an_auroc / size_points)
    offsets *= size_points / points_a_row
    if len(rows) and (widest := float(abs(offsets).max())) > _SPREAD:
        offsets *= _SPREAD / widest
    for is_shared in (True, False):
        chosen = (rows["is_shared"] == is_shared).to_numpy()
        axes.plot(
            rows["auroc"][chosen],
            y + offsets[chosen],
            zorder=3,
            **dot(SERIES_COLOURS[0], size_points, is_filled=is_shared),
        )


def _swarm(positions: np.ndarray) -> np.ndarray:
    """How far aside dots of diameter one have to go so that none covers another.

    Args:
        positions: Floats `(dots,)`, ascending, in diameters.
    """
    offsets: list[float] = []
    for i, position in enumerate(positions):
        near = [
            (position - positions[j], offsets[j]) for j in range(i) if position - positions[j] < 1
        ]
        touching = [o + s * math.sqrt(1 - d * d) for d, o in near for s in (1, -1)]
        free = [
            candidate
            for candidate in (0.0, *touching)
            if all(math.hypot(d, candidate - o) > 1 - 1e-9 for d, o in near)
        ]
        offsets.append(min(free, key=abs))
    return np.array(offsets)


def _legend_handles(
    models: pd.DataFrame, epigenomes: pd.DataFrame, colours: Mapping[str, str]
) -> list[Line2D]:
    entries: list[tuple[str, dict[str, Any]]] = [
        (name, dot(colour, 5.5, is_filled=True)) for name, colour in colours.items()
    ]
    if colours:
        entries.append(("95 % interval", {"color": GREY, "linewidth": 1.5}))
    else:
        entries.append(("an epigenome", dot(SERIES_COLOURS[0], 5.5, is_filled=True)))
    if not epigenomes["is_shared"].all():
        entries.append(("not in the mean", dot(GREY, 5.5, is_filled=False)))
    if (models["num_epigenomes"] > 1).any():
        entries.append(("mean", {**_MEAN, "markersize": 9}))
    entries += [(name, _REFERENCE) for name in models["reference"].unique() if name]
    return [Line2D([], [], label=label, **style) for label, style in entries]
