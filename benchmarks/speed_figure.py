"""What was measured, as a figure."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from sides import OURS, SIDES
from speed_text import genes_per_second, time_to

from keras_chrome.figures.palette import DARK, GREY, PALE, SERIES_COLOURS

_COLOURS = dict(zip(SIDES, (*SERIES_COLOURS, GREY), strict=True))
_TASKS = {"training": "Training", "inference": "Inference"}
_TITLE: dict[str, Any] = {"fontsize": 11, "color": DARK, "x": 0.01, "ha": "left"}


def draw(parts: dict[str, Any]) -> Figure:
    """Draw genes a second of each side and batch size, and AUROCs against time.

    Args:
        parts: What `speed.py` keeps. Parts that are not in it are not drawn.

    Returns:
        A figure to save.
    """
    drawn = [name for name in (*_TASKS, *_AGAINST_TIME) if name in parts]
    heights = [1.55 if name in _AGAINST_TIME else 1.0 for name in drawn]
    figure = Figure(
        figsize=(10, 0.5 + 2.1 * sum(heights)),
        dpi=200,
        layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08),
    )
    if not drawn:
        return figure
    measured = parts[drawn[0]]["measured"]
    versions = measured["versions"]
    figure.suptitle(
        f"attentive_chrome on {measured['cpu']}, {measured['cores']} cores: "
        f"TensorFlow {versions['tensorflow']}, PyTorch {versions['torch']}",
        **{**_TITLE, "fontsize": 8.5, "color": GREY},
    )
    rows = figure.subfigures(len(drawn), 1, squeeze=False, height_ratios=heights)[:, 0]
    for name, row in zip(drawn, rows, strict=True):
        if name in _AGAINST_TIME:
            _AGAINST_TIME[name](row, parts[name])
        else:
            _draw_task(row, name, parts[name]["rows"])
    return figure


def _draw_task(figure: SubFigure, task: str, rows: list[dict[str, Any]]) -> None:
    batches = sorted({row["batch"] for row in rows})
    grid = figure.subplots(1, len(batches), squeeze=False, sharey=True)[0]
    for axes, batch in zip(grid, batches, strict=True):
        of_batch = {row["side"]: genes_per_second(row) for row in rows if row["batch"] == batch}
        _draw_bars(axes, of_batch)
        genes = "gene" if batch == 1 else "genes"
        axes.set_title(f"{batch:,} {genes} a batch", fontsize=9, color=GREY, loc="left")
    figure.suptitle(f"{_TASKS[task]}, genes a second", **_TITLE)


def _draw_bars(axes: Axes, speeds: dict[str, float]) -> None:
    """A bar a side, from zero, with its genes a second."""
    sides = [side for side in SIDES if side in speeds]
    values = [speeds[side] for side in sides]
    colours = [_COLOURS[side] for side in sides]
    bars = axes.barh(range(len(sides)), values, color=colours, height=0.68)
    axes.bar_label(bars, [f"{v:,.0f}" for v in values], padding=4, fontsize=8, color=DARK)
    axes.set_xlim(0, 1.22 * max(values))
    axes.set_xticks([])
    axes.set_ylim(len(sides) - 0.5, -0.5)
    axes.set_yticks(range(len(sides)), sides, fontsize=8.5, color=DARK)
    for label in axes.get_yticklabels():
        label.set_fontweight("bold" if label.get_text() == OURS else "normal")
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.spines["left"].set_color(PALE)


def _draw_accuracy(figure: SubFigure, part: dict[str, Any]) -> None:
    axes = figure.subplots()
    target = part["target_auroc"]
    axes.axhline(target, color=PALE, linewidth=1, zorder=0)
    slowest_s = max(row["wall_s"] for row in part["rows"])
    for row in part["rows"]:
        seconds, aurocs = zip(*row["curve"], strict=True)
        colour, wall_s = _COLOURS[row["side"]], row["wall_s"]
        note: dict[str, Any] = {
            "color": colour,
            "fontsize": 8.5,
            "textcoords": "offset points",
            "bbox": {"facecolor": "white", "edgecolor": "none", "pad": 1},
        }
        axes.plot(seconds, aurocs, "-o", color=colour, linewidth=1.6, markersize=3.5)
        axes.axvline(wall_s, color=colour, linewidth=1, linestyle=":")
        is_slowest = wall_s == slowest_s
        # At the bottom there is room, as the curves rise.
        axes.annotate(
            f"{row['side']}\n{wall_s:,.0f} s in all, test AUROC {row['test_auroc']:.3f}",
            (wall_s, 0.05),
            xycoords=("data", "axes fraction"),
            xytext=(-6 if is_slowest else 6, 0),
            ha="right" if is_slowest else "left",
            **note,
        )
        if (reached := time_to(row["curve"], target)) is not None:
            axes.plot([reached], [target], "D", color=colour, markersize=6, zorder=4)
            axes.annotate(
                f"{target:g} after {reached:,.0f} s", (reached, target), xytext=(8, -12), **note
            )
    axes.set_xlim(0, 1.02 * slowest_s)
    _label(axes, "seconds since the start of the command")
    figure.suptitle(
        f"Time to accuracy: {part['epochs']} epochs on {part['dataset']}, 16 genes a batch",
        **_TITLE,
    )


def _draw_models(figure: SubFigure, part: dict[str, Any]) -> None:
    """A point a model; lines lead to names where points are close."""
    axes = figure.subplots()
    rows = sorted(part["rows"], key=lambda row: -row["valid_auroc"])
    highest, lowest = rows[0]["valid_auroc"], rows[-1]["valid_auroc"]
    slowest_s = max(row["wall_s"] for row in rows)
    gap = (highest - lowest) / 14
    place = highest + gap
    for row in rows:
        is_network = bool(row["curve"])
        colour = _COLOURS[OURS] if is_network else SERIES_COLOURS[1]
        at = (row["wall_s"], row["valid_auroc"])
        place = min(place - gap, row["valid_auroc"])
        axes.plot(*at, "o" if is_network else "s", color=colour, markersize=6)
        axes.annotate(
            f"{row['model']}, {row['wall_s']:.0f} s",
            at,
            xytext=(1.06 * slowest_s, place),
            va="center",
            fontsize=8.5,
            color=DARK,
            arrowprops={"arrowstyle": "-", "color": PALE, "linewidth": 0.8, "shrinkB": 4},
        )
    axes.set_xlim(0, 1.45 * slowest_s)
    axes.set_ylim(min(place, lowest) - gap, highest + gap)
    _label(axes, "seconds of the whole command")
    figure.suptitle(
        f"Trained on {part['dataset']} by default: networks (blue) and baselines (orange)",
        **_TITLE,
    )


def _label(axes: Axes, x: str) -> None:
    axes.set_xlabel(x, fontsize=8.5, color=GREY)
    axes.set_ylabel("validation AUROC", fontsize=8.5, color=GREY)
    axes.tick_params(labelsize=8, colors=GREY)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(PALE)


_AGAINST_TIME = {"models": _draw_models, "accuracy": _draw_accuracy}
