"""What every baseline must do."""

import copy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from keras_chrome.baselines import BASELINES, DETERMINISTIC, Baseline, build_baseline
from keras_chrome.errors import InputError

MARKS = ("H3K27me3", "H3K36me3", "H3K4me1", "H3K4me3", "H3K9me3")


def planted(
    genes: int = 120, marks: int = 5, seed: int = 0, effect: float = 8
) -> tuple[np.ndarray, np.ndarray]:
    """Eight bins of noise; high genes have more of the last mark but one in bins 4 and 5."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, genes).astype(np.int8)
    signal = rng.poisson(2, (genes, 8, marks)).astype(np.float32)
    signal[:, 4:6, max(marks - 2, 0)] += rng.poisson(effect * label[:, None], (genes, 2))
    return signal, label


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Boosting 120 genes on all cores only waits for a core that is busy."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module", params=sorted(BASELINES))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def fitted(name: str) -> Baseline:
    return build_baseline(name, marks=MARKS, num_bins=8).fit(*planted())


def test_probability_is_float32_in_range(fitted: Baseline) -> None:
    answer = fitted(planted(30, seed=1)[0])
    assert list(answer) == ["probability"]
    assert answer["probability"].shape == (30,)
    assert answer["probability"].dtype == np.float32
    assert ((answer["probability"] >= 0) & (answer["probability"] <= 1)).all()


def test_finds_the_planted_effect(fitted: Baseline) -> None:
    signal, label = planted(200, seed=1)
    probability = fitted(signal)["probability"]
    assert roc_auc_score(label, probability) > 0.9
    assert probability[label == 1].mean() > 0.6 > 0.4 > probability[label == 0].mean()


def test_another_seed_changes_what_is_not_deterministic(name: str) -> None:
    signal = planted(30, seed=1)[0]
    first, second = (
        build_baseline(name, marks=MARKS, num_bins=8, seed=seed).fit(*planted(effect=3))(signal)[
            "probability"
        ]
        for seed in (0, 1)
    )
    # Rules break ties between thresholds by the seed, and there may be none.
    if name != "rules":
        assert (first == second).all() == (name in DETERMINISTIC)


def test_save_and_load(fitted: Baseline, tmp_path: Path) -> None:
    signal = planted(30, seed=1)[0]
    fitted.save(tmp_path / "model.joblib")
    loaded = Baseline.load(tmp_path / "model.joblib")
    np.testing.assert_array_equal(loaded(signal)["probability"], fitted(signal)["probability"])
    assert loaded.describe() == fitted.describe()
    assert loaded.spec == fitted.spec


def test_a_gene_does_not_depend_on_its_batch(fitted: Baseline) -> None:
    signal = planted(7, seed=1)[0]
    alone = np.concatenate([fitted(signal[i : i + 1])["probability"] for i in range(7)])
    np.testing.assert_allclose(alone, fitted(signal)["probability"], atol=1e-6)


def test_one_mark_is_enough(name: str) -> None:
    signal, label = planted(marks=1)
    baseline = build_baseline(name, marks=("H3K4me3",), num_bins=8).fit(signal, label)
    assert roc_auc_score(label, baseline(signal)["probability"]) > 0.9


def test_counts_as_they_are(name: str) -> None:
    signal, label = planted()
    baseline = build_baseline(name, marks=MARKS, num_bins=8, transform="none").fit(signal, label)
    assert roc_auc_score(label, baseline(signal)["probability"]) > 0.9


def test_soft_targets_are_refused_where_nobody_takes_them(name: str) -> None:
    signal, label = planted()
    baseline = build_baseline(name, marks=MARKS, num_bins=8)
    assert baseline.takes_soft_targets == (name == "gradient_boosting")
    if not baseline.takes_soft_targets:
        with pytest.raises(InputError, match=r"no soft targets .*Received: target$"):
            baseline.fit(signal, label, target=label.astype(np.float32))


def test_validation_genes_may_always_be_given(name: str, fitted: Baseline) -> None:
    signal = planted(30, seed=1)[0]
    baseline = build_baseline(name, marks=MARKS, num_bins=8)
    baseline.fit(*planted(), valid=planted(80, seed=2))
    answer, before = (b(signal)["probability"] for b in (baseline, fitted))
    assert (answer == before).all() or name == "gradient_boosting"


def test_baselines_that_were_saved_before_they_had_a_temperature(
    fitted: Baseline, tmp_path: Path
) -> None:
    signal = planted(30, seed=1)[0]
    earlier = copy.copy(fitted)
    del earlier.takes_soft_targets
    assert "temperature" not in vars(earlier)
    earlier.save(tmp_path / "model.joblib")
    loaded = Baseline.load(tmp_path / "model.joblib")
    assert (loaded.temperature, loaded.takes_soft_targets) == (1, False)
    np.testing.assert_array_equal(loaded(signal)["probability"], fitted(signal)["probability"])


def test_signal_of_another_shape_is_refused(fitted: Baseline) -> None:
    with pytest.raises(InputError, match=r"8 bins, 5 marks.*shape=\(3, 8, 4\)"):
        fitted(np.zeros((3, 8, 4), np.float32))


def test_a_class_without_enough_genes_is_refused(name: str) -> None:
    with pytest.raises(
        InputError, match=r"training genes of each class. Received: 120 low, 0 high"
    ):
        build_baseline(name, marks=MARKS, num_bins=8).fit(planted()[0], np.zeros(120, np.int8))


def test_only_the_seed_decides(name: str, fitted: Baseline) -> None:
    signal = planted(30, seed=1)[0]
    np.random.seed(5)
    before = np.random.get_state()[1].copy()
    again = build_baseline(name, marks=MARKS, num_bins=8).fit(*planted())
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    np.testing.assert_array_equal(again(signal)["probability"], fitted(signal)["probability"])


def test_log1p_is_taken_of_what_logistic_regression_sees() -> None:
    signal, label = planted()
    fit_on_log = build_baseline(
        "logistic_regression_max", marks=MARKS, num_bins=8, transform="none"
    )
    fit_on_log.fit(np.log1p(signal), label)
    log1p = build_baseline("logistic_regression_max", marks=MARKS, num_bins=8).fit(signal, label)
    np.testing.assert_allclose(
        log1p(signal)["probability"], fit_on_log(np.log1p(signal))["probability"], atol=1e-6
    )


def test_a_file_that_is_no_baseline_is_refused(tmp_path: Path) -> None:
    joblib.dump({"probability": 1}, tmp_path / "dict.joblib")
    (tmp_path / "text.joblib").write_text("hello")
    for file in ("dict.joblib", "text.joblib"):
        with pytest.raises(InputError, match=f"Expected a saved baseline. Received: .*{file}"):
            Baseline.load(tmp_path / file, trust=True)


def test_unknown_baseline_lists_the_known() -> None:
    with pytest.raises(InputError, match=r"gradient_boosting.*svm.*model='boosted'"):
        build_baseline("boosted", marks=MARKS)


def test_unknown_transform_lists_the_known() -> None:
    with pytest.raises(InputError, match=r"log1p.*none.*transform='sqrt'"):
        build_baseline("svm", marks=MARKS, transform="sqrt")


def test_the_names_cost_no_scikit_learn() -> None:
    code = "import sys, keras_chrome.baselines; print('sklearn' in sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "False"
