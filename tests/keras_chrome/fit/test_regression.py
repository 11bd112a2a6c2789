"""Training towards expression, and what is then asked of the run."""

import dataclasses
import shutil
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import pearsonr

from keras_chrome.attend import attend
from keras_chrome.attend.figure import draw_gene
from keras_chrome.data import load_genes, open_dataset
from keras_chrome.errors import InputError
from keras_chrome.evaluate import evaluate, summary
from keras_chrome.explain import explain
from keras_chrome.fit import FitConfig, fit
from keras_chrome.fit.__main__ import main
from keras_chrome.fit.recipes import PLAIN
from keras_chrome.models.prediction import predict
from keras_chrome.runs import Run, open_run
from keras_chrome.vocabulary import CORE_MARKS


@pytest.fixture(scope="module")
def run(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return _fit(data_dir, tmp_path_factory.mktemp("runs") / "regression", "cnn_alpha_beta")


@pytest.fixture(scope="module")
def boosting(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return _fit(data_dir, tmp_path_factory.mktemp("runs") / "boosting", "gradient_boosting")


def _fit(data_dir: Path, path: Path, model: str) -> Run:
    return fit(
        dataset="remc/small",
        data_dir=data_dir,
        run_dir=path,
        model=model,
        marks=CORE_MARKS,
        task="regression",
        **dataclasses.asdict(dataclasses.replace(PLAIN, epochs=4, learning_rate=0.01)),
    )


@pytest.mark.parametrize("name", ["run", "boosting"])
def test_what_is_written_is_what_was_measured_and_predicted(
    name: str, data_dir: Path, request: pytest.FixtureRequest
) -> None:
    run: Run = request.getfixturevalue(name)
    genes = load_genes(open_dataset("small", data_dir), "test", marks=CORE_MARKS)
    table = run.predictions.query("split == 'test'")
    assert table.columns.tolist() == ["gene_id", "split", "measured", "predicted"]
    np.testing.assert_allclose(table["measured"], np.log2(genes.rpkm + 1), rtol=1e-6)
    answer = predict(run.load_model(), genes.signal).answer
    np.testing.assert_allclose(table["predicted"], answer, rtol=1e-4, atol=1e-5)
    metrics = run.metrics
    assert (metrics["task"], metrics["scale"]) == ("regression", "log2(RPKM + 1)")
    r = pearsonr(table["measured"], table["predicted"]).statistic
    assert metrics["test"]["pearson"] == pytest.approx(r, abs=1e-6)
    assert metrics["test"]["pearson"] > 0.3
    assert "label_rule" not in metrics


def test_the_epoch_of_the_highest_correlation_is_kept(run: Run) -> None:
    history = run.history
    best = history["val_pearson"].argmax()
    assert run.metrics["best_epoch"] == 1 + best
    assert run.metrics["valid"]["pearson"] == pytest.approx(history["val_pearson"][best], abs=1e-5)
    assert "val_auroc" not in history
    assert run.config.options["targets"] == "hard"
    assert run.config.options["calibrate"] == "none"


def test_evaluate_measures_the_same(run: Run, tmp_path: Path) -> None:
    metrics = evaluate(run.path, out=tmp_path)
    for name, value in run.metrics["test"].items():
        assert metrics["test"][name] == pytest.approx(value)
    first, header, *_ = summary(metrics).splitlines()
    assert first == "log2(RPKM + 1)"
    assert header.split() == ["split", "num_genes", "pearson", "pearson_ci95", "spearman", "r2"]
    written = pd.read_csv(tmp_path / "predictions.csv")
    pd.testing.assert_frame_equal(written, pd.read_csv(run.path / "predictions.csv"))


def test_attention_and_importance_are_read_out(run: Run, boosting: Run) -> None:
    attention = attend(run.path)
    assert attention["expression"].attrs["units"] == "log2(RPKM + 1)"
    assert "probability" not in attention
    words = [text.get_text() for text in draw_gene(attention.isel(gene=0)).axes[0].texts]
    predicted = float(attention["expression"][0])
    assert f"predicted log2(RPKM + 1) = {predicted:.2f}, measured" in words[1]
    importance = explain(run.path, methods=["gradient_x_input"])["gradient_x_input"]
    assert importance.attrs["units"] == "log2(expression + 1)"


def test_occlusion_of_boosting_is_the_fall_of_expression(boosting: Run, data_dir: Path) -> None:
    gene = str(load_genes(open_dataset("small", data_dir), "test").gene_id[0])
    fall = explain(boosting.path, methods=["occlusion"], gene=gene)["occlusion"]
    model = boosting.load_model()
    signal = boosting.load_genes("test").signal[:1]
    without = signal.copy()
    without[0, 10, 3] = 0
    expected = model(signal)["expression"] - model(without)["expression"]
    np.testing.assert_allclose(fall.values[0, 3, 10], expected[0], atol=1e-5)


@pytest.mark.parametrize(
    ("verb", "options"),
    [
        ("alpha_coverage", "{run} --validation-mark H3K27ac"),
        ("alpha_profile", "{run}"),
        ("beta_map", "{run} --gene GENE00001"),
        ("compare", "{run} --validation-mark H3K27ac"),
        ("contrast", "{run} {run}"),
        ("faithfulness", "{run}"),
        ("perturb", "{run} --mark H3K4me3 --scale 0"),
    ],
)
def test_what_needs_a_probability_refuses_in_one_line(verb: str, options: str, run: Run) -> None:
    with pytest.raises(InputError) as refused:
        import_module(f"keras_chrome.{verb}.__main__").main(options.format(run=run.path).split())
    message = str(refused.value)
    assert "Expected a run of classification, which tells the probability" in message
    assert f"Received: {run.path}, of regression" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"model": "svm"}, "model attentive_chrome or .*or gradient_boosting with --task"),
        ({"labels": "published"}, "labels median with --task regression. Received: labels='pub"),
        ({"targets": "soft"}, "targets hard with --task regression"),
        ({"regression_weight": 0.5}, "regression_weight 0 with --task regression"),
        ({"distill": "elsewhere"}, "distill left out with --task regression"),
    ],
)
def test_what_is_of_labels_alone_is_refused(options: dict[str, object], expected: str) -> None:
    with pytest.raises(InputError, match=f"^Expected {expected}"):
        FitConfig(dataset="remc/small", run_dir="x", task="regression", **options)


def test_the_papers_training_is_none_of_regression() -> None:
    given = ["--dataset", "small", "--run-dir", "x", "--preset", "paper", "--labels", "median"]
    with pytest.raises(InputError, match="--task classification with --preset paper"):
        main([*given, "--task", "regression"])


def test_a_second_loss_of_a_recipe_is_left_out() -> None:
    options = {"dataset": "small", "run_dir": "x", "model": "additive_chrome"}
    assert FitConfig(**options).recipe().regression_weight > 0
    assert FitConfig(**options, task="regression").recipe().regression_weight == 0


def test_an_earlier_run_is_of_classification(cnn_run_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "run"
    path.mkdir()
    shutil.copy(cnn_run_path / "config.json", path)
    text = (path / "config.json").read_text()
    assert '    "task": "classification",\n' in text
    (path / "config.json").write_text(text.replace('    "task": "classification",\n', ""))
    assert open_run(path).task.name == "classification"
    assert open_run(path).config.options == open_run(cnn_run_path).config.options
