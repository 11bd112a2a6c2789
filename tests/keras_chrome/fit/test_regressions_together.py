"""Several runs of regression: as one, and beside each other."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import r2_score

from keras_chrome.attend import attend
from keras_chrome.ensemble import ensemble
from keras_chrome.ensemble.output import summary as summary_of_ensemble
from keras_chrome.errors import InputError
from keras_chrome.evaluate import evaluate
from keras_chrome.fit import fit
from keras_chrome.leaderboard import leaderboard, write_leaderboard
from keras_chrome.leaderboard.output import markdown, summary
from keras_chrome.models import logit_model
from keras_chrome.models.prediction import predict
from keras_chrome.runs import Run
from keras_chrome.search.config import SearchConfig
from keras_chrome.sweep.config import SweepConfig, fits_bank
from keras_chrome.vocabulary import CORE_MARKS


@pytest.fixture(scope="module")
def runs(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """Two networks and boosting."""
    folder = tmp_path_factory.mktemp("runs")
    return [
        fit(
            dataset="remc/small",
            data_dir=data_dir,
            run_dir=folder / f"{model}-{seed}",
            model=model,
            marks=CORE_MARKS,
            task="regression",
            epochs=3,
            learning_rate=0.01,
            seed=seed,
        )
        for model, seed in (("cnn_alpha_beta", 0), ("cnn_alpha_beta", 1), ("gradient_boosting", 0))
    ]


def predicted(run: Run) -> np.ndarray:
    answer: np.ndarray = predict(run.load_model(), run.load_genes("test").signal).answer
    return answer.astype(np.float64)


@pytest.mark.parametrize("members", [[0, 1], [0, 2]])
def test_an_ensemble_answers_the_mean_expression_and_how_far_its_members_lie_apart(
    members: list[int], runs: list[Run], tmp_path: Path
) -> None:
    of_members = [runs[i] for i in members]
    run = ensemble([member.path for member in of_members], tmp_path / "both")
    answers = np.stack([predicted(member) for member in of_members])
    table = run.predictions.query("split == 'test'")
    np.testing.assert_allclose(table["predicted"], answers.mean(axis=0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(table["predicted_sd"], answers.std(axis=0), rtol=1e-3, atol=1e-4)
    assert table["predicted_sd"].max() > 0.01
    r = pearsonr(table["measured"], answers.mean(axis=0)).statistic
    assert run.metrics["test"]["pearson"] == pytest.approx(r, abs=1e-5)
    assert (run.metrics["scale"], run.task.name) == ("log2(RPKM + 1)", "regression")
    words = summary_of_ensemble(run, of_members)
    assert "valid Pearson's r" in words
    assert "AUROC" not in words


def test_an_ensemble_is_asked_as_a_run_is(runs: list[Run], tmp_path: Path) -> None:
    run = ensemble([runs[0].path, runs[1].path], tmp_path / "both")
    attention = attend(run.path)
    np.testing.assert_allclose(attention["expression"], predicted(run), rtol=1e-4, atol=1e-5)
    assert evaluate(run.path, out=tmp_path / "again")["test"]["pearson"] == pytest.approx(
        run.metrics["test"]["pearson"], abs=1e-6
    )
    signal = run.load_genes("test").signal[:4]
    logit = np.asarray(logit_model(run.load_model())(signal))[:, 0]
    np.testing.assert_allclose(logit, predicted(run)[:4], rtol=1e-4, atol=1e-5)


def test_a_stack_weighs_by_the_squared_error_of_validation_genes(
    runs: list[Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ensemble([runs[0].path, runs[2].path], tmp_path / "stack", stack=True)
    assert "weights: by squared error on" in capsys.readouterr().out
    genes = runs[0].load_genes("valid")
    answers = [predict(r.load_model(), genes.signal).answer for r in (runs[0], runs[2])]
    truth = np.log2(genes.rpkm + 1)

    def error(share: float) -> float:
        return float(((share * answers[0] + (1 - share) * answers[1] - truth) ** 2).mean())

    best = min(np.linspace(0, 1, 1001), key=error)
    assert run.config.members[0].weight == pytest.approx(best, abs=0.01)


def test_runs_of_two_tasks_are_no_ensemble(
    runs: list[Run], cnn_run_path: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="of runs with the same task"):
        ensemble([runs[0].path, cnn_run_path], tmp_path / "x")


def test_a_leaderboard_ranks_them_by_correlation(
    runs: list[Run], cnn_run_path: Path, tmp_path: Path
) -> None:
    board = leaderboard([run.path for run in runs], reference="gradient_boosting")
    rows = board.correlations.set_index("model")
    assert board.models.empty
    assert board.left_out == {}
    assert rows["pearson"].is_monotonic_decreasing
    tables = [run.predictions.query("split == 'test'") for run in runs]
    each = [pearsonr(t["measured"], t["predicted"]).statistic for t in tables]
    network, boosting = rows.loc["cnn_alpha_beta"], rows.loc["gradient_boosting"]
    assert network["pearson"] == pytest.approx(np.mean(each[:2]), abs=1e-6)
    assert network["se_over_seeds"] == pytest.approx(abs(each[0] - each[1]) / 2, abs=1e-6)
    assert boosting["pearson"] == pytest.approx(each[2], abs=1e-6)
    of_boosting = tables[2]["measured"], tables[2]["predicted"]
    assert boosting["spearman"] == pytest.approx(spearmanr(*of_boosting).statistic, abs=1e-6)
    assert boosting["r2"] == pytest.approx(r2_score(*of_boosting), abs=1e-6)
    # One seed: the interval is that of genes alone, which `evaluate` has as well.
    interval = runs[2].metrics["test"]["pearson_ci95"]
    assert [boosting["pearson_low"], boosting["pearson_high"]] == pytest.approx(interval, abs=1e-6)
    assert network["difference"] == pytest.approx(np.mean(each[:2]) - each[2], abs=1e-6)
    assert network["difference_low"] < network["difference"] < network["difference_high"]
    assert np.isnan(boosting["difference"])
    assert rows["num_runs"].to_dict() == {"cnn_alpha_beta": 2, "gradient_boosting": 1}
    for text in (summary(board), markdown(board)):
        assert "Test Pearson's r of log2(expression + 1), small, the dataset's split" in text
        assert "r against gradient_boosting" in text
        assert "AUROC" not in text
    write_leaderboard(board, tmp_path / "board")
    assert {p.name for p in (tmp_path / "board").iterdir()} == {
        "correlations.csv",
        "leaderboard.md",
    }
    written = pd.read_csv(tmp_path / "board" / "correlations.csv")
    pd.testing.assert_frame_equal(written, board.correlations, check_exact=False)


def test_a_leaderboard_of_both_tasks_has_both_tables(runs: list[Run], cnn_run_path: Path) -> None:
    board = leaderboard([runs[0].path, cnn_run_path])
    assert board.models["model"].tolist() == board.correlations["model"].tolist()
    assert "Test AUROC" in summary(board)
    assert "Test Pearson's r" in summary(board)


def test_a_damaged_table_of_predictions_is_told(runs: list[Run]) -> None:
    path = runs[2].path / "predictions.csv"
    text = path.read_text()
    table = runs[2].predictions
    table.assign(predicted=np.arange(len(table), dtype=float)).to_csv(path, index=False)
    with pytest.raises(InputError, match=r"with the Pearson's r of metrics.json. Received: .*0\."):
        leaderboard([runs[2].path])
    path.write_text(text)


def test_a_sweep_trains_regression_and_in_no_bank(tmp_path: Path) -> None:
    options = {"models": ("lstm",), "datasets": ("remc/small",), "out_dir": tmp_path}
    config = SweepConfig(**options, fit_options={"task": "regression"})
    (run,) = config.runs().values()
    assert run.task == "regression"
    assert not fits_bank(run)
    with pytest.raises(InputError, match="labels median with --task regression"):
        SweepConfig(**options, labels=("published",), fit_options={"task": "regression"})


def test_a_search_goes_by_auroc_and_refuses_regression(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"Expected fit_options among .*Received: task"):
        SearchConfig("remc/small", tmp_path, fit_options={"task": "regression"})
