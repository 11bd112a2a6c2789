"""Directories that one process at a time writes into."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from keras_chrome.errors import InputError
from keras_chrome.evaluate import evaluate
from keras_chrome.fit import FitConfig, fit
from keras_chrome.runs import new_run, open_run
from keras_chrome.runs.files import LOCK, locked
from keras_chrome.runs.run import remove_run, writing
from keras_chrome.sweep.fit_bank import fit_bank

HOLD = """
import subprocess, sys, time
from pathlib import Path
from keras_chrome.runs.files import locked
with locked(Path(sys.argv[1]), "fit") as lock:
    child = [sys.executable, "-c", "print('locked', flush=True); import time; time.sleep(600)"]
    keep = [lock.fileno()] if sys.argv[2:] else []
    subprocess.Popen(child, pass_fds=keep)
    time.sleep(600)
"""


def holder(directory: Path, *, child_keeps: bool) -> subprocess.Popen[str]:
    """A process that holds the lock, with a child that outlives it."""
    options = ["keep"] if child_keeps else []
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(directory), *options],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == "locked\n"
    return process


def test_a_lock_dies_with_its_process_and_the_file_is_in_nobodys_way(tmp_path: Path) -> None:
    process = holder(tmp_path, child_keeps=False)
    try:
        match = rf"no other command at work in .*fit \(process {process.pid} on .*--run-dir$"
        with pytest.raises(InputError, match=match), locked(tmp_path, "fit", "--run-dir"):
            pass
        process.kill()
        process.wait()
        assert (tmp_path / LOCK).exists()
        # Its child lives on, and has not inherited it.
        with locked(tmp_path, "fit"):
            pass
        assert not list(tmp_path.iterdir())
    finally:
        os.killpg(process.pid, signal.SIGKILL)


def test_a_child_that_is_given_the_lock_keeps_it(tmp_path: Path) -> None:
    process = holder(tmp_path, child_keeps=True)
    try:
        process.kill()
        process.wait()
        with pytest.raises(InputError, match="or a run that it left behind"), locked(tmp_path, "x"):
            pass
    finally:
        os.killpg(process.pid, signal.SIGKILL)


def test_who_has_it_may_remove_the_directory(tmp_path: Path) -> None:
    """And does not take away the lock of the next."""
    directory = tmp_path / "run"
    with locked(directory, "fit"):
        (directory / LOCK).unlink()
        with locked(directory, "fit"):
            pass
        directory.rmdir()
        second = locked(directory, "fit")
        second.__enter__()
    assert (directory / LOCK).exists()
    with pytest.raises(InputError, match="no other command"), locked(directory, "fit"):
        pass
    second.__exit__(None, None, None)
    assert not list(directory.iterdir())


def test_a_file_system_without_locks_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with locked(tmp_path, "fit"):
        pass
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"warning: the file system of {tmp_path} knows no locks")


def _options(data_dir: Path, run: Path, **others: Any) -> dict[str, Any]:
    options = {"dataset": "remc/small", "data_dir": data_dir, "run_dir": run}
    return {**options, "model": "logistic_regression_max", **others}


WRITERS: dict[str, Callable[[Path, Path], object]] = {
    "fit": lambda run, data: fit(**_options(data, run)),
    "resume": lambda run, data: fit(**_options(data, run, resume=True)),
    "overwrite": lambda run, data: fit(**_options(data, run, overwrite=True)),
    "evaluate": lambda run, _: evaluate(run),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_each_command_that_writes_a_run_waits_for_no_other(
    data_dir: Path, cnn_run_path: Path, writer: str
) -> None:
    before = {path: path.stat().st_mtime_ns for path in cnn_run_path.rglob("*")}
    with locked(cnn_run_path, "fit"):
        before[cnn_run_path / LOCK] = (cnn_run_path / LOCK).stat().st_mtime_ns
        with pytest.raises(InputError, match=r"no other command at work in .*fit \(process"):
            WRITERS[writer](cnn_run_path, data_dir)
        after = {path: path.stat().st_mtime_ns for path in cnn_run_path.rglob("*")}
        assert after == before


def test_a_run_that_is_made_otherwise_has_its_directory_alone(tmp_path: Path) -> None:
    """Ensembles and imported weights go this way."""
    parts: dict[str, Any] = {
        "options": {"labels": "median"},
        "model": {"variant": "lstm", "marks": ["H3K4me3"]},
        "dataset": {"num_bins": 8, "bin_bp": 100, "flank_bp": 400},
    }
    with new_run(tmp_path / "run", **parts, verb="ensemble") as run:
        with (
            pytest.raises(InputError, match=r"ensemble \(process"),
            new_run(tmp_path / "run", **parts),
        ):
            pass
        assert open_run(run.path).model_name == "lstm"
    with pytest.raises(InputError, match="which holds a run"), new_run(run.path, **parts):
        pass
    assert not (run.path / LOCK).exists()


def test_a_bank_trains_the_others(data_dir: Path, tmp_path: Path) -> None:
    options = _options(data_dir, tmp_path / "taken", model="lstm", epochs=1)
    with locked(tmp_path / "taken", "fit"):
        failures = fit_bank({"taken": FitConfig(**options)}, num_places=2)
    assert list(failures) == ["taken"]
    assert "no other command at work" in failures["taken"]


def test_what_is_left_of_a_removal_that_was_broken_off_is_no_run_to_resume(
    cnn_run_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it was broken off at: the configuration is the last to go."""
    removed: list[str] = []
    unlink = Path.unlink

    def note(path: Path, missing_ok: bool = False) -> None:
        removed.append(path.name)
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", note)
    with writing(cnn_run_path, "fit"):
        remove_run(cnn_run_path)
        assert [path.name for path in cnn_run_path.iterdir()] == [LOCK]
    assert removed[0] == "metrics.json"
    assert removed[-2:] == ["config.json", LOCK]


def test_a_folder_that_holds_no_run_is_not_removed(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    remove_run(tmp_path)
    assert (tmp_path / "thesis.tex").exists()


def test_what_is_begun_anew_does_not_take_the_checkpoint_of_another(
    cnn_run_path: Path, data_dir: Path
) -> None:
    """A directory whose configuration is gone."""
    (cnn_run_path / "config.json").unlink()
    run = fit(**_options(data_dir, cnn_run_path, resume=True))
    assert run.model_name == "logistic_regression_max"
    assert not run.checkpoint_path.exists()
