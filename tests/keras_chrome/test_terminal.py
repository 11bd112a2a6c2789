"""What commands show on a terminal, and what of it stays."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from pseudo_terminal import COLUMNS, left_on_screen, on_terminal

from keras_chrome.__main__ import VERBS
from keras_chrome.runs import open_run

FAST = ("--model", "cnn_alpha_beta", "--preset", "plain", "--epochs", "3", "--batch-size", "8")


def users_environment() -> dict[str, str]:
    """The environment without what the tests set to keep TensorFlow quiet."""
    return {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}


def fit(data_dir: Path, run_dir: Path, *options: str) -> tuple[str | Path, ...]:
    where = ("--dataset", "small", "--data-dir", data_dir, "--run-dir", run_dir)
    return ("-m", "keras_chrome.fit", *where, *FAST, *options)


def test_a_training_is_one_bar_below_the_lines_of_its_epochs(
    data_dir: Path, tmp_path: Path
) -> None:
    command = fit(data_dir, tmp_path / "run")
    code, text = on_terminal(*command, environment=users_environment())
    assert code == 0
    drawn = [part for line in text.split("\n") for part in line.split("\r")]
    assert max(map(len, drawn)) <= COLUMNS
    bars = [line for line in drawn if line.startswith("training:")]
    (total,) = {line.partition("/")[2].partition(" ")[0] for line in bars if "%" in line}
    assert int(total) == 3 * (50 // 8) * 8
    lines = left_on_screen(text)
    epochs = [line for line in lines if line.startswith("epoch ")]
    assert [line.partition(":")[0] for line in epochs] == [f"epoch {n}/3" for n in (1, 2, 3)]
    # Nothing that a library says, no bar that stays, and the directory at the end.
    others = [line for line in lines if line and line not in epochs]
    assert others[0].startswith("small: 6 marks")
    assert [line.partition(" ")[0] for line in others[-4:]] == ["split", "valid", "test", "run"]
    known = ("small:", "50 training", "model", "H3K27ac", "to leave", "compiled", "reached", "no T")
    assert [line for line in others[:-4] if not line.startswith(known)] == []


@pytest.mark.slow
def test_the_bar_of_a_resumed_training_begins_where_it_was(data_dir: Path, tmp_path: Path) -> None:
    path = tmp_path / "run"
    assert on_terminal(*fit(data_dir, path, "--epochs", "2"))[0] == 0
    (path / "metrics.json").unlink()
    code, text = on_terminal(*fit(data_dir, path, "--resume"))
    assert code == 0, text
    counts = [part.partition("| ")[2] for part in text.split("\r") if part.startswith("training:")]
    assert counts[0].startswith("96/144 ")
    assert open_run(path).history["epoch"].tolist() == [1, 2, 3]


@pytest.mark.slow
def test_quiet_prints_nothing_and_does_all(data_dir: Path, tmp_path: Path) -> None:
    path = tmp_path / "run"
    code, text = on_terminal(*fit(data_dir, path, "--quiet"), environment=users_environment())
    assert (code, text) == (0, "")
    assert (path / "metrics.json").is_file()


def test_quiet_does_not_hide_a_mistake(tmp_path: Path) -> None:
    code, text = on_terminal("-m", "keras_chrome.evaluate", tmp_path, "--quiet")
    assert code == 2
    assert text.startswith("error: Expected a run directory")


@pytest.mark.slow
def test_what_stops_a_command_has_a_line_of_its_own(data_dir: Path, tmp_path: Path) -> None:
    def interrupt(text: str, process: subprocess.Popen[bytes]) -> None:
        if "epoch 1/" in text:
            process.send_signal(signal.SIGINT)

    command = fit(data_dir, tmp_path / "run", "--epochs", "1000")
    code, text = on_terminal(*command, watch=interrupt)
    assert code == 130
    *_, last, end = left_on_screen(text)
    assert last.startswith("stopped by SIGINT; ")
    assert end == ""


def test_every_command_can_be_quiet() -> None:
    code = (
        "import runpy, sys\n"
        "for name in sys.argv[1:]:\n"
        "    sys.argv[1:] = ['--help']\n"
        "    try: runpy.run_module(name, run_name='__main__', alter_sys=True)\n"
        "    except SystemExit: pass"
    )
    verbs = [f"keras_chrome.{verb}" for of_group in VERBS.values() for verb in of_group]
    modules = [*verbs, "tfds_remc", "export", "serving.client", "serving.local", "serving.web"]
    answer = subprocess.run([sys.executable, "-c", code, *modules], capture_output=True, text=True)
    assert answer.stdout.count("usage: ") == len(modules)
    assert answer.stdout.count("\n  --quiet") == len(modules)
