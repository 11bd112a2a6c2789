"""From run directories to tables, files and messages."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from keras_chrome.errors import InputError
from keras_chrome.leaderboard import leaderboard, write_leaderboard
from keras_chrome.leaderboard.__main__ import main
from keras_chrome.leaderboard.output import markdown, summary
from keras_chrome.statistics.metrics import classification_metrics
from keras_chrome.tables import WIDTH

SKILL = {"attentive_chrome": 1.6, "deep_chrome": 1.3, "cnn_attn": 0.9}


def make_run(
    path: Path,
    *,
    model: str = "attentive_chrome",
    epigenome: str = "E003",
    labels: str = "median",
    seed: int = 0,
    fingerprint: str = "f00d",
    num_genes: int = 120,
    marks: Sequence[str] = ("H3K4me3",),
    **options: Any,
) -> Path:
    """A finished run with predictions of random genes, the same for each model and seed."""
    fold = options.get("fold", 0)
    rng = np.random.default_rng([fold, *map(ord, epigenome + labels)])
    label = rng.permutation(np.arange(num_genes) % 3 == 0).astype(int)
    core = rng.normal(size=num_genes)
    noise = np.random.default_rng([seed, fold, *map(ord, model)]).normal(0, 0.3, num_genes)
    probability = 1 / (1 + np.exp(-(SKILL[model] * label + core + noise)))
    # Some gene ids stand twice, and validation genes come first.
    gene_id = [f"ENSG{(fold * num_genes + i) % 110:011d}" for i in range(num_genes)]
    test = pd.DataFrame(
        {"gene_id": gene_id, "split": "test", "label": label, "probability": probability}
    )
    config = {
        "format_version": 1,
        "model": {"variant": model, "marks": list(marks)},
        "versions": {},
        "python": "3.12.0",
        "git_revision": None,
        "options": {
            "dataset": f"remc/{epigenome}",
            "run_dir": str(path),
            "model": model,
            "labels": labels,
            "seed": seed,
            "epochs": 30,
            "split": "published",  # as earlier versions wrote
            "marks": list(marks),
            **options,
        },
        "dataset": {
            "name": f"remc/{epigenome}",
            "fingerprint": fingerprint,
            "num_bins": 100,
            "bin_bp": 100,
            "flank_bp": 5000,
        },
    }
    path.mkdir(parents=True)
    (path / "config.json").write_text(json.dumps(config))
    metrics = {"test": {"auroc": roc_auc_score(label, probability)}}
    (path / "metrics.json").write_text(json.dumps(metrics))
    predictions = pd.concat([test.assign(split="valid", probability=0.5), test])
    predictions.to_csv(path / "predictions.csv", index=False)
    return path


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Two label rules x two epigenomes x three models x two seeds."""
    for labels in ("median", "published"):
        for epigenome in ("E003", "E012"):
            for model in SKILL:
                for seed in (0, 1):
                    make_run(
                        tmp_path / "runs" / labels / f"{epigenome}-{model}-{seed}",
                        model=model,
                        epigenome=epigenome,
                        labels=labels,
                        seed=seed,
                    )
    return tmp_path / "runs"


def test_a_row_a_model_and_label_rule(runs: Path) -> None:
    models = leaderboard([runs]).models
    assert list(zip(models["labels"], models["model"], strict=True)) == [
        (labels, model) for labels in ("median", "published") for model in SKILL
    ]
    assert (models["num_runs"] == 4).all()
    assert models["num_improved"].tolist() == [2, 0, 0] * 2
    aurocs = [
        json.loads((path / "metrics.json").read_text())["test"]["auroc"]
        for path in (runs / "median").glob("*-deep_chrome-*")
    ]
    assert models["mean"][1] == pytest.approx(np.mean(aurocs))


