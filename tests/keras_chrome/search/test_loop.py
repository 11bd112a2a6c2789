"""Searches: scored on validation genes alone, broken off and gone on with, repeated by `fit`."""

import json
import random
import shlex
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from keras_chrome.command_line import parse
from keras_chrome.errors import InputError
from keras_chrome.fit import FitConfig, fit
from keras_chrome.fit.job import load, prepare
from keras_chrome.fit.recipes import PLAIN
from keras_chrome.runs import Run
from keras_chrome.runs.files import locked
from keras_chrome.search import SearchConfig, search
from keras_chrome.search.__main__ import main
from keras_chrome.search.output import summary
from keras_chrome.search.space import SPACE
from keras_chrome.search.trial import run_trial

# A variant that compiles in no time.
MODEL = "cnn_alpha_beta"
VARIED = ("learning_rate", "batch_size", "schedule", "warmup")
EVERY_VALUE = {name: getattr(PLAIN, name, 0.5) for name in SPACE}


def small(data_dir: Path, out_dir: Path, **options: Any) -> SearchConfig:
    """Three trials of two epochs, but for these options; those of `fit` among them."""
    own = {
        name: options.pop(name) for name in tuple(options) if name in SearchConfig.__annotations__
    }
    return SearchConfig(
        **{
            "dataset": "remc/small",
            "model": MODEL,
            "out_dir": out_dir,
            "trials": 3,
            "vary": VARIED,
            "fit_options": {"data_dir": data_dir, "epochs": 2, **options},
            **own,
        }
    )


def command(data_dir: Path, out_dir: Path) -> list[str]:
    """The same as a user types it."""
    return [
        *("--model", MODEL, "--dataset", "remc/small", "--data-dir", str(data_dir)),
        *("--out-dir", str(out_dir), "--trials", "3", "--vary", *VARIED, "--epochs", "2"),
    ]


def trials_of(out_dir: Path) -> pd.DataFrame:
    """The trials as text, to the last digit, without the seconds that they took."""
    return pd.read_csv(out_dir / "trials.csv", dtype=str).drop(columns="seconds")


def best_auroc(run: Run) -> float:
    """To the last digit, likewise."""
    return float(pd.read_csv(run.path / "history.csv", dtype=str)["val_auroc"].astype(float).max())


