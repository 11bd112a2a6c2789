"""What the heat maps show, read off their artists."""

import itertools

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from keras_chrome.perturb.figure import draw_perturbation


def matrix(*marks: str) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = [
        {
            "mark_a": a,
            "mark_b": b,
            "predicted": predicted,
            "num_genes": num_genes,
            "logit_change": rng.normal(),
            "probability_change": rng.uniform(-0.5, 0.5),
            "interaction": np.nan if a == b else rng.normal(),
            "share_to_high": 0.0 if predicted == "high" else rng.uniform(),
            "share_to_low": 0.0 if predicted == "low" else rng.uniform(),
            "on_rule": "P >= 0.25, as given",
        }
        for a, b in (*((m, m) for m in marks), *itertools.combinations(marks, 2))
        for predicted, num_genes in (("all", 30), ("high", 10), ("low", 20))
    ]
    return pd.DataFrame(rows)


def heat_maps(figure: Figure) -> dict[tuple[str, int], np.ndarray]:
    """By title and row, what is drawn, NaN where nothing is."""
    drawn = [axes for axes in figure.axes if axes.images]
    titles = [axes.get_title(loc="left") for axes in drawn[: len(drawn) // 2]]
    return {
        (title, row): np.ma.filled(axes.images[0].get_array().astype(float), np.nan)
        for (row, title), axes in zip(itertools.product((0, 1), titles), drawn, strict=True)
    }


def test_cells_are_the_pairs_below_the_diagonal() -> None:
    table = matrix("H3K27me3", "H3K36me3", "H3K4me3")
    drawn = heat_maps(draw_perturbation(table))
    assert len(drawn) == 8
    for row, predicted in enumerate(("high", "low")):
        of_group = table[table["predicted"] == predicted].set_index(["mark_a", "mark_b"])
        for (x, a), (y, b) in itertools.product(
            enumerate(dict.fromkeys(table["mark_a"])), repeat=2
        ):
            logit = drawn["mean change of logit", row][y, x]
            share = drawn["share of genes that flip", row][y, x]
            if x > y:
                assert np.isnan(logit)
                continue
            found = of_group.loc[(a, b)]
            assert logit == found["logit_change"]
            assert share == found["share_to_high"] + found["share_to_low"]
        assert np.isnan(np.diag(drawn["interaction (logit)", row])).all()


def test_one_scale_for_both_rows_and_zero_in_the_middle() -> None:
    table = matrix("H3K27me3", "H3K4me3")
    table.loc[table["predicted"] == "low", "logit_change"] *= 10
    drawn = [axes for axes in draw_perturbation(table).axes if axes.images]
    above, below = drawn[0].images[0], drawn[4].images[0]
    highest = table["logit_change"].abs().max()
    assert above.get_clim() == below.get_clim() == pytest.approx((-highest, highest))


def test_numbers_genes_and_marks_are_written() -> None:
    table = matrix("H3K27me3", "H3K4me3")
    table["logit_change"] = -0.001
    figure = draw_perturbation(table)
    first, last = figure.axes[0], figure.axes[7]
    assert [text.get_text() for text in first.texts] == ["+0.00"] * 3
    assert first.get_ylabel() == "predicted high (10 genes)"
    assert figure.get_suptitle() == "predicted high: P \u2265 0.25, as given"
    assert [label.get_text() for label in first.get_yticklabels()] == ["H3K27me3", "H3K4me3"]
    assert [label.get_text() for label in last.get_xticklabels()] == ["H3K27me3", "H3K4me3"]


def test_a_single_mark_has_no_interaction_and_no_genes_no_numbers() -> None:
    table = matrix("H3K4me3")
    numbers = ["logit_change", "probability_change", "share_to_high", "share_to_low"]
    table.loc[table["predicted"] == "low", numbers] = np.nan
    figure = draw_perturbation(table)
    drawn = [axes for axes in figure.axes if axes.images]
    assert [len(axes.texts) for axes in drawn] == [1, 1, 1, 0, 0, 0]
    figure.draw_without_rendering()
