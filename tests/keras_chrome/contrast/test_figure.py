"""What the figure shows, read off its artists."""

import numpy as np
import pandas as pd
import pytest
from figure_reader import cut_off, letters, overlapping
from matplotlib.axes import Axes

from keras_chrome.contrast import Contrast
from keras_chrome.contrast.figure import draw_contrast
from keras_chrome.contrast.genes import PREDICTED
from keras_chrome.figures.palette import MARK_COLOURS, mark_text_colour

MARKS = ("H3K27me3", "H3K4me3")
# Of genes that stay, gain and lose.
SHAPES = ("o", "^", "v")


def contrast_of(*quantities: str) -> Contrast:
    rng = np.random.default_rng(0)
    genes = pd.DataFrame(
        {
            "measured": ["gained"] * 3 + ["lost"] * 2 + ["same"] * 5,
            "log2_fold_change": rng.normal(size=10),
            "difference": rng.uniform(-1, 1, size=10),
        }
    )
    agreement = pd.DataFrame({"predicted_by": PREDICTED})
    for name in ("auroc", "spearman"):
        middle = rng.uniform(0.3, 0.9, size=len(PREDICTED))
        agreement = agreement.assign(
            **{name: middle, f"{name}_low": middle - 0.1, f"{name}_high": middle + 0.1}
        )
    changes = pd.DataFrame(
        [
            {"quantity": quantity, "mark": mark, "genes": group, "mean": rng.normal()}
            for quantity in quantities
            for mark in MARKS
            for group in ("gained", "lost", "switching", "same")
        ]
    )
    changes = changes.assign(low=changes["mean"] - 0.2, high=changes["mean"] + 0.2)
    return Contrast("a", "b", MARKS, 1.0, genes, agreement, changes, 0, 0, (0, 0), 0)


def dots(axes: Axes) -> list[tuple[float, float]]:
    """Where the dots are, from top to bottom."""
    drawn = [
        (float(line.get_xdata()[0]), float(line.get_ydata()[0]))
        for line in axes.lines
        if line.get_marker() in SHAPES
    ]
    return sorted(drawn, key=lambda place: place[1])


def test_every_gene_is_a_dot_in_the_shape_and_colour_of_what_was_measured() -> None:
    contrast = contrast_of("signal_change")
    figure = draw_contrast(contrast)
    drawn = [line for line in figure.axes[0].lines if line.get_marker() in SHAPES]
    assert [line.get_marker() for line in drawn] == list(SHAPES)
    for line, group in zip(drawn, ("same", "gained", "lost"), strict=True):
        of_group = contrast.genes[contrast.genes["measured"] == group]
        np.testing.assert_array_equal(line.get_xdata(), of_group["log2_fold_change"])
        np.testing.assert_array_equal(line.get_ydata(), of_group["difference"])
    colours = {line.get_markerfacecolor() for line in drawn}
    assert len(colours) == 3
    # Marks are written in theirs.
    assert not colours & {*MARK_COLOURS.values(), *map(mark_text_colour, MARK_COLOURS)}


@pytest.mark.parametrize(("panel", "name"), [(1, "auroc"), (2, "spearman")])
def test_agreement_has_a_row_for_each_prediction(panel: int, name: str) -> None:
    contrast = contrast_of("signal_change")
    axes = draw_contrast(contrast).axes[panel]
    assert [x for x, _ in dots(axes)] == contrast.agreement[name].tolist()
    assert axes.get_yticklabels()[0].get_text() == "own models"


def test_marks_from_top_to_bottom_and_groups_side_by_side() -> None:
    contrast = contrast_of("signal_change", "beta_change", "beta_size", "alpha_distance")
    axes = draw_contrast(contrast).axes[4]
    assert axes.get_xlabel() == "change of beta"
    labels = axes.get_yticklabels()
    assert [label.get_text() for label in labels] == list(MARKS)
    assert [label.get_color() for label in labels] == [mark_text_colour(m) for m in MARKS]
    changes = contrast.mark_changes
    of_quantity = changes[changes["quantity"] == "beta_change"].set_index(["mark", "genes"])["mean"]
    expected = [of_quantity[mark, g] for mark in MARKS for g in ("lost", "gained", "same")]
    assert [x for x, _ in dots(axes)] == expected
    assert [round(y) for _, y in dots(axes)] == [0, 0, 0, 1, 1, 1]


def test_without_attention_the_panels_are_left_out() -> None:
    figure = draw_contrast(contrast_of("signal_change"))
    assert [axes.axison for axes in figure.axes] == [True, True, True, True, False, False]
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["same (n = 5 genes)", "gained (n = 3 genes)", "lost (n = 2 genes)"]
    assert letters(figure) == ["a", "b", "c", "d"]


def test_panels_have_letters_and_no_text_lies_on_another() -> None:
    figure = draw_contrast(contrast_of("signal_change", "beta_change", "alpha_distance"))
    assert letters(figure) == ["a", "b", "c", "d", "e", "f"]
    assert overlapping(figure) == []
    assert cut_off(figure) == []
