"""Tables of models, from measurements whose AUROCs are set by hand."""

import math

import numpy as np
import pytest

from keras_chrome.leaderboard.models import (
    Measurement,
    ModelRow,
    epigenome_rows,
    model_rows,
    paired_test_rows,
)
from keras_chrome.statistics.paired_tests import (
    Placements,
    auroc_samples,
    auroc_with_error,
    holm,
    logit_interval,
)


def measurement(*folds: list[float], is_deterministic: bool = False) -> Measurement:
    """A model with these AUROCs: a list a fold, with one for each seed."""
    rng = np.random.default_rng(len(folds))
    placements = {}
    for fold, aurocs in enumerate(folds):
        noise = rng.uniform(-0.04, 0.04, (2, 30))
        noise -= noise.mean(axis=1, keepdims=True)
        placements[fold] = Placements(*(np.array(aurocs)[:, np.newaxis] + of for of in noise))
    samples = {fold: auroc_samples(placed, seed=fold) for fold, placed in placements.items()}
    # ECE, mean prediction, share high.
    calibrations = {
        fold: np.array([[auroc / 10, 0.5, 0.4] for auroc in aurocs])
        for fold, aurocs in enumerate(folds)
    }
    return Measurement(placements, samples, calibrations, is_deterministic)


def table(measurements: dict, reference: str = "deep_chrome") -> dict[str, ModelRow]:
    return {row.model: row for row in model_rows(epigenome_rows(measurements), reference)}


THREE = {
    "E003": {"deep_chrome": measurement([0.80, 0.82]), "lstm": measurement([0.85, 0.87])},
    "E004": {"deep_chrome": measurement([0.70, 0.70]), "lstm": measurement([0.69, 0.69])},
    "E012": {"deep_chrome": measurement([0.60, 0.64]), "lstm": measurement([0.66, 0.70])},
}


def test_statistics_over_epigenomes_by_hand() -> None:
    row = table(THREE)["lstm"]
    assert (row.mean, row.median) == pytest.approx(((0.86 + 0.69 + 0.68) / 3, 0.69))
    assert (row.max, row.min) == pytest.approx((0.86, 0.68))
    assert (row.num_improved, row.num_epigenomes, row.num_runs) == (2, 3, 6)
    # Two seeds at a distance d have the standard error d / 2.
    assert row.se_over_seeds == pytest.approx(math.hypot(0.01, 0, 0.02) / 3)
    assert (row.ece, row.mean_probability, row.positive_rate) == pytest.approx(
        ((0.086 + 0.069 + 0.068) / 3, 0.5, 0.4)
    )


def test_best_model_first() -> None:
    assert list(table(THREE)) == ["lstm", "deep_chrome"]


def test_one_seed_has_no_standard_error() -> None:
    one_seed = {"lstm": measurement([0.8]), "deep_chrome": measurement([0.8, 0.9])}
    rows = table({**THREE, "E123": one_seed})
    assert math.isnan(rows["lstm"].se_over_seeds)
    assert rows["deep_chrome"].se_over_seeds > 0


def test_folds_are_averaged_after_seeds() -> None:
    # Fold 0 has three seeds, fold 1 one: each fold counts the same.
    (row,) = epigenome_rows({"E003": {"lstm": measurement([0.6, 0.7, 0.8], [0.9])}})
    assert row.auroc == pytest.approx(0.8)
    assert (row.num_folds, row.num_runs, row.num_genes) == (2, 4, 120)
    assert row.auroc_low < 0.8 < row.auroc_high
    assert row.ece == pytest.approx(0.08)


def test_an_interval_counts_seeds_where_there_are_several() -> None:
    one, several = measurement([0.8]), measurement([0.7, 0.8, 0.9])
    rows = epigenome_rows({"E003": {"lstm": one, "deep_chrome": several}})
    over_genes = logit_interval(*auroc_with_error(one.folds))
    assert (rows[0].auroc_low, rows[0].auroc_high) == pytest.approx(over_genes)
    # The standard error is 0.1 / sqrt(3) over seeds alone, and two degrees of freedom tell.
    assert rows[1].auroc_low < 0.8 - 2 * 0.1 / math.sqrt(3) < over_genes[0]