@pytest.fixture(scope="module")
def _searched(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A finished search, and what it said."""
    out_dir = tmp_path_factory.mktemp("searches") / "whole"
    return out_dir, summary(search(small(data_dir, out_dir)))


@pytest.fixture
def finished(_searched: tuple[Path, str], tmp_path: Path) -> Path:
    """A copy, free to be changed, of a finished search."""
    return Path(shutil.copytree(_searched[0], tmp_path / "search"))


def test_the_trials_are_a_table_and_leave_no_runs_behind(finished: Path) -> None:
    table = pd.read_csv(finished / "trials.csv")
    assert list(table) == ["trial", "state", "score", "seconds", *VARIED]
    assert table["trial"].tolist() == [1, 2, 3]
    assert table["state"].tolist() == ["complete"] * 3
    assert table["score"].between(0, 1).all()
    assert (table["seconds"] > 0).all()
    assert table["learning_rate"].nunique() == 3
    assert (table["warmup"].isna() == (table["schedule"] == "constant")).all()
    assert sorted(path.name for path in finished.iterdir()) == [
        *("best.json", "logs", "optuna.journal", "search.json", "trials.csv")
    ]
    log = (finished / "logs" / "trial-2.log").read_text()
    assert "epoch 2/2: loss" in log
    assert "50 training genes, 50 validation (the" in log


def test_the_first_trial_is_what_fit_makes_of_the_recipe(
    data_dir: Path, finished: Path, tmp_path: Path
) -> None:
    run = fit(
        dataset="remc/small", data_dir=data_dir, run_dir=tmp_path / "run", model=MODEL, epochs=2
    )
    assert float(trials_of(finished)["score"][0]) == best_auroc(run)


def test_fit_repeats_the_best(_searched: tuple[Path, str], finished: Path, tmp_path: Path) -> None:
    best = json.loads((finished / "best.json").read_text())
    scores = trials_of(finished)["score"].astype(float)
    assert best["score"] == scores.max()
    assert best["trial"] == 1 + scores.argmax()
    run = fit(**best["options"], run_dir=tmp_path / "run")
    assert best_auroc(run) == best["score"]
    assert 0 < run.metrics["test"]["auroc"] <= 1
    # The command that is printed has the same options.
    words = shlex.split(_searched[1].splitlines()[-1].partition("keras_chrome.fit ")[2])
    printed = parse(FitConfig, words, prog="fit", description="")
    assert printed == FitConfig(**best["options"], run_dir=_searched[0] / "best")


def test_no_test_gene_is_read(data_dir: Path, finished: Path, tmp_path: Path) -> None:
    copy = tmp_path / "data"
    shutil.copytree(data_dir / "remc" / "small", copy / "remc" / "small")
    (records,) = copy.rglob("remc-test.tfrecord*")
    records.unlink()
    search(small(copy, tmp_path / "without", trials=2))
    pd.testing.assert_frame_equal(trials_of(tmp_path / "without"), trials_of(finished)[:2])
    with pytest.raises(Exception, match="remc-test"):
        fit(small(copy, tmp_path).fit_config(tmp_path / "run"))


def test_genes_of_no_other_split_and_no_left_out_epigenome_are_at_hand(data_dir: Path) -> None:
    config = FitConfig(
        dataset="remc/small",
        run_dir="",
        data_dir=data_dir,
        model=MODEL,
        split="chromosome",
        num_folds=3,
    )
    whole = load(config)[1]
    genes = load(config, ("train", "valid"))[1]
    assert list(genes) == ["train", "valid"]
    for split, of_split in genes.items():
        assert of_split.gene_id.tolist() == whole[split].gene_id.tolist()
    left_out = FitConfig(
        dataset="remc/small", run_dir="", data_dir=data_dir, model=MODEL, leave_out="remc/small"
    )
    dataset, _ = load(config)
    assert prepare(left_out, (dataset, genes)).left_out is None
    assert prepare(left_out, (dataset, whole)).left_out is not None


def test_a_search_that_was_interrupted_goes_on_to_what_it_would_have_been(
    data_dir: Path, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out_dir = tmp_path / "broken"
    arguments = command(data_dir, out_dir)
    with (tmp_path / "output").open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "keras_chrome.search", *arguments],
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    while not (out_dir / "logs" / "trial-2.log").exists():
        assert process.poll() is None, (tmp_path / "output").read_text()
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130
    assert "broken off in trial 2; the same command goes on" in (tmp_path / "output").read_text()
    assert not (out_dir / ".trial").exists()
    pd.testing.assert_frame_equal(
        trials_of(out_dir)[["trial", "state"]], trials_of(finished)[["trial", "state"]][:1]
    )

    main(arguments)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("[2/3] validation AUROC 0.")
    assert "trials: 3 complete" in lines
    assert lines[-2:] == [str(out_dir / "trials.csv"), str(out_dir / "best.json")]
    pd.testing.assert_frame_equal(trials_of(out_dir), trials_of(finished))


@pytest.mark.slow
def test_a_search_killed_again_and_again_comes_to_what_it_would_have(
    data_dir: Path, finished: Path, tmp_path: Path, num_kills: int
) -> None:
    out_dir = tmp_path / "broken"
    arguments = [sys.executable, "-m", "keras_chrome.search", *command(data_dir, out_dir)]
    started = time.monotonic()
    subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL)
    took_s = time.monotonic() - started
    shutil.rmtree(out_dir)
    draw = random.Random(16)
    for _ in range(num_kills):
        with subprocess.Popen(arguments, stdout=subprocess.DEVNULL) as process:
            with suppress(subprocess.TimeoutExpired):
                process.wait(draw.uniform(0, took_s))
            process.kill()
        if process.returncode == 0:  # It was done before, and has nothing more to lose.
            shutil.rmtree(out_dir)
    subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL)
    pd.testing.assert_frame_equal(trials_of(out_dir), trials_of(finished))
    broken, whole = (json.loads((path / "best.json").read_text()) for path in (out_dir, finished))
    assert broken == whole
    assert {path.name for path in out_dir.iterdir()} == {path.name for path in finished.iterdir()}


def test_a_finished_search_is_not_repeated_but_goes_on_to_more_trials(
    data_dir: Path, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = trials_of(finished)
    search(small(data_dir, finished))
    assert capsys.readouterr().out == ""
    found = search(small(data_dir, finished, trials=4))
    assert capsys.readouterr().out.startswith("[4/4] ")
    assert len(found.trials) == 4
    pd.testing.assert_frame_equal(trials_of(finished)[:3], before)


def test_a_spent_time_begins_no_trial(
    data_dir: Path, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = search(small(data_dir, finished, trials=4, hours=1e-9))
    assert len(found.trials) == 3
    assert capsys.readouterr().out == "no further trial after 1e-09 h\n"


def test_another_search_is_refused_in_its_folder(data_dir: Path, finished: Path) -> None:
    match = (
        r"seed=1 \(was 0\), transform='none' \(was 'log1p'\), epochs=3 \(was 2\), "
        r"shift='0 to 5 by 1' \(was 0\); take another --out-dir$"
    )
    other = small(data_dir, finished, seed=1, vary=(*VARIED, "shift"), epochs=3, transform="none")
    with pytest.raises(InputError, match=match):
        search(other)
    (finished / "search.json").write_text("[1")
    with pytest.raises(InputError, match=r"search\.json \(JSONDecodeError: .* another --out-dir$"):
        search(small(data_dir, finished))
    with (
        locked(finished, "search"),
        pytest.raises(InputError, match="Expected no other command at work in"),
    ):
        search(small(data_dir, finished))


def test_a_score_is_the_mean_over_the_seeds(data_dir: Path, finished: Path, tmp_path: Path) -> None:
    config = small(data_dir, tmp_path / "seeds", trials=1, seeds=(0, 1))
    (row,) = search(config).trials.to_dict("records")
    other = best_auroc(fit(config.fit_config(tmp_path / "run"), seed=1))
    assert row["seed_0"] == float(trials_of(finished)["score"][0])
    assert row["seed_1"] == other != row["seed_0"]
    assert row["score"] == pytest.approx((row["seed_0"] + other) / 2, rel=1e-15)


def test_a_training_that_fails_is_a_failed_trial(
    data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = small(
        data_dir, tmp_path / "search", trials=2, vary=("shift",), learning_rate=1e38, clip_norm=0
    )
    with pytest.raises(InputError, match=r"Received: 2, all failed; their output is in .*logs$"):
        search(config)
    assert "[2/2] Expected a finite loss." in capsys.readouterr().out
    table = trials_of(tmp_path / "search")
    assert table["state"].tolist() == ["failed"] * 2
    assert table["score"].isna().all()
    assert not (tmp_path / "search" / "best.json").exists()


def test_a_mistake_is_told_and_leaves_the_folder_free(data_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Expected options of cnn_alpha_beta"):
        search(small(data_dir, tmp_path, lstm_reads="all"))
    assert search(small(data_dir, tmp_path, trials=1)).trials["state"].tolist() == ["complete"]


@pytest.mark.parametrize(
    ("epochs", "gives_up_at", "asked", "state"),
    [
        (10, 4, [1, 2, 3, 4], "pruned"),
        # There is nothing left to save then.
        (3, 10, [3, 6, 10], "complete"),
    ],
)
def test_a_hopeless_trial_is_given_up_after_a_tenth_of_its_epochs(
    data_dir: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    epochs: int,
    gives_up_at: int,
    asked: list[int],
    state: str,
) -> None:
    config = small(data_dir, tmp_path, epochs=epochs, patience=0).fit_config(tmp_path / "run")
    calls: list[tuple[int, float]] = []

    def is_hopeless(tenth: int, auroc: float) -> bool:
        calls.append((tenth, auroc))
        return tenth == gives_up_at

    data = load(config, ("train", "valid"))
    outcome = run_trial(config, data, seeds=[0], is_hopeless=is_hopeless)
    assert [tenth for tenth, _ in calls] == asked
    bests = [auroc for _, auroc in calls]
    assert bests == sorted(bests)
    assert outcome.state == state
    assert outcome.scores == ([] if state == "pruned" else [bests[-1]])
    num_epochs = capsys.readouterr().out.count("validation loss")
    assert num_epochs == (next(e for e in range(99) if 10 * e // epochs == asked[-1]))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"vary": ("target_width",), "targets": "hard"},
            "Received: target_width with hard targets",
        ),
        (
            {"vary": (), **EVERY_VALUE},
            "an option left to search, of learning_rate, .* values of all$",
        ),
    ],
)
def test_nothing_is_searched_without_effect(
    data_dir: Path, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        search(small(data_dir, tmp_path / "search", **options))
    assert not (tmp_path / "search").exists()
