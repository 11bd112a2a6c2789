"""What a build shows on a terminal, and what of it stays."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from pseudo_terminal import COLUMNS, left_on_screen, on_terminal


def drawn(text: str) -> list[str]:
    return [part for line in text.split("\n") for part in line.split("\r")]


def users_environment() -> dict[str, str]:
    """The environment without what the tests set to keep TensorFlow quiet."""
    return {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}


def titles(parts: Iterable[str]) -> list[str]:
    """The titles of bars, in the order in which they came."""
    return list(dict.fromkeys(part.partition(":")[0] for part in parts if "%|" in part))


@pytest.mark.parametrize("option", [(), ("--quiet",)])
def test_one_bar_a_step_which_goes_when_it_is_over(
    option: tuple[str, ...], tmp_path: Path, manual_dir: Path
) -> None:
    where = ("--manual-dir", manual_dir, "--data-dir", tmp_path / "data")
    command = ("-m", "tfds_remc", "--config", "E003", *where, *option)
    code, text = on_terminal(*command, environment=users_environment())
    assert code == 0
    lines = [line for line in left_on_screen(text) if line]
    if option:
        assert [line for line in lines if not line.startswith("warning: ")] == []
        assert titles(drawn(text)) == []
        return
    bars = ["reading E003", "writing train", "writing valid", "writing test"]
    assert titles(drawn(text)) == bars
    assert max(len(part) for part in drawn(text) if "%|" in part) <= COLUMNS
    assert lines[0].startswith("mark ")
    built = tmp_path / "data" / "remc" / "E003" / "1.0.0"
    assert str(built / "quality" / "tss_profiles.png") in lines
    assert lines[-1] == f"remc/E003/1.0.0: genes in train 3, valid 3, test 3 ({built})"


def test_lines_fit_the_terminal(
    build_own: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert build_own("--epigenome", "K562") == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "/" not in line]
    assert any(line.startswith("mark ") for line in lines)
    assert max(map(len, lines)) <= COLUMNS


def test_files_that_are_read_are_counted(own: Path, tmp_path: Path) -> None:
    files = {"sample-sheet": "sheet.csv", "genes": "genes.tsv", "expression": "expression.csv"}
    options = [str(part) for name, file in files.items() for part in (f"--{name}", own / file)]
    where = ("--data-dir", tmp_path / "data", "--flank-bp", "200", "--epigenome", "K562")
    code, text = on_terminal("-m", "tfds_remc", *options, *where)
    assert code == 0, text
    assert titles(drawn(text))[0] == "reading files"
