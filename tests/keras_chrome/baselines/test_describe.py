"""What baselines say they have learnt."""

import re

import numpy as np
import pytest

from keras_chrome.baselines import Baseline, build_baseline

MARKS = ("H3K27me3", "H3K4me1", "H3K4me3")


def fitted(name: str) -> Baseline:
    """A baseline fitted to high genes that have H3K4me3 right of the TSS and no H3K27me3."""
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 200)
    signal = rng.poisson(2, (200, 8, 3)).astype(np.float32)
    signal[:, 5, 2] += 8 * label
    signal[:, 1, 0] += 8 * (1 - label) * rng.integers(0, 2, 200)
    return build_baseline(name, marks=MARKS, num_bins=8, bin_bp=100).fit(signal, label)


def test_rules_name_the_mark_and_what_it_gives() -> None:
    text = fitted("rules").describe()
    assert text is not None
    highest, lowest = text.splitlines()[2:]
    assert re.fullmatch(r"H3K4me3 max > \S+ -> high \+0\.99", highest)
    assert re.fullmatch(r"H3K4me3 max <= \S+ -> high \+0\.00", lowest)
    # A threshold of the signal as measured: between noise and the least signal of high genes.
    assert 4 < float(highest.split()[3]) < 11


def test_rules_add_up_to_the_probability() -> None:
    rng = np.random.default_rng(1)
    signal = rng.gamma(2, 2, (300, 8, 3)).astype(np.float32)
    greatest = dict(zip(MARKS, signal.max(axis=1).T, strict=True))
    noise = rng.normal(0, 2, 300)
    label = (greatest["H3K4me3"] - greatest["H3K27me3"] + noise > 0).astype(int)
    baseline = build_baseline("rules", marks=MARKS, num_bins=8).fit(signal, label)
    text = baseline.describe()
    assert text is not None
    total = np.zeros(300)
    for line in filter(None, text.splitlines()[1:]):
        conditions, gives = line.split(" -> high ")
        holds = np.ones(300, bool)
        for condition in conditions.split(" and "):
            mark, _, sign, threshold = condition.split()
            above = greatest[mark] > float(threshold)
            holds &= above if sign == ">" else ~above
        total += float(gives) * holds
    probability = baseline(signal)["probability"]
    # The text rounds thresholds to four digits and what rules give to two.
    assert np.mean(np.abs(np.clip(total, 0, 1) - probability) < 0.03) > 0.97


def test_seed_decides_between_equal_marks() -> None:
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 100)
    signal = rng.poisson(3 + 4 * label[:, None, None], (100, 8, 1)).repeat(3, axis=2)
    texts = set()
    for global_seed in range(6):
        np.random.seed(global_seed)
        baseline = build_baseline("rules", marks=MARKS, num_bins=8, seed=3)
        texts.add(baseline.fit(signal.astype(np.float32), label).describe())
    assert len(texts) == 1


def test_rules_without_any_signal() -> None:
    label = np.arange(50) % 2
    baseline = build_baseline("rules", marks=MARKS, num_bins=8)
    baseline.fit(np.ones((50, 8, 3), np.float32), label)
    text = baseline.describe()
    assert text is not None
    assert text.splitlines()[2:] == ["any gene -> high +0.50"]


def test_weights_of_marks() -> None:
    text = fitted("logistic_regression_max").describe()
    assert text is not None
    weights = dict(line.split(" max: ") for line in text.splitlines()[1:])
    assert set(weights) == set(MARKS)
    assert float(weights["H3K4me3"]) > 1 > 0 > float(weights["H3K27me3"])


def test_best_bins_by_position() -> None:
    text = fitted("random_forest_best_bin").describe()
    assert text is not None
    lines = text.splitlines()[1:]
    assert len(lines) == len(MARKS)
    assert any(line.startswith("H3K4me3[+100]: +0.") for line in lines)
    assert any(line.startswith("H3K27me3[-300]: -0.") for line in lines)


@pytest.mark.parametrize(
    "name", ["logistic_regression", "svm", "random_forest", "gradient_boosting_bins"]
)
def test_the_unreadable_says_nothing(name: str) -> None:
    assert build_baseline(name, marks=MARKS).describe() is None
