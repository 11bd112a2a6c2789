import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds
from tensorflow_datasets.core.download.download_manager import NonMatchingChecksumError

from tfds_remc import RemcBuilder, RemcConfig
from tfds_remc.__main__ import build
from tfds_remc.remc.errors import InputError
from tfds_remc.remc.sources import simulated

Command = Callable[..., int]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What `~` stands for."""
    path = tmp_path / "home"
    path.mkdir()
    monkeypatch.setenv("HOME", str(path))
    monkeypatch.chdir(tmp_path)
    return path


def test_builds_a_config(
    tmp_path: Path, manual_dir: Path, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    args = ["--config", "E003", "--data_dir", tmp_path / "data", "--manual-dir", manual_dir]
    assert command(*args, "--max_examples_per_split", "2") == 0
    assert "remc/E003/1.0.0: genes in train 2, valid 2, test 2 (" in capsys.readouterr().out

    assert command(*args) == 0
    assert "train 2," in capsys.readouterr().out

    assert command(*args, "--file-format", "array_record") == 2
    error = capsys.readouterr().err
    assert error.startswith(
        "error: Expected file_format='tfrecord', with which remc/E003/1.0.0 was"
    )
    assert error.endswith("or --overwrite to build it again.\n")

    assert command(*args, "--overwrite", "--file_format", "array_record") == 0
    assert "train 3," in capsys.readouterr().out
    info = RemcBuilder(config="E003", data_dir=tmp_path / "data").info
    assert info.file_format.value == "array_record"


def test_a_build_leaves_nothing_among_the_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    config = RemcConfig(name="small", source="simulated", num_genes=6, bin_bp=5000)
    for _ in range(2):
        build(config, data_dir=tmp_path / "data")
    assert list(temporary.iterdir()) == []


def test_without_a_config_it_builds_up_to_the_first_that_is_missing(
    tmp_path: Path, manual_dir: Path, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("--data_dir", tmp_path / "data", "--manual_dir", manual_dir) == 2
    captured = capsys.readouterr()
    built = [line for line in captured.out.splitlines() if "genes in" in line]
    assert [line.partition(": genes in ")[0] for line in built] == [
        "remc/demo/1.0.0",
        "remc/E003/1.0.0",
    ]
    assert "train 1,000, valid 1,000, test 1,000" in built[0]
    error = captured.err.splitlines()[-1]
    assert error.startswith("error: Expected E004/classification/")
    assert "Received: an archive of E003. Build one" in error


def test_a_config_as_json(
    tmp_path: Path, own: Path, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    fields = {
        "sample_sheet": str(own / "sheet.csv"),
        "genes": str(own / "genes.tsv"),
        "expression": str(own / "expression.csv"),
        "flank_bp": 200,
        "normalize": "cpm",
        "marks": ["H3K4me3"],
    }
    assert command("--data_dir", tmp_path / "data", "--config", json.dumps(fields)) == 0
    assert capsys.readouterr().out.count("genes in train 1, valid 1, test 1") == 2
    metadata = tmp_path / "data" / "remc" / "HeLa" / "1.0.0" / "metadata.json"
    assert json.loads(metadata.read_text())["options"]["normalize"] == "cpm"


@pytest.mark.parametrize(
    ("args", "match"),
    [
        (["--config", "E999"], "Expected config to be one of demo, E003"),
        (["--config", "E003", "--manual_dir", "/no/such"], "Expected manual_dir to be a folder"),
        (["--config", "demo", "--max-examples-per-split", "0"], "Expected max_examples_per_split"),
        (
            ["--config", "demo", "--max_examples_per_split", "x"],
            "argument --max-examples",
        ),
        (["--config", "{"], "Expected fields of a config as JSON. Received: config='{'"),
        (
            ["--config", '{"marks_of": 1}'],
            "Expected options that source='published' has a use for: name, source, epigenome",
        ),
        (["--config", '{"sample_sheet": 1}'], "Expected sample_sheet, genes, expression of own"),
        (["--config", '{"epigenome": "E012"}'], "Expected a name that no ready-made dataset has"),
        (["--config", "demo", "--seed", "1"], "Expected --config or options of own data"),
        (["--seed", "1"], "Expected --sample-sheet or --signal-array. Received: seed without"),
        (["--sample-sheet", "/no/sheet.csv"], "Expected a sample sheet. Received: '/no/sheet.csv'"),
        (["--signal-array", "/no.npz"], "Expected a file. Received: signal_array='/no.npz'"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    tmp_path: Path,
    command: Command,
    capsys: pytest.CaptureFixture[str],
    args: list[str],
    match: str,
) -> None:
    assert command(*args, "--data_dir", tmp_path) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {match}")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    "mistake", [tfds.download.DownloadError, NonMatchingChecksumError, InputError, OSError]
)
def test_what_tfds_raises_for_a_users_mistake_is_one_line(
    tmp_path: Path,
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    mistake: type[Exception],
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise mistake("no such\nfile")

    monkeypatch.setattr(tfds.core.GeneratorBasedBuilder, "_download_and_prepare", fail)
    assert command("--config", "demo", "--data-dir", tmp_path) == 2
    assert capsys.readouterr().err == "error: no such file\n"


@pytest.mark.parametrize("bug", [ValueError, TypeError, KeyError])
def test_a_bug_of_ours_keeps_its_traceback(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch, bug: type[Exception]
) -> None:
    def simulate(*_: object, **__: object) -> None:
        raise bug("a bug")

    monkeypatch.setattr(simulated, "simulate", simulate)
    with pytest.raises(bug, match="a bug") as raised:
        command("--config", "demo", "--data-dir", tmp_path)
    assert not isinstance(raised.value, InputError)
    assert raised.traceback[-1].name == "simulate"


def test_a_command_of_its_own(tmp_path: Path) -> None:
    """As a process: what is printed where, and the exit code."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    for arguments, code, out, error in (
        (["--help"], 0, "usage: python -m tfds_remc [-h] [--config CONFIG]", ""),
        (["--config", "E999"], 2, "", "error: Expected config to be one of demo, E003"),
    ):
        command = [sys.executable, "-m", "tfds_remc", *arguments]
        result = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, env=environment
        )
        assert result.returncode == code, result.stderr
        assert result.stdout.startswith(out)
        assert result.stderr.startswith(error)
        assert result.stderr.count("\n") == bool(error)