def test_tests_compare_the_aurocs_of_the_table(runs: Path) -> None:
    board = leaderboard([runs])
    auroc = board.epigenomes.set_index(["labels", "epigenome", "model"])["auroc"]
    delong = board.paired_tests[board.paired_tests["test"] == "DeLong"]
    assert len(delong) == 2 * 2 * 3
    for row in delong.itertuples():
        pair = [auroc[row.labels, row.epigenome, model] for model in (row.model_a, row.model_b)]
        assert [row.auroc_a, row.auroc_b] == pytest.approx(pair)
        assert 0 <= row.p_value <= row.p_holm <= 1
        assert row.num_genes == 120
    bootstrap = board.paired_tests[board.paired_tests["test"] == "bootstrap"]
    np.testing.assert_allclose(bootstrap["difference"], delong["difference"])
    assert (bootstrap["standard_error"].to_numpy() > 0.9 * delong["standard_error"]).all()


def test_calibration_is_the_mean_over_seeds(runs: Path) -> None:
    board = leaderboard([runs])
    row = board.epigenomes.set_index(["labels", "epigenome", "model"]).loc[
        ("published", "E003", "cnn_attn")
    ]
    tables = [
        pd.read_csv(path / "predictions.csv").query("split == 'test'")
        for path in (runs / "published").glob("E003-cnn_attn-*")
    ]
    measured = [classification_metrics(*t[["label", "probability"]].to_numpy().T) for t in tables]
    for name in ("ece", "mean_probability", "positive_rate"):
        assert row[name] == pytest.approx(np.mean([of_run[name] for of_run in measured]))
    of_models = board.models.query("labels == 'published' and model == 'cnn_attn'")
    of_epigenomes = board.epigenomes.query("labels == 'published' and model == 'cnn_attn'")
    assert of_models["ece"].item() == pytest.approx(of_epigenomes["ece"].mean())


def test_runs_are_found_at_any_depth_and_counted_once(runs: Path) -> None:
    before = leaderboard([runs]).models
    one = runs / "median" / "E003-cnn_attn-0"
    (runs / "link").symlink_to(one)
    # Each way round through two loops doubles the number of ways.
    (runs / "loop").symlink_to(runs)
    (runs / "other-loop").symlink_to(runs)
    again = leaderboard([runs / "median", one, runs])
    pd.testing.assert_frame_equal(again.models, before)


def test_unfinished_and_imported_runs_are_named(runs: Path) -> None:
    unfinished = make_run(runs / "unfinished", seed=7)
    (unfinished / "metrics.json").unlink()
    imported = make_run(runs / "imported", seed=8)
    config = json.loads((imported / "config.json").read_text())
    del config["dataset"]["name"]
    (imported / "config.json").write_text(json.dumps(config))
    board = leaderboard([runs])
    assert board.left_out == {
        unfinished: "not finished: no metrics.json",
        imported: "imported: not trained on a dataset",
    }
    for text in (summary(board), markdown(board)):
        assert "Runs left out: 2" in text
        assert f"- {unfinished}: not finished" in text


def test_the_datasets_split_has_neither_seed_nor_folds(tmp_path: Path) -> None:
    make_run(tmp_path / "a", seed=0)
    make_run(tmp_path / "b", seed=1, split_seed=3, num_folds=4)
    models = leaderboard([tmp_path]).models
    assert models[["split", "num_runs"]].to_numpy().tolist() == [["dataset", 2]]


def test_folds_are_averaged_and_schemes_kept_apart(tmp_path: Path) -> None:
    for fold in range(3):
        chromosome = {"split": "chromosome", "split_seed": 0, "num_folds": 3, "fold": fold}
        make_run(tmp_path / f"fold-{fold}", **chromosome)
    for split_seed in (0, 1):
        random = {"split": "random", "split_seed": split_seed, "num_folds": 3, "fold": 0}
        make_run(tmp_path / f"random-{split_seed}", **random)
    epigenomes = leaderboard([tmp_path]).epigenomes
    columns = ["split", "num_runs", "num_folds", "num_genes"]
    assert epigenomes[columns].to_numpy().tolist() == [
        ["chromosome (3 folds)", 3, 3, 360],
        ["random (seed 0)", 1, 1, 120],
        ["random (seed 1)", 1, 1, 120],
    ]