def test_without_its_reference_nothing_is_improved() -> None:
    row = table(THREE, reference="logistic_regression")["lstm"]
    assert (row.reference, row.num_improved) == ("", None)


def test_only_epigenomes_of_every_model_count() -> None:
    rows = epigenome_rows({**THREE, "E123": {"lstm": measurement([0.99])}})
    assert [row.epigenome for row in rows if not row.is_shared] == ["E123"]
    assert model_rows(rows, "deep_chrome") == list(table(THREE).values())


def test_an_epigenome_with_a_fold_missing_does_not_count() -> None:
    partial = {"lstm": measurement([0.9]), "deep_chrome": measurement([0.8], [0.9])}
    measurements = {**THREE, "E123": partial}
    assert not any(r.is_shared for r in epigenome_rows(measurements) if r.epigenome == "E123")
    tests = paired_test_rows(measurements, ["lstm", "deep_chrome"])
    assert [(test.test, test.epigenome) for test in tests] == [
        *((name, epigenome) for epigenome in THREE for name in ("DeLong", "bootstrap")),
        ("Wilcoxon", ""),
    ]


def test_a_bootstrap_needs_two_seeds_or_a_fit_that_has_none() -> None:
    models = {
        "lstm": measurement([0.85, 0.86, 0.87]),
        "svm": measurement([0.83], is_deterministic=True),
        "deep_chrome": measurement([0.80]),
    }
    tests = paired_test_rows({"E003": models}, list(models))
    notes = {(t.model_a, t.model_b): t.note for t in tests if t.test == "bootstrap"}
    assert notes == {
        ("lstm", "svm"): "",
        ("lstm", "deep_chrome"): "needs 2 seeds",
        ("svm", "deep_chrome"): "needs 2 seeds",
    }
    by_note = {test.note: test for test in tests if test.test == "bootstrap"}
    assert math.isnan(by_note["needs 2 seeds"].p_value)
    # The one that is known has no other to be corrected for.
    assert by_note[""].p_holm == by_note[""].p_value
    delong = tests[0]
    assert delong.difference == pytest.approx(by_note[""].difference)
    assert delong.standard_error < by_note[""].standard_error


def test_models_without_a_common_epigenome_are_not_compared() -> None:
    apart = {"E003": {"lstm": measurement([0.9])}, "E004": {"deep_chrome": measurement([0.8])}}
    rows = table(apart)
    assert list(rows) == ["deep_chrome", "lstm"]
    assert math.isnan(rows["lstm"].mean)
    assert rows["lstm"].num_epigenomes == 0
    (test,) = paired_test_rows(apart, list(rows))
    assert (test.num_epigenomes, test.note) == (0, "needs 6 epigenomes")


def test_pairs_are_tested_in_each_epigenome_and_over_all() -> None:
    rng = np.random.default_rng(0)
    measurements = {
        f"E{i:03d}": {
            name: measurement([float(auroc + rng.uniform(0, 0.02))])
            for name, auroc in (("cnn_attn", 0.70), ("lstm", 0.73), ("deep_chrome", 0.71))
        }
        for i in range(8)
    }
    tests = paired_test_rows(measurements, ["lstm", "deep_chrome", "cnn_attn"])
    pairs = [("lstm", "deep_chrome"), ("lstm", "cnn_attn"), ("deep_chrome", "cnn_attn")]
    for epigenome in (*measurements, ""):
        own = [t for t in tests if t.epigenome == epigenome and t.test != "bootstrap"]
        assert [(test.model_a, test.model_b) for test in own] == pairs
        np.testing.assert_array_equal(
            [test.p_holm for test in own], holm([test.p_value for test in own])
        )
    wilcoxon = tests[-3]
    assert (wilcoxon.test, wilcoxon.num_epigenomes) == ("Wilcoxon", 8)
    # lstm is better on all eight: 2 of 256 patterns of signs, of three pairs.
    assert (wilcoxon.p_value, wilcoxon.p_holm) == pytest.approx((2 / 256, 6 / 256))
    assert wilcoxon.difference == pytest.approx(
        np.mean([t.difference for t in tests if (t.test, t.model_a) == ("DeLong", "lstm")][::2])
    )
