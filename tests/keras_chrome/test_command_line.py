"""The commands as a user types them."""

import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from keras_chrome.__main__ import VERBS
from keras_chrome.command_line import run_command
from keras_chrome.tables import format_table


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *map(str, arguments)], capture_output=True, text=True
    )


def test_table_is_aligned() -> None:
    table = format_table([{"split": "test", "auroc": 0.5}, {"split": "x", "auroc": [0.25, 1.0]}])
    assert table.splitlines() == [
        "split          auroc",
        "test          0.5000",
        "x      0.2500-1.0000",
    ]


@pytest.mark.parametrize("verb", sorted(verb for verbs in VERBS.values() for verb in verbs))
def test_help_imports_no_tensorflow(verb: str) -> None:
    code = (
        "import runpy, sys; sys.argv[1:] = ['--help']\n"
        f"try: runpy.run_module('keras_chrome.{verb}', run_name='__main__', alter_sys=True)\n"
        "except SystemExit: sys.exit('tensorflow' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.returncode == 0
    assert "usage: python -m keras_chrome" in answer.stdout


def test_bad_input_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    answer = command("keras_chrome.evaluate", tmp_path / "nothing")
    assert answer.returncode == 2
    assert answer.stdout == ""
    assert answer.stderr.startswith("error: Expected a run directory")
    assert answer.stderr.count("\n") == 1


def test_unwritable_run_directory(data_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    answer = command(
        *("keras_chrome.fit", "--dataset", "remc/small", "--data-dir", data_dir),
        *("--run-dir", tmp_path / "file" / "run"),
    )
    assert answer.returncode == 2
    assert answer.stderr.count("\n") == 1
    assert "Not a directory" in answer.stderr


def test_full_disk(run_path: Path, tmp_path: Path) -> None:
    # The nearest to a full disk that needs no rights: files may not grow over 10 kB.
    answer = subprocess.run(
        [sys.executable, "-m", "keras_chrome.attend", run_path, "--out", tmp_path / "a.nc"],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000)),
    )
    assert answer.returncode == 2
    assert answer.stderr.count("\n") == 1
    assert str(tmp_path / "a.nc") in answer.stderr
    assert not list(tmp_path.glob("*.nc"))


def test_a_missing_extra_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    def main(argv: Sequence[str] | None) -> None:
        raise ModuleNotFoundError("No module", name="tensorflow_serving.apis")

    with pytest.raises(SystemExit, match="2"):
        run_command(main)
    assert "pip install 'keras-chrome[serving]'" in capsys.readouterr().err


def test_a_bug_keeps_its_traceback() -> None:
    def main(argv: Sequence[str] | None) -> None:
        raise ModuleNotFoundError("No module", name="keras_chrome.nothing")

    with pytest.raises(ModuleNotFoundError):
        run_command(main)


def test_dispatcher_lists_verbs_and_knows_them() -> None:
    assert "fit" in command("keras_chrome").stdout
    answer = command("keras_chrome", "train")
    assert answer.returncode == 2
    assert "verb='train'" in answer.stderr
    assert command("keras_chrome", "import-weights", "--help").returncode == 0
