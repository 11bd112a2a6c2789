"""The page of runs that tell expression."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keras_chrome.errors import InputError
from keras_chrome.fit import fit
from keras_chrome.report import report
from keras_chrome.report.collect import collect_runs
from keras_chrome.report.curves import error_histogram, tenths
from keras_chrome.report.render import render_page
from keras_chrome.runs import Run
from keras_chrome.vocabulary import CORE_MARKS


@pytest.fixture(scope="module")
def run(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return fit(
        dataset="remc/small",
        data_dir=data_dir,
        run_dir=tmp_path_factory.mktemp("runs") / "expression",
        model="cnn_alpha_beta",
        marks=CORE_MARKS,
        task="regression",
        epochs=2,
        learning_rate=0.01,
    )


@pytest.fixture(scope="module")
def page(run: Run) -> str:
    return render_page(collect_runs([run.path]))


def data_of(page: str) -> dict[str, Any]:
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page)
    data: dict[str, Any] = json.loads(text)
    return data


def test_the_page_tells_correlations_and_no_probability(page: str, run: Run) -> None:
    metrics = run.metrics["test"]
    text = re.sub(r"<script.*?</script>|<style.*?</style>", "", page, flags=re.DOTALL)
    for name in ("pearson", "spearman", "r2"):
        assert f"{metrics[name]:.3f}".replace("-", "\N{MINUS SIGN}") in text
    assert "log2(RPKM + 1)" in text
    assert {*re.findall(r'data-chart="([^"]+)"', text)} == {
        *("loss", "val-pearson", "scatter", "errors"),
    }
    for word in ("AUROC", "robability", "alibration", "ECE", "precision-recall", "Faithfulness"):
        assert word not in text.replace(run.path.name, ""), word


def test_the_script_knows_every_gene_as_predicted_and_measured(page: str, run: Run) -> None:
    data = data_of(page)
    (shown,) = data["runs"]
    table = run.predictions.query("split == 'test'")
    assert data["task"] == "regression"
    np.testing.assert_allclose(shown["scatter"], table[["measured", "predicted"]], atol=6e-3)
    assert shown["metrics"]["pearson"] == pytest.approx(run.metrics["test"]["pearson"], abs=1e-5)
    assert sum(shown["errors"]["counts"]) == len(table)
    assert sum(tenth["num_genes"] for tenth in shown["tenths"]) == len(table)
    assert shown["scale"] == "log2(RPKM + 1)"


def test_tenths_are_of_the_lowest_predictions_first() -> None:
    predicted = np.arange(25.0)[::-1]
    measured = 2 * predicted + 1
    found = tenths(measured, predicted)
    assert [tenth.num_genes for tenth in found] == [3] * 5 + [2] * 5
    assert (found[0].predicted, found[0].measured) == (1.0, 3.0)
    assert found[0].measured_sd == pytest.approx(np.std([1, 3, 5]))
    assert (found[-1].predicted, found[-1].measured) == (23.5, 48.0)


def test_errors_are_counted_about_no_error() -> None:
    counts, (low, high) = error_histogram(np.array([1.0, 2, 3, 4]), np.array([1.0, 2, 3, 1.5]))
    assert (low, high) == (-2.5, 2.5)
    assert (counts[0], counts[12], sum(counts)) == (1, 3, 4)


def test_a_page_is_of_one_task(run: Run, cnn_run_path: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"Expected runs of one task.*of regression and .*of clas"):
        report([run.path, cnn_run_path], tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()
