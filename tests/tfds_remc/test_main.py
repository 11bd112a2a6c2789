from pathlib import Path

import pytest

from tfds_remc import RemcBuilder
from tfds_remc.__main__ import main


def test_builds_a_config(
    tmp_path: Path, manual_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = ["--data_dir", str(tmp_path / "data"), "--manual-dir", str(manual_dir)]
    assert main(["--config", "E003", *places, "--max_examples_per_split", "2"]) == 0
    assert "remc/E003/1.0.0: genes in train 2, valid 2, test 2 (" in capsys.readouterr().out

    assert main(["--config", "E003", *places]) == 0
    assert "train 2," in capsys.readouterr().out

    assert main(["--config", "E003", *places, "--overwrite", "--file_format", "array_record"]) == 0
    assert "train 3," in capsys.readouterr().out
    info = RemcBuilder(config="E003", data_dir=tmp_path / "data").info
    assert info.file_format.value == "array_record"


def test_without_a_config_it_builds_up_to_the_first_that_is_missing(
    tmp_path: Path, manual_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--data_dir", str(tmp_path / "data"), "--manual_dir", str(manual_dir)]) == 2
    captured = capsys.readouterr()
    assert [line.split(":")[0] for line in captured.out.splitlines() if "genes in" in line] == [
        "remc/demo/1.0.0",
        "remc/E003/1.0.0",
    ]
    assert "Received: an archive of E003. Build one" in captured.err.splitlines()[-1]


@pytest.mark.parametrize(
    ("args", "match"),
    [
        (["--config", "E999"], "Expected config to be one of demo, E003"),
        (["--config", "E003", "--manual_dir", "/no/such"], "Expected manual_dir to be a folder"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], args: list[str], match: str
) -> None:
    assert main([*args, "--data_dir", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(match)
    assert error.count("\n") == 1