def test_nothing_but_warnings_on_standard_error(tmp_path: Path, manual_dir: Path) -> None:
    """As a process, whose standard error no library writes to."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
    args = ["--config", "E003", "--data-dir", "data", "--manual-dir", str(manual_dir)]
    command = [sys.executable, "-m", "tfds_remc", *args]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stderr
    lines = result.stderr.splitlines()
    assert (
        "warning: train: 0 of 3 labelled genes are high (0.0 %), above the median expression of "
        in (lines[0])
    )
    assert [line for line in lines if not line.startswith("warning: ")] == []
    assert result.stdout.splitlines()[-1].startswith("remc/E003/1.0.0: genes in train 3, valid 3")


def test_both_spellings_of_an_option(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = []

    def pretend(config: str, **options: object) -> RemcBuilder:
        given.append(options)
        return RemcBuilder(config=config, data_dir=tmp_path)

    monkeypatch.setattr("tfds_remc.__main__.build", pretend)
    monkeypatch.setattr("tfds_remc.__main__._report", lambda _: None)
    for dash in "-_":
        names = [
            f"--{name.replace(' ', dash)}"
            for name in ("data dir", "manual dir", "download dir", "beam pipeline options")
        ]
        assert command("--config", "demo", *(f"{name}=a_b-c" for name in names)) == 0
    paths = dict.fromkeys(("data_dir", "manual_dir", "download_dir"), Path("a_b-c"))
    assert given == [{**paths, "beam_pipeline_options": "a_b-c"}] * 2


def test_a_tilde_is_the_home_folder(
    home: Path, tmp_path: Path, own: Path, command: Command, manual_dir: Path
) -> None:
    own.rename(home / "own")
    manual_dir.rename(home / "manual")
    sheet = home / "own" / "sheet.csv"
    sheet.write_text("epigenome,mark,path,control\nK562,CTCF,~/own/CTCF.bedGraph,\n")
    files = {
        "sample_sheet": "~/own/sheet.csv",
        "genes": "~/own/genes.tsv",
        "expression": "~/own/expression.csv",
    }
    options = [f"--{name.replace('_', '-')}={path}" for name, path in files.items()]
    assert command(*options, "--data-dir=~/data", "--flank-bp=200") == 0
    config = json.dumps({**files, "flank_bp": 200, "name": "json"})
    assert command("--config", config, "--data_dir", "~/data") == 0
    places = ("--manual-dir=~/manual", "--download-dir=~/downloads")
    assert command("--config=E003", "--data-dir=~/data", *places) == 0
    build(RemcConfig(**files, flank_bp=200, name="python"), data_dir="~/data")
    arrays = {
        "marks": np.array(["CTCF"]),
        "signal": np.ones((3, 1, 4)),
        "gene_id": np.array(["a", "b", "c"]),
        "chrom": np.array(["chr1"] * 3),
        "tss": np.array([1000, 5000, 100]),
        "strand": np.array(["+", "-", ""]),
        "rpkm": np.arange(3.0),
        "split": np.arange(3),
    }
    np.savez(home / "own.npz", **arrays)
    array = ("--signal-array=~/own.npz", "--epigenome=array", "--flank-bp=200")
    assert command(*array, "--data-dir=~/data") == 0
    datasets = {path.name for path in (home / "data" / "remc").iterdir()}
    assert datasets == {".config", "K562", "json", "E003", "python", "array"}
    assert not list(tmp_path.glob("~*"))