def test_models_of_other_marks_are_not_compared(tmp_path: Path) -> None:
    two, other_order, three = ("A", "B"), ("B", "A"), ("A", "B", "C")
    for epigenome, marks in (("E003", two), ("E012", other_order), ("K562", three)):
        for model in ("attentive_chrome", "deep_chrome"):
            make_run(tmp_path / epigenome / model, model=model, epigenome=epigenome, marks=marks)
    board = leaderboard([tmp_path])
    assert board.models[["marks", "model", "num_epigenomes"]].to_numpy().tolist() == [
        ["A B", "attentive_chrome", 2],
        ["A B", "deep_chrome", 2],
        ["A B C", "attentive_chrome", 1],
        ["A B C", "deep_chrome", 1],
    ]
    assert set(board.paired_tests["marks"]) == {"A B", "A B C"}
    for text in (summary(board), markdown(board)):
        assert "Test AUROC, median labels, the dataset's split, marks A B\n" in text
        assert "Test AUROC, median labels, the dataset's split, marks A B C\n" in text
    write_leaderboard(board, tmp_path / "out")


def test_marks_are_named_only_where_they_differ(runs: Path) -> None:
    assert "marks" not in summary(leaderboard([runs]))


@pytest.mark.parametrize("scheme", ["neighbours", "disjoint"])
def test_thirds_have_a_seed(tmp_path: Path, scheme: str) -> None:
    make_run(tmp_path / "a", split=scheme, split_seed=3)
    assert leaderboard([tmp_path]).models["split"].tolist() == [f"{scheme} (seed 3)"]


def test_reference_is_a_choice(runs: Path) -> None:
    models = leaderboard([runs], reference="cnn_attn").models
    assert models["num_improved"].tolist() == [2, 2, 0] * 2
    absent = leaderboard([runs], reference="random_forest").models
    assert absent["num_improved"].isna().all()


def test_one_label_rule_may_lack_the_reference(runs: Path, tmp_path: Path) -> None:
    for path in (runs / "median").glob("*-deep_chrome-*"):
        (path / "metrics.json").unlink()
    board = leaderboard([runs])
    assert board.models["reference"].tolist() == ["", "", *["deep_chrome"] * 3]
    median, published = summary(board).split("\n\nTest AUROC")
    assert "better than" not in median
    assert "better than deep_chrome" in published
    # Against the best model, then.
    assert median.splitlines()[-1].split()[:2] == ["cnn_attn", "attentive_chrome"]
    write_leaderboard(board, tmp_path / "out")


# === Runs that do not belong together ===


def test_datasets_with_other_contents_are_refused(tmp_path: Path) -> None:
    make_run(tmp_path / "a", labels="median")
    make_run(tmp_path / "b", labels="published", fingerprint="beef")
    with pytest.raises(InputError, match=r"one dataset named E003\. Received: \S+/a and \S+/b,"):
        leaderboard([tmp_path])


def test_trainings_that_differ_are_rows_apart(tmp_path: Path) -> None:
    for targets in ("soft", "hard"):
        for seed in (0, 1):
            make_run(tmp_path / f"{targets}-{seed}", targets=targets, seed=seed)
    make_run(tmp_path / "other", model="deep_chrome", targets="soft")
    board = leaderboard([tmp_path])
    soft, hard = (f"attentive_chrome (targets {targets})" for targets in ("soft", "hard"))
    runs = dict(zip(board.models["model"], board.models["num_runs"], strict=True))
    assert runs == {soft: 2, hard: 2, "deep_chrome": 1}
    pairs = board.paired_tests[board.paired_tests["test"] == "bootstrap"]
    assert {(row.model_a, row.model_b) for row in pairs.itertuples()} == {
        (hard, soft),
        (hard, "deep_chrome"),
        (soft, "deep_chrome"),
    }
    # Both have the same seeds, and so the same predictions here.
    assert (pairs["difference"] == 0).tolist() == [True, False, False]


def test_a_training_is_named_by_what_it_takes_to_tell_it_apart(tmp_path: Path) -> None:
    recipe = {"batch_size": 128, "learning_rate": 0.003, "mixup": 0.3}
    plain = {"batch_size": 16, "learning_rate": 0.001, "mixup": 0.0}
    make_run(tmp_path / "a", **recipe, lstm_reads=None)
    make_run(tmp_path / "b", **plain, lstm_reads=None)
    make_run(tmp_path / "c", **plain, lstm_reads="all")
    make_run(tmp_path / "d", **plain, lstm_reads="all", epigenome="E012")
    assert set(leaderboard([tmp_path]).epigenomes["model"]) == {
        "attentive_chrome (mixup 0.3, lstm reads default and 2 more)",
        "attentive_chrome (mixup 0.0, lstm reads default and 2 more)",
        "attentive_chrome (mixup 0.0, lstm reads all and 2 more)",
    }


