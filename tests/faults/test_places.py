"""Places where a command works, or says in one line what it lacks."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

Start = Callable[..., subprocess.Popen[str]]
CHAIN = ("build", "fit", "evaluate", "attend", "plot", "explain", "report", "tracks", "export")
WRITE_OUT = ("attend", "plot", "explain", "report", "tracks", "export")
LONG = "Größe und Länge (基因) " + "ü" * 60 + " " + "x" * 38


def core() -> str:
    return str(min(os.sched_getaffinity(0)))


# Name of the folder, what comes before a command, and its environment.
PLACES = {
    "C locale": ("Gene ä 基因", (), {"LC_ALL": "C", "PYTHONUTF8": None, "LANG": None}),
    "no HOME": ("a", (), {"HOME": None, "XDG_CACHE_HOME": None, "XDG_CONFIG_HOME": None}),
    "HOME that cannot be written": ("a", (), {"HOME": "/proc/none", "MPLCONFIGDIR": None}),
    "64 open files": ("a", ("prlimit", "--nofile=64:64"), {}),
    "6 GB of address space": ("a", ("prlimit", f"--as={6 << 30}"), {}),
    "TMPDIR that cannot be written": ("a", (), {"TMPDIR": "/proc/none"}),
    "one core": ("a", ("taskset", "-c", core()), {}),
    "a long path": (LONG, (), {}),
}


# What may be too little for a command: pybigtools opens many files to write one.
REFUSED = {("64 open files", "tracks")}


def files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("place", PLACES)
def test_all_of_the_work_is_done(place: str, start: Start, tmp_path: Path) -> None:
    name, before, environment = PLACES[place]
    if before and shutil.which(before[0]) is None:
        pytest.skip(f"no {before[0]}")
    folder = tmp_path / name
    for command in CHAIN:
        process = start(command, folder, before=before, environment=environment)
        error = process.communicate()[1]
        if (place, command) in REFUSED and process.returncode:
            assert process.returncode == 2 and error.count("\n") == 1, error
            continue
        assert (process.returncode, "Traceback" in error) == (0, False), f"{command}: {error}"
    files = files_below(folder)
    assert not [file for file in files if "unfinished" in file]
    assert {"a.nc", "e.nc", "r.html", "models/models.config"} <= files
    assert "tracks/hub.txt" in files or (place, "tracks") in REFUSED
    assert {"run/metrics.json", "models/small/1/saved_model.pb"} <= files
    assert any(file.startswith("plots/") for file in files)


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mounts a small disk with options, or skips."""
    folder = tmp_path / "disk"

    def mount(options: str) -> Path:
        folder.mkdir()
        command = ("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder))
        answer = subprocess.run(command, capture_output=True, text=True)
        if answer.returncode:
            folder.rmdir()
            pytest.skip(f"no right to mount: {answer.stderr.strip()}")
        return folder

    yield mount
    if folder.exists():
        subprocess.run(["umount", str(folder)], check=True)


def assert_refused(process: subprocess.Popen[str], named: str, received: str, name: str) -> None:
    error = process.communicate()[1]
    assert process.returncode == 2, f"{name}: {error}"
    assert error.startswith("error: ") and error.count("\n") == 1, f"{name}: {error}"
    for part in (named, received):
        assert part in error, f"{name}: {error}"


@pytest.mark.parametrize("name", WRITE_OUT)
def test_a_full_disk_is_named(
    name: str, start: Start, made: Path, mounted: Callable[[str], Path]
) -> None:
    disk = mounted("size=16k")
    assert_refused(start(name, made, out=disk), str(disk), "No space left on device", name)
    assert not [file for file in files_below(disk) if "unfinished" in file]
    assert name == "tracks" or not files_below(disk)  # Of many files the first have had room.


@pytest.mark.parametrize("name", WRITE_OUT)
def test_a_read_only_folder_is_named(
    name: str, start: Start, made: Path, mounted: Callable[[str], Path]
) -> None:
    disk = mounted("ro")
    assert_refused(start(name, made, out=disk), str(disk), "Read-only file system", name)


def test_a_disk_without_room_for_a_dataset(
    start: Start, tmp_path: Path, mounted: Callable[[str], Path]
) -> None:
    disk = mounted("size=16k")
    assert_refused(start("build", tmp_path, data=disk), str(disk), "No space left", "build")


@pytest.mark.parametrize("size", ["4k", "64k", "160k"])
def test_a_disk_without_room_for_a_run(
    size: str, start: Start, made: Path, mounted: Callable[[str], Path]
) -> None:
    disk = mounted(f"size={size}")
    process = start("fit", made, run=disk / "run")
    assert_refused(process, str(disk), "No space left", "fit")
    assert not (disk / "run" / "metrics.json").exists()
    assert not list(disk.rglob("*unfinished*"))


def test_a_run_and_a_dataset_that_are_read_only_are_read(
    start: Start, made: Path, tmp_path: Path, mounted: Callable[[str], Path]
) -> None:
    disk = mounted("size=64m")
    shutil.copytree(made, disk, dirs_exist_ok=True)
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    for name in WRITE_OUT:
        process = start(name, disk, out=tmp_path / "out")
        error = process.communicate()[1]
        assert (process.returncode, "Traceback" in error) == (0, False), f"{name}: {error}"
    # It writes into the run.
    assert_refused(start("evaluate", disk), str(disk), "Read-only file system", "evaluate")


def test_standard_output_that_is_full(made: Path) -> None:
    command = [sys.executable, "-m", "keras_chrome.evaluate", str(made / "run")]
    with Path("/dev/full").open("w") as full:
        answer = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert answer.returncode == 2
    assert answer.stderr.startswith("error: Expected room to write. Received: No space left")
    assert answer.stderr.count("\n") == 1
