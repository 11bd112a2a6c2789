"""Builds that are killed: the next one finds nothing that it trips over, and leaves nothing."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tfds_remc import RemcConfig
from tfds_remc.__main__ import build
from tfds_remc.remc.errors import InputError
from tfds_remc.remc.unfinished import only_build, remove_dataset

SMALL = {"name": "small", "source": "simulated", "num_genes": 30, "bin_bp": 1000}


def files_in(folder: Path) -> dict[str, bytes]:
    """The content of all files but figures, which hold the time at which they were drawn."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix not in (".svg", ".png")
    }


def test_what_a_killed_build_left_is_removed(tmp_path: Path) -> None:
    build(RemcConfig(**SMALL), data_dir=tmp_path / "whole")
    folder = tmp_path / "again" / "remc" / "small"
    for name in ("incomplete.ABC123_1.0.0", "remc-0123"):
        (folder / name).mkdir(parents=True)
        (folder / name / "incomplete.XYZ.remc-train.tfrecord-00000-of-00001").write_bytes(b"half")
    build(RemcConfig(**SMALL), data_dir=tmp_path / "again")
    assert files_in(tmp_path / "again") == files_in(tmp_path / "whole")
    assert [path.name for path in folder.iterdir()] == ["1.0.0"]


def test_two_builds_of_one_dataset(tmp_path: Path) -> None:
    folder = tmp_path / "remc" / "small"
    with (
        only_build(folder, "remc/small/1.0.0"),
        pytest.raises(InputError, match=r"no other build of remc/small/1\.0\.0 in .*is running"),
    ):
        build(RemcConfig(**SMALL), data_dir=tmp_path)
    assert not folder.exists()
    build(RemcConfig(**SMALL), data_dir=tmp_path)
    with only_build(folder, "remc/small/1.0.0"):  # What is built is only read.
        build(RemcConfig(**SMALL), data_dir=tmp_path)
        with pytest.raises(InputError, match="is running"):
            build(RemcConfig(**SMALL), data_dir=tmp_path, overwrite=True)
    before = files_in(tmp_path)
    build(RemcConfig(**SMALL), data_dir=tmp_path, overwrite=True)
    assert files_in(tmp_path) == before
    assert [path.name for path in folder.iterdir()] == ["1.0.0"]


@pytest.mark.parametrize("name", ["dataset_info.json", "metadata.json"])
@pytest.mark.parametrize("content", [None, b"", b'{"a', b"[1]", b'{"splits": 3}', b"\xff"])
def test_a_damaged_dataset_is_told_of_and_built_again(
    name: str, content: bytes | None, tmp_path: Path
) -> None:
    path = Path(build(RemcConfig(**SMALL), data_dir=tmp_path).data_path)
    before = files_in(tmp_path)
    (path / name).unlink()
    if content is not None:
        (path / name).write_bytes(content)
    try:
        assert build(RemcConfig(**SMALL), data_dir=tmp_path).info.splits["train"].num_examples
    except InputError as error:
        assert str(path) in str(error)
        assert "--overwrite to build it again" in str(error)
    build(RemcConfig(**SMALL), data_dir=tmp_path, overwrite=True)
    assert files_in(tmp_path) == before


def test_a_failed_build_leaves_no_folder(command: Callable[..., int], tmp_path: Path) -> None:
    (tmp_path / "manual").mkdir()
    array = tmp_path / "own.npz"
    array.write_bytes(b"PK\3\4")
    assert command("--signal-array", array, "--name", "own", "--data-dir", tmp_path / "data") == 2
    assert not (tmp_path / "data" / "remc" / "own").exists()


def test_removing_is_at_once_no_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "1.0.0" / "quality").mkdir(parents=True)
    (tmp_path / "1.0.0" / "dataset_info.json").write_text("{}")
    with monkeypatch.context() as killed:
        killed.setattr("tfds_remc.remc.unfinished.shutil.rmtree", lambda _: None)
        remove_dataset(tmp_path / "1.0.0")
    (left,) = tmp_path.iterdir()
    with only_build(tmp_path, "remc/small"):
        assert not left.exists()


@pytest.mark.slow
def test_builds_that_are_killed_at_any_moment(
    tmp_path: Path, manual_dir: Path, num_kills: int
) -> None:
    """And built again, to the byte as an unbroken one."""

    def start(data_dir: Path) -> subprocess.Popen[bytes]:
        options = ["--config", "E003", "--data-dir", str(data_dir), "--manual-dir", str(manual_dir)]
        command = [sys.executable, "-m", "tfds_remc", *options]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    began = time.monotonic()
    assert start(tmp_path / "whole").wait() == 0
    seconds = time.monotonic() - began
    whole = files_in(tmp_path / "whole")
    draw, again = random.Random(0), tmp_path / "again"
    num_killed = 0
    while num_killed < num_kills:
        process = start(again)
        time.sleep(draw.uniform(0.4, 1.0) * seconds)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        if (built := again / "remc" / "E003" / "1.0.0").exists():
            assert files_in(again) == whole
            shutil.rmtree(built)
        else:
            num_killed += 1
    assert start(again).wait() == 0
    assert files_in(again) == whole
    assert [path.name for path in (again / "remc" / "E003").iterdir()] == ["1.0.0"]
