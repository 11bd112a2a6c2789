"""Sweeps: broken off and gone on with, refused, failing in part."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tensorflow_datasets as tfds

from keras_chrome.command_line import parse
from keras_chrome.data import load_genes, open_dataset
from keras_chrome.errors import InputError
from keras_chrome.fit import PRESETS, FitConfig
from keras_chrome.fit.config import as_arguments
from keras_chrome.runs import open_run
from keras_chrome.runs.files import locked
from keras_chrome.sweep import SweepConfig, sweep
from keras_chrome.sweep.__main__ import _parse
from keras_chrome.vocabulary import CORE_MARKS
from tfds_remc import RemcBuilder, RemcConfig

MODELS = ("logistic_regression", "cnn_alpha_beta")
FIRST, SECOND = (f"median/small/{model}/seed-0" for model in MODELS)


def small(data_dir: Path, out_dir: Path, **options: Any) -> SweepConfig:
    return SweepConfig(
        **{
            "models": MODELS,
            "datasets": ["remc/small"],
            "seeds": [0],
            "out_dir": str(out_dir),
            "fit_options": {"data_dir": str(data_dir), "epochs": 5},
            **options,
        }
    )


def command(
    out_dir: Path,
    data_dir: Path,
    models: Sequence[str],
    datasets: Sequence[str],
    *,
    jobs: int = 1,
    epochs: int = 5,
) -> list[str]:
    return [
        *(sys.executable, "-m", "keras_chrome.sweep", "--models", *models, "--datasets", *datasets),
        *("--seeds", "0", "--out-dir", str(out_dir), "--data-dir", str(data_dir)),
        *("--epochs", str(epochs), "--jobs", str(jobs)),
    ]


class Background:
    """A command under way in a process group of its own, its output in a file."""

    def __init__(self, arguments: Sequence[str], output: Path) -> None:
        self.output = output
        with output.open("w") as file:
            self.process = subprocess.Popen(
                arguments, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
            )

    def wait_until(self, condition: Callable[[], object]) -> None:
        while not condition():
            assert self.process.poll() is None, self.output.read_text()
            time.sleep(0.02)

    def children(self) -> list[int]:
        answer = subprocess.run(
            ["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True
        )
        return [int(pid) for pid in answer.stdout.split()]

    def kill_group(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def times(out_dir: Path) -> dict[Path, int]:
    """When each file of the finished runs was last written."""
    return {
        path: path.stat().st_mtime_ns
        for metrics in out_dir.rglob("metrics.json")
        for path in metrics.parent.rglob("*")
    }


@pytest.fixture(scope="module")
def _resumed(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, bool]:
    """A sweep that was killed in its second run and then gone on with.

    Returns its folder, what going on printed, and whether the first run was left alone.
    """
    folder = tmp_path_factory.mktemp("sweeps")
    out_dir = folder / "sweep"
    arguments = command(out_dir, data_dir, MODELS, ["remc/small"])
    broken = Background(arguments, folder / "output")
    broken.wait_until((out_dir / "runs" / SECOND / "checkpoints" / "last.npz").exists)
    broken.kill_group()
    before = times(out_dir)
    assert {path.relative_to(out_dir / "runs" / FIRST).name for path in before} >= {"metrics.json"}
    assert not (out_dir / "runs" / SECOND / "metrics.json").exists()
    answer = subprocess.run(arguments, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    return out_dir, answer.stdout, before.items() <= times(out_dir).items()


@pytest.fixture
def finished(_resumed: tuple[Path, str, bool], tmp_path: Path) -> Path:
    """A copy, free to be changed, of a finished sweep."""
    return Path(shutil.copytree(_resumed[0], tmp_path / "sweep"))


def test_a_killed_sweep_goes_on_with_the_run_it_was_in(
    _resumed: tuple[Path, str, bool],
) -> None:
    out_dir, printed, is_first_untouched = _resumed
    assert is_first_untouched
    before, marks, second = printed.splitlines()[:3]
    assert before == "runs: 2; finished before: 1"
    assert marks.startswith("small: marks H3K27me3, ")
    assert second.startswith(f"[2/2] {SECOND}: test AUROC 0.")
    assert "resuming after epoch" in (out_dir / "logs" / f"{SECOND}.log").read_text()
    assert set(pd.read_csv(out_dir / "leaderboard.csv")["model"]) == set(MODELS)
    assert all(model in printed.partition("leaderboard")[0] for model in MODELS)
    assert (out_dir / "leaderboard.md").read_text()
    assert (out_dir / "leaderboard.png").stat().st_size > 0


def test_a_finished_sweep_is_not_repeated(
    data_dir: Path, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = times(finished)
    board = sweep(small(data_dir, finished, seeds=[0]))
    assert times(finished) == before
    assert set(board.models["model"]) == set(MODELS)
    assert capsys.readouterr().out.startswith("runs: 2; finished before: 2\n\n")


def test_the_leaderboard_is_of_the_runs_asked_for(data_dir: Path, finished: Path) -> None:
    board = sweep(small(data_dir, finished, models=MODELS[:1]))
    assert board.models["model"].tolist() == [MODELS[0]]


def test_runs_with_other_options_are_refused(data_dir: Path, finished: Path) -> None:
    other = small(
        data_dir,
        finished,
        seeds=[0, 1],
        fit_options={"data_dir": str(data_dir), "epochs": 3, "clip_norm": 2.0},
    )
    before = times(finished)
    match = r"epochs=3 \(was 5\) in 2 of them, clip_norm=2.0 \(was 1.0\) in 2 of them.*--overwrite$"
    with pytest.raises(InputError, match=match):
        sweep(other)
    assert times(finished) == before
    assert not list(finished.rglob("seed-1*"))


@pytest.mark.parametrize(
    ("options", "change"),
    [
        ({"permute_labels": True}, r"permute_labels=True \(was False\)"),
        ({"split": "chromosome"}, r"split='chromosome' \(was 'dataset'\)"),
        ({"split": "random", "split_seed": 3}, r"split='random' \(was 'dataset'\)"),
    ],
)
def test_a_folder_holds_one_split_scheme_and_no_permuted_runs_beside_others(
    data_dir: Path, finished: Path, options: dict[str, Any], change: str
) -> None:
    """The names of runs say neither, so that one would stand in the place of the other."""
    common = {"data_dir": str(data_dir), "epochs": 5}
    other = small(data_dir, finished, fit_options={**common, **options})
    before = times(finished)
    with pytest.raises(InputError, match=rf"{change} in 2 of them.*take another --out-dir"):
        sweep(other)
    assert times(finished) == before


def test_overwriting_redoes_runs_with_other_options(
    data_dir: Path, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {"data_dir": data_dir, "transform": "none"}
    sweep(small(data_dir, finished, models=MODELS[:1], overwrite=True, fit_options=options))
    assert f"[1/1] {FIRST}: test AUROC" in capsys.readouterr().out
    # The run is now the one asked for.
    sweep(small(data_dir, finished, models=MODELS[:1], fit_options=options))
    assert "runs: 1; finished before: 1\n" in capsys.readouterr().out


def build_with_two_marks(data_dir: Path, folder: Path) -> None:
    """`remc/two`: the genes of `remc/small`, and two of its marks."""
    marks = ("H3K4me3", "H3K27ac")
    genes = load_genes(open_dataset("remc/small", data_dir), marks=marks)
    columns = {n: getattr(genes, n) for n in ("gene_id", "chrom", "tss", "strand", "rpkm")}
    folder.mkdir()
    file = folder / "two.npz"
    np.savez(file, marks=np.array(marks), signal=genes.signal.transpose(0, 2, 1), **columns)
    config = RemcConfig(name="two", source="signal_array", signal_array=file, bin_bp=500)
    RemcBuilder(config=config, data_dir=folder).download_and_prepare()


def test_datasets_of_other_marks_are_trained_on_their_own_and_not_compared(
    data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "data"
    build_with_two_marks(data_dir, folder)
    shutil.copytree(data_dir / "remc" / "small", folder / "remc" / "small")
    config = small(
        folder,
        tmp_path / "sweep",
        models=["logistic_regression_max"],
        datasets=["two", "remc/small"],
        fit_options={"data_dir": folder},
    )
    board = sweep(config)
    lines = capsys.readouterr().out.splitlines()
    assert "two: marks H3K4me3, H3K27ac (2)" in lines
    assert f"small: marks {', '.join((*CORE_MARKS, 'H3K27ac'))} (6)" in lines
    assert board.models[["marks", "num_epigenomes"]].to_numpy().tolist() == [
        [" ".join(sorted((*CORE_MARKS, "H3K27ac"))), 1],
        ["H3K27ac H3K4me3", 1],
    ]
    before = times(tmp_path / "sweep")
    # All marks are what they were trained on; nothing is done again, even without the data.
    shutil.rmtree(folder)
    sweep(config)
    assert "finished before: 2" in capsys.readouterr().out
    assert times(tmp_path / "sweep") == before


def test_a_missing_dataset_is_told_before_anything_starts(data_dir: Path, tmp_path: Path) -> None:
    config = small(data_dir, tmp_path, datasets=["remc/small", "remc/none"])
    with pytest.raises(InputError, match=r"there are remc/small\)\. Received: dataset='remc/none'"):
        sweep(config)
    assert not (tmp_path / "runs").exists()


def test_a_run_that_fails_leaves_the_others(
    data_dir: Path, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (finished / "leaderboard.csv").unlink()
    # Simulated genes have no published labels.
    config = small(data_dir, finished, models=MODELS[:1], labels=["published", "median"])
    with pytest.raises(InputError, match=r"1 of 2 failed; their output is in .*logs"):
        sweep(config)
    failed = f"{FIRST.replace('median', 'published')}: failed with exit code 2 after"
    (line,) = (text for text in capsys.readouterr().out.splitlines() if failed in text)
    assert "labels='published'" in line
    assert pd.read_csv(finished / "leaderboard.csv")["labels"].tolist() == ["median"]


def test_a_bank_makes_recurrent_variants_in_one_process(
    data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = small(
        data_dir,
        tmp_path,
        models=["lstm", "logistic_regression"],
        seeds=[0, 1],
        bank=2,
        fit_options={"data_dir": data_dir, "epochs": 2},
    )
    board = sweep(config)
    assert board.models["num_runs"].sum() == 4
    assert sorted(p.name for p in (tmp_path / "logs").glob("*.log")) == ["bank-0.log"]
    assert "median/small/lstm/seed-1: epoch 2" in (tmp_path / "logs" / "bank-0.log").read_text()
    assert len(list((tmp_path / "logs").rglob("seed-*.log"))) == 2
    printed = capsys.readouterr().out
    assert "[4/4]" in printed
    assert "lstm/seed-1: test AUROC" in printed
    before = times(tmp_path)
    sweep(config)
    assert "finished before: 4" in capsys.readouterr().out
    assert times(tmp_path) == before


def test_a_crash_ends_one_run_and_a_kill_all(data_dir: Path, tmp_path: Path) -> None:
    out_dir = tmp_path / "sweep"
    started = Background(
        command(out_dir, data_dir, MODELS, ["remc/small"], jobs=2), tmp_path / "output"
    )
    started.wait_until(lambda: len(started.children()) == 2)
    with pytest.raises(InputError, match=r"no other command at work.*sweep \(process"):
        sweep(small(data_dir, out_dir))
    os.kill(started.children()[0], signal.SIGKILL)
    started.wait_until(lambda: "failed with SIGKILL" in started.output.read_text())
    assert len(started.children()) == 1
    started.process.terminate()
    assert started.process.wait(60) == 128 + signal.SIGTERM
    assert not list(out_dir.rglob("metrics.json"))
    # A run that was left behind would keep the lock.
    with locked(out_dir, "sweep"):
        pass


def test_a_run_that_a_killed_sweep_left_behind_keeps_the_lock(
    data_dir: Path, tmp_path: Path
) -> None:
    out_dir = tmp_path / "sweep"
    started = Background(command(out_dir, data_dir, MODELS, ["remc/small"]), tmp_path / "output")
    started.wait_until(started.children)
    started.process.kill()
    started.process.wait()
    with pytest.raises(InputError, match="a run that it left behind"), locked(out_dir, "sweep"):
        pass
    os.killpg(started.process.pid, signal.SIGKILL)


def test_runs_come_in_a_fixed_order() -> None:
    config = SweepConfig(
        models=("lstm", "svm"),
        datasets=("remc/E012", "remc/E003"),
        seeds=(1, 0),
        labels=("published",),
        out_dir="sweep",
    )
    assert list(config.runs()) == [
        f"published/{epigenome}/{model}/seed-{seed}"
        for epigenome in ("E012", "E003")
        for model in ("lstm", "svm")
        for seed in (1, 0)
    ]
    run = config.runs()["published/E012/svm/seed-1"]
    assert run == FitConfig(
        dataset="remc/E012",
        run_dir="sweep/runs/published/E012/svm/seed-1",
        model="svm",
        labels="published",
        seed=1,
        resume=True,
    )


def test_a_dataset_may_be_the_folder_of_its_version(data_dir: Path, tmp_path: Path) -> None:
    (version,) = (data_dir / "remc" / "small").iterdir()
    assert list(small(data_dir, tmp_path, datasets=[str(version)]).runs()) == [FIRST, SECOND]


def test_options_reach_fit() -> None:
    config = FitConfig(
        dataset="remc/E012",
        run_dir="a folder",
        marks=("H3K4me3", "H3K9me3"),
        learning_rate=1e-05,
        split="chromosome",
        fold=2,
        resume=True,
    )
    assert parse(FitConfig, list(as_arguments(config)), prog="fit", description="") == config


def parsed(*arguments: str) -> SweepConfig:
    required = ("--models", "lstm", "--datasets", "remc/E012", "--seeds", "0", "--out-dir", "sweep")
    return _parse([*required, *arguments])


def test_options_of_fit_are_taken() -> None:
    config = parsed("--epochs", "2", "--labels", "median", "published", "--split", "random")
    assert config.labels == ("median", "published")
    assert config.fit_options == {"epochs": 2, "split": "random"}


def test_out_is_another_name_of_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    config = _parse(["--models", "lstm", "--datasets", "remc/E012", "--out", "~/sweep"])
    assert config.out_dir == Path("/home/someone/sweep")
    assert config == SweepConfig(models=("lstm",), datasets=("remc/E012",), out_dir="~/sweep")


def test_a_preset_gives_way_to_options() -> None:
    paper = parsed("--preset", "paper")
    assert paper.labels == ("published",)
    assert {**paper.fit_options, "labels": "published"} == PRESETS["paper"]
    assert parsed("--preset", "paper", "--labels", "median").labels == ("median",)
    assert parsed("--preset", "paper", "--epochs", "3").fit_options["epochs"] == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"models": ("deep", "lstm")}, r"'attentive_chrome'.*'svm'.*model='deep'"),
        ({"models": ()}, r"at least one. Received: models=\(\)"),
        ({"seeds": (1, 1)}, r"once.*seeds=\(1, 1\)"),
        ({"labels": ("mean",)}, "labels='mean'"),
        ({"jobs": 0}, "jobs=0"),
        ({"datasets": ("remc/E012", "other/E012")}, "different names.*'other/E012'"),
        ({"fit_options": {"epochs": 0}}, "epochs=0"),
        ({"fit_options": {"seed": 0, "speed": 1}}, "Received: seed, speed"),
    ],
)
def test_bad_options(options: Mapping[str, Any], message: str) -> None:
    valid: dict[str, Any] = {
        "models": ("lstm",),
        "datasets": ("remc/E012",),
        "seeds": (0,),
        "out_dir": "sweep",
    }
    with pytest.raises(InputError, match=message):
        SweepConfig(**{**valid, **options})


def outcome(out_dir: Path) -> dict[str, object]:
    """All that the runs of a sweep have come to, but for the time that it took."""
    times = ["genes_per_second", "wall_s"]
    found: dict[str, object] = {}
    for file in sorted(out_dir.rglob("metrics.json")):
        name, run = str(file.parent.relative_to(out_dir)), open_run(file.parent)
        found[f"{name} metrics"] = {k: v for k, v in run.metrics.items() if k not in times}
        found[f"{name} predictions"] = (run.path / "predictions.csv").read_text()
        if (run.path / "history.csv").exists():
            history = pd.read_csv(run.path / "history.csv", dtype=str).drop(columns=times)
            found[f"{name} history"] = history.to_csv()
            weights: Any = run.load_model()
            found[f"{name} weights"] = [w.tobytes() for w in weights.get_weights()]
    return found


@pytest.mark.slow
def test_sweeps_that_were_killed_at_any_moment_come_out_the_same_bit_for_bit(
    data_dir: Path, tmp_path: Path, num_kills: int
) -> None:
    options: Any = (data_dir, MODELS, ["remc/small"])
    started = time.monotonic()
    subprocess.run(command(tmp_path / "whole", *options, jobs=2), check=True)
    took_s = time.monotonic() - started
    whole = outcome(tmp_path / "whole")
    assert len(whole) == 6
    rng = random.Random(17)
    for number in range(num_kills):
        out_dir = tmp_path / f"broken-{number}"
        broken = Background(command(out_dir, *options, jobs=2), tmp_path / "output")
        with contextlib.suppress(subprocess.TimeoutExpired):
            broken.process.wait(rng.uniform(0, took_s))
        with contextlib.suppress(ProcessLookupError):
            broken.kill_group()
        subprocess.run(command(out_dir, *options, jobs=2), check=True)
        assert outcome(out_dir) == whole, f"killed in sweep {number}"
        assert not list(out_dir.rglob(".lock"))


@pytest.mark.real_data
@pytest.mark.slow
def test_a_sweep_killed_half_way_resumes_to_the_same_table(real_data: Path, tmp_path: Path) -> None:
    datasets = ("Toy", "E123")
    for name in datasets:
        RemcBuilder(config=name, data_dir=tmp_path).download_and_prepare(
            download_config=tfds.download.DownloadConfig(manual_dir=real_data / "remc")
        )
    models = ("deep_chrome", "lstm")
    arguments: Any = (models, [f"remc/{name}" for name in datasets])
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    subprocess.run(command(whole, tmp_path, *arguments, jobs=2, epochs=2), check=True)

    sweep_to_break = Background(
        command(broken, tmp_path, *arguments, epochs=2), tmp_path / "output"
    )
    half = len(datasets) * len(models) // 2
    sweep_to_break.wait_until(
        lambda: (
            len(list(broken.rglob("metrics.json"))) >= half
            and len(list(broken.rglob("last.npz"))) > half
        )
    )
    sweep_to_break.kill_group()
    before = times(broken)
    assert len(list(broken.rglob("metrics.json"))) == half
    subprocess.run(command(broken, tmp_path, *arguments, jobs=2, epochs=2), check=True)
    assert before.items() <= times(broken).items()
    for name in ("leaderboard.csv", "epigenomes.csv", "paired_tests.csv"):
        tables = (pd.read_csv(folder / name) for folder in (whole, broken))
        pd.testing.assert_frame_equal(*tables, atol=1e-4)