def test_a_run_of_an_earlier_version_is_not_apart_for_what_it_does_not_know(
    tmp_path: Path,
) -> None:
    make_run(tmp_path / "a", seed=0)
    make_run(tmp_path / "b", seed=1, lstm_reads="all")
    assert leaderboard([tmp_path]).models["model"].tolist() == ["attentive_chrome"]


def test_options_may_depend_on_the_label_rule(tmp_path: Path) -> None:
    make_run(tmp_path / "a", learning_rate=0.1, labels="median")
    make_run(tmp_path / "b", learning_rate=0.2, labels="published")
    assert len(leaderboard([tmp_path]).models) == 2


def test_the_same_training_twice_is_refused(tmp_path: Path) -> None:
    make_run(tmp_path / "a", seed=3)
    make_run(tmp_path / "b", seed=3)
    with pytest.raises(InputError, match=r"one run of attentive_chrome on E003 .*seed 3.*/a and"):
        leaderboard([tmp_path])


def test_other_genes_under_the_same_name_are_refused(tmp_path: Path) -> None:
    make_run(tmp_path / "a", seed=0)
    path = make_run(tmp_path / "b", seed=1) / "predictions.csv"
    predictions = pd.read_csv(path)
    predictions.loc[150, "gene_id"] = "ENSG00000999999"
    predictions.to_csv(path, index=False)
    with pytest.raises(InputError, match=r"same test genes and labels on E003\. .*/a and \S+/b,"):
        leaderboard([tmp_path])


# === Damage ===


