"""Trainings on several devices and in several processes, which come out as in one."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from keras_chrome.errors import InputError
from keras_chrome.fit import FitConfig, fit
from keras_chrome.fit.replicas import open_replicas
from keras_chrome.fit.trainer import _steps_a_report
from keras_chrome.models.sharding import num_shards
from keras_chrome.runs import open_run
from keras_chrome.runs.files import LOCK
from keras_chrome.runs.run import num_epochs_saved

COMMAND = Path(__file__).with_name("distributed_run.py")
# All that a recipe may have: two devices train as two cores do.
OPTIONS = (
    *("--epochs", "3", "--batch-size", "16", "--learning-rate", "0.01", "--clip-norm", "0.5"),
    *("--weight-decay", "0.1", "--ema", "0.9", "--patience", "0", "--schedule", "cosine"),
    *("--regression-weight", "0.5", "--mixup", "0.3", "--gain", "0.1", "--shift", "2"),
)


def command(
    data_dir: Path, run_dir: Path, *options: str, devices: int = 1, cores: int = 1
) -> list[str]:
    return [
        *(sys.executable, str(COMMAND), str(devices), str(cores)),
        *("--dataset", "remc/small", "--data-dir", str(data_dir), "--run-dir", str(run_dir)),
        *options,
    ]


def free_ports(number: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("", 0))) for _ in range(number)]
        return [opened.getsockname()[1] for opened in sockets]


def start_workers(
    arguments: Sequence[str], folder: Path, of_second: Sequence[str] = ()
) -> list[subprocess.Popen[bytes]]:
    """Two processes, of which the second may have more options.

    What each says is in `worker-0` and `worker-1`.
    """
    cluster = {"worker": [f"localhost:{port}" for port in free_ports(2)]}
    started = []
    for index in range(2):
        task = {"type": "worker", "index": index}
        environment = {**os.environ, "TF_CONFIG": json.dumps({"cluster": cluster, "task": task})}
        with (folder / f"worker-{index}").open("wb") as file:
            started.append(
                subprocess.Popen(
                    [*arguments, "--strategy", "multiworker", *(of_second if index else ())],
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    env=environment,
                    cwd=folder,
                )
            )
    return started


def finished(workers: Sequence[subprocess.Popen[bytes]], folder: Path) -> list[str]:
    """What workers have said that ended well."""
    codes = [worker.wait() for worker in workers]
    said = [(folder / f"worker-{index}").read_text() for index in range(len(workers))]
    assert codes == [0, 0], said
    return said


def done(arguments: Sequence[str]) -> None:
    ended = subprocess.run(arguments, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


def history(run_dir: Path) -> pd.DataFrame:
    found: pd.DataFrame = open_run(run_dir).history
    return found.drop(columns=["genes_per_second", "wall_s"])


def files_of(run_dir: Path) -> list[str]:
    """All names in a run directory, without the time and process that TensorBoard adds to its."""
    names = (str(path.relative_to(run_dir)) for path in run_dir.rglob("*"))
    return sorted(name.partition(".tfevents.")[0] for name in names)


def assert_alike(run_dir: Path, other: Path) -> None:
    for column, values in history(run_dir).items():
        np.testing.assert_allclose(values, history(other)[column], atol=1e-4, err_msg=str(column))
    of_both = zip(*(open_run(p).load_model().get_weights() for p in (run_dir, other)), strict=True)
    for weights, others in of_both:
        np.testing.assert_allclose(weights, others, atol=1e-3)


@pytest.mark.slow
def test_two_devices_train_as_two_cores_do(data_dir: Path, tmp_path: Path) -> None:
    options = (*OPTIONS, "--model", "deep_chrome")  # which has dropout, too
    done(command(data_dir, tmp_path / "one", *options, cores=2))
    done(command(data_dir, tmp_path / "two", *options, "--strategy", "mirrored", devices=2))
    assert_alike(tmp_path / "one", tmp_path / "two")


@pytest.mark.slow
def test_two_processes_train_as_two_cores_do(data_dir: Path, tmp_path: Path) -> None:
    """One of them from memory, the other two from the records."""
    options = (*OPTIONS, "--model", "deep_chrome")
    done(command(data_dir, tmp_path / "one", *options, cores=2))
    streaming = command(data_dir, tmp_path / "two", *options, "--stream")
    workers = start_workers(streaming, tmp_path)
    chief, other = finished(workers, tmp_path)
    assert "epoch 3/3" in chief
    assert "epoch" not in other
    assert_alike(tmp_path / "one", tmp_path / "two")
    # One of them alone has written.
    assert files_of(tmp_path / "two") == files_of(tmp_path / "one")


def test_a_strategy_of_one_device_changes_nothing(data_dir: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "dataset": "remc/small",
        "data_dir": data_dir,
        "model": "deep_chrome",
        "epochs": 3,
        "batch_size": 16,
        "mixup": 0.3,
        "patience": 0,
        "schedule": "constant",
    }
    fit(**options, run_dir=tmp_path / "none")
    fit(**{**options, "epochs": 2}, run_dir=tmp_path / "one", strategy="mirrored")
    fit(**options, run_dir=tmp_path / "one", resume=True)
    assert_alike(tmp_path / "none", tmp_path / "one")


def test_a_stream_trains_the_same_bit_for_bit(data_dir: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "dataset": "remc/small",
        "data_dir": data_dir,
        "model": "cnn_alpha_beta",
        "epochs": 2,
        "batch_size": 16,
        "regression_weight": 0.5,
        "split": "random",
    }
    memory = fit(**options, run_dir=tmp_path / "memory")
    stream = fit(**options, run_dir=tmp_path / "stream", stream=True)
    pd.testing.assert_frame_equal(history(memory.path), history(stream.path), check_exact=True)
    assert memory.config.arguments == stream.config.arguments
    assert memory.predictions.equals(stream.predictions)
    for own, other in zip(*(r.load_model().get_weights() for r in (memory, stream)), strict=True):
        np.testing.assert_array_equal(own, other)


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_workers_of_which_one_was_killed_go_on(data_dir: Path, tmp_path: Path, victim: int) -> None:
    options = (*OPTIONS, "--model", "cnn_alpha_beta", "--epochs", "60")
    arguments = command(data_dir, tmp_path / "two", *options)
    workers = start_workers(arguments, tmp_path)
    table = tmp_path / "two" / "history.csv"
    while not table.is_file() or len(table.read_text().splitlines()) < 3:
        assert all(worker.poll() is None for worker in workers)
        time.sleep(0.05)
    workers[victim].send_signal(signal.SIGKILL)
    codes = [worker.wait() for worker in workers]
    assert codes[victim] == -signal.SIGKILL
    assert codes[1 - victim] != 0
    # A kill may come between the history and the checkpoint of an epoch.
    num_epochs = num_epochs_saved(tmp_path / "two")
    assert 1 <= num_epochs < 60
    assert not open_run(tmp_path / "two").is_finished

    chief, _ = finished(start_workers([*arguments, "--resume"], tmp_path), tmp_path)
    assert f"resuming after epoch {num_epochs}" in chief
    done(command(data_dir, tmp_path / "one", *options, cores=2))
    assert_alike(tmp_path / "one", tmp_path / "two")
    assert not list((tmp_path / "two").rglob(LOCK))


@pytest.mark.slow
def test_a_worker_of_other_options_is_refused(data_dir: Path, tmp_path: Path) -> None:
    arguments = command(data_dir, tmp_path / "two", *OPTIONS, "--model", "cnn_alpha_beta")
    workers = start_workers(arguments, tmp_path, of_second=("--seed", "1"))
    assert [worker.wait() for worker in workers] == [2, 2]
    chief, other = ((tmp_path / f"worker-{i}").read_text().splitlines()[-1] for i in range(2))
    assert "Received: worker 0 lost another" in chief
    assert other == (
        "error: Expected the options and the dataset of worker 0 on every machine. Received: "
        "others on worker 1; start all of them with the same command"
    )


def test_a_lone_worker_names_those_that_do_not_come(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, other = free_ports(2)
    cluster = {"worker": [f"localhost:{own}", f"localhost:{other}"]}
    content = {"cluster": cluster, "task": {"type": "worker", "index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(content))
    line = rf"2 workers within --worker-timeout-s 0\.1\. Received: none at localhost:{other};"
    with pytest.raises(InputError, match=line):
        fit(
            dataset="remc/small",
            data_dir=data_dir,
            run_dir=tmp_path / "run",
            strategy="multiworker",
            worker_timeout_s=0.1,
        )
    assert not (tmp_path / "run").exists()


def test_a_port_that_is_taken_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        content = {
            "cluster": {"worker": [f"localhost:{port}", "localhost:1"]},
            "task": {"type": "worker", "index": 0},
        }
        monkeypatch.setenv("TF_CONFIG", json.dumps(content))
        with pytest.raises(InputError, match=f"free port for this worker. Received: {port} "):
            open_replicas("multiworker", timeout_s=1)


@pytest.mark.parametrize(
    "content",
    [
        None,
        "{",
        "[]",
        '{"cluster": {"worker": ["a:1"]}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": -1}}',
        '{"cluster": {"worker": ["a"]}, "task": {"type": "worker", "index": 0}}',
        '{"cluster": {"worker": ["a:1", "a:1"]}, "task": {"type": "worker", "index": 0}}',
        '{"cluster": {"worker": ["a:99999"]}, "task": {"type": "worker", "index": 0}}',
        '{"cluster": {"worker": ["a..b:1"]}, "task": {"type": "worker", "index": 0}}',
        '{"cluster": {"chief": ["a:1", "b:1"], "worker": ["c:1"]}, '
        '"task": {"type": "worker", "index": 0}}',
        '{"cluster": {"worker": ["a:1"], "ps": ["b:1"]}, "task": {"type": "ps", "index": 0}}',
    ],
)
def test_a_configuration_that_names_no_cluster_is_refused(
    monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if content is not None:
        monkeypatch.setenv("TF_CONFIG", content)
    with pytest.raises(InputError, match="environment variable TF_CONFIG") as refused:
        open_replicas("multiworker", timeout_s=1)
    assert str(refused.value).endswith(f"Received: {content or 'none'}")


def test_what_cannot_be_shared_is_refused(data_dir: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"dataset": "remc/small", "data_dir": data_dir, "run_dir": tmp_path}
    with pytest.raises(InputError, match="--strategy none and no --stream with a baseline"):
        FitConfig(**options, model="logistic_regression", strategy="mirrored")
    with pytest.raises(InputError, match="no callbacks with --strategy multiworker"):
        fit(**options, strategy="multiworker", callbacks=[object()])  # type: ignore[list-item]


@pytest.mark.slow
def test_a_batch_that_devices_cannot_share_is_refused(data_dir: Path, tmp_path: Path) -> None:
    options = ("--model", "cnn_alpha_beta", "--batch-size", "15", "--strategy", "mirrored")
    ended = subprocess.run(
        command(data_dir, tmp_path / "run", *options, devices=2), capture_output=True, text=True
    )
    assert ended.returncode == 2
    assert ended.stderr.splitlines()[-1] == (
        "error: Expected a batch size that 2 devices can share evenly. Received: batch_size=15; "
        "take another --batch-size"
    )


@pytest.mark.parametrize(("cores", "shards"), [(1, 2), (2, 4), (3, 8), (16, 8)])
def test_every_device_has_as_many_shards(
    monkeypatch: pytest.MonkeyPatch, cores: int, shards: int
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    assert num_shards(64, 2) == shards


@pytest.mark.parametrize(
    ("steps", "exact", "most"), [(100, True, 5), (97, True, 1), (97, False, 5)]
)
def test_steps_between_reports_divide_an_epoch(steps: int, exact: bool, most: int) -> None:
    assert _steps_a_report(steps, exact=exact) == most