def test_a_path_without_a_run_is_refused(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("empty", "missing"):
        with pytest.raises(InputError, match=f"folder of run directories.*{name}'"):
            leaderboard([runs, tmp_path / name])


def test_no_finished_run_is_refused(tmp_path: Path) -> None:
    (make_run(tmp_path / "a") / "metrics.json").unlink()
    with pytest.raises(InputError, match=r"at least one finished run.*1 to leave out.*/a \(not"):
        leaderboard([tmp_path])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda t: t[t["label"] == 0], r"labels of test genes: \[0\]"),
        (lambda t: t.iloc[:200], r"AUROC 0\.\d+, in metrics\.json 0\.\d+"),
        (lambda t: t.assign(probability=np.nan), "could not convert"),
        (lambda t: t.drop(columns="label"), "label"),
        (lambda t: t.iloc[:0], r"labels of test genes: \[\]"),
    ],
    ids=["one class", "cut off", "no number", "no column", "empty"],
)
def test_damaged_predictions_are_named(tmp_path: Path, damage: Any, message: str) -> None:
    path = make_run(tmp_path / "a") / "predictions.csv"
    damage(pd.read_csv(path)).to_csv(path, index=False)
    with pytest.raises(InputError, match=rf"predictions\.csv \(.*{message}") as error:
        leaderboard([tmp_path])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", ["{", "{}", '{"test": {}}', '{"test": 1}'])
def test_damaged_metrics_are_named(tmp_path: Path, content: str) -> None:
    (make_run(tmp_path / "a") / "metrics.json").write_text(content)
    with pytest.raises(InputError, match=r"metrics\.json as `fit` writes them\. Received: \S+/a"):
        leaderboard([tmp_path])


# === Text and files ===


def test_text_names_what_is_not_compared(runs: Path) -> None:
    make_run(runs / "extra", epigenome="E123")
    board = leaderboard([runs])
    text = summary(board)
    assert "Compared on 2 of 3 epigenomes" in text
    assert "not on E123 (cnn_attn, deep_chrome missing)." in text
    assert "Compared on every epigenome with runs (2)." in text


def test_screen_has_the_pairs_of_the_reference_and_markdown_all(runs: Path) -> None:
    board = leaderboard([runs])
    lines = [line.split() for line in summary(board).splitlines()]
    pairs = [line for line in lines if line[1:2] == ["deep_chrome"]]
    assert [line[0] for line in pairs] == ["attentive_chrome", "cnn_attn"] * 2
    assert [line[2][0] for line in pairs] == ["+", "-"] * 2
    assert "| attentive_chrome | cnn_attn | +" in markdown(board)


def test_an_overview_has_the_groups_side_by_side(tmp_path: Path) -> None:
    chromosome = {"split": "chromosome", "num_folds": 5, "fold": 0}
    make_run(tmp_path / "a", seed=0)
    make_run(tmp_path / "b", seed=1)
    make_run(tmp_path / "c", **chromosome)
    make_run(tmp_path / "d", model="cnn_attn", labels="published")
    board = leaderboard([tmp_path])
    text = markdown(board)
    lines = text[text.index("### E003") : text.index("## Test AUROC")].splitlines()
    assert lines[4] == (
        "| model | published, the dataset's split | median, the dataset's split "
        "| median, chromosome (5 folds) |"
    )
    assert [line.split(" | ")[0] for line in lines[6:8]] == ["| `cnn_attn`", "| `attentive_chrome`"]
    rows = board.epigenomes.set_index(["labels", "split"])
    dataset, other = (rows.loc["median", split] for split in ("dataset", "chromosome (5 folds)"))
    cells = [f"{r.auroc:.3f} ({r.auroc_low:.3f}-{r.auroc_high:.3f})" for r in (dataset, other)]
    assert lines[7] == f"| `attentive_chrome` |  | {cells[0]} | {cells[1]} |"
    assert (
        lines[14]
        == "| `attentive_chrome` |  | "
        + " | ".join(f"{r.ece:.3f} ({r.mean_probability:.3f})" for r in (dataset, other))
        + " |"
    )
    assert "0.333 (median, the dataset's split)" in lines[16]
    # Of one group there is nothing to put beside.
    assert "Overview" not in markdown(leaderboard([tmp_path / "a"]))


def test_one_epigenome_has_an_interval(tmp_path: Path) -> None:
    for seed in (0, 1):
        make_run(tmp_path / str(seed), seed=seed)
    board = leaderboard([tmp_path])
    (row,) = board.epigenomes.itertuples()
    header, cells = (line.split("  ") for line in summary(board).splitlines()[2:4])
    assert [cell.strip() for cell in header if cell.strip()][:3] == [
        "model",
        "AUROC",
        "95 % interval",
    ]
    assert f"{row.auroc_low:.3f}-{row.auroc_high:.3f}" in "".join(cells)
    assert max(map(len, summary(board).splitlines())) <= WIDTH


def test_writes_tables_that_read_back_and_figures(runs: Path, tmp_path: Path) -> None:
    board = leaderboard([runs])
    write_leaderboard(board, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "ceilings.csv",
        "epigenomes.csv",
        "leaderboard.csv",
        "leaderboard.md",
        "leaderboard.png",
        "leaderboard.svg",
        "paired_tests.csv",
    ]
    read = pd.read_csv(tmp_path / "out" / "epigenomes.csv")
    pd.testing.assert_frame_equal(read, board.epigenomes, check_dtype=False)
    assert matplotlib.image.imread(tmp_path / "out" / "leaderboard.png").shape[1] == 2000
    assert (tmp_path / "out" / "leaderboard.svg").read_text().rstrip().endswith("</svg>")


def test_a_single_run_is_a_leaderboard(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(tmp_path / "run", model="cnn_attn")
    main([str(run), "--out", str(tmp_path / "out")])
    printed = capsys.readouterr().out
    assert "cnn_attn" in printed
    written = {str(path) for path in (tmp_path / "out").iterdir()}
    assert set(printed.splitlines()[-len(written) :]) == written
    assert pd.read_csv(tmp_path / "out" / "paired_tests.csv").empty


def run_command(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "keras_chrome.leaderboard", *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def test_command_says_bad_input_in_one_line(tmp_path: Path) -> None:
    answer = run_command(str(tmp_path), "--out", str(tmp_path / "out"))
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.startswith("error: Expected a run directory")
    assert answer.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_no_tensorflow_is_imported(runs: Path) -> None:
    code = (
        f"from keras_chrome.leaderboard.__main__ import main; main([{str(runs)!r}]);"
        "import sys; assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
