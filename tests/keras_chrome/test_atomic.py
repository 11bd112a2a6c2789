"""What is written appears whole, whatever its writer dies of."""

import errno
import fcntl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from keras_chrome import atomic
from keras_chrome.atomic import atomic_path, unfinished

WRITER = """\
import sys
from pathlib import Path
from keras_chrome.atomic import atomic_path
with atomic_path(Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    print(flush=True)
    sys.stdin.read()
"""
# Says how often it was stopped, and how often that left something.
STOPPED_WRITER = """\
import random, signal, sys
from pathlib import Path
from keras_chrome.atomic import atomic_path
path = Path(sys.argv[1])
draw = random.Random(0)
def stop(*_):
    raise KeyboardInterrupt
signal.signal(signal.SIGALRM, stop)
num_stopped = num_left = 0
for _ in range(3000):
    try:
        signal.setitimer(signal.ITIMER_REAL, draw.uniform(1e-6, 4e-4))
        with atomic_path(path) as temporary:
            temporary.write_text("new")
        signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt:
        num_stopped += 1
    for left in path.parent.glob(".unfinished-*"):
        num_left += 1
        left.rename(path.parent / f"left-{num_left}")
print(num_stopped, num_left)
"""


@contextmanager
def writing(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that is half-way through a file."""
    command = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout and process.stdout.readline() == "\n"
        yield process


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_killed_writer_leaves_the_old_file_and_the_next_one_clears_up(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("old")
    with writing(path) as process:
        process.kill()
    assert path.read_text() == "old"
    assert len(names(tmp_path)) == 3  # of the killed one a folder and a lock
    with atomic_path(tmp_path / "b.csv") as temporary:
        temporary.write_text("new")
    assert names(tmp_path) == ["a.csv", "b.csv"]


def test_a_writer_stopped_at_any_moment_leaves_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", STOPPED_WRITER, str(tmp_path / "a.csv")]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    num_stopped, num_left = map(int, said.stdout.split())
    assert num_stopped > 100
    assert num_left == 0


def test_a_writer_at_work_is_left_alone(tmp_path: Path) -> None:
    with writing(tmp_path / "a.csv") as process:
        with atomic_path(tmp_path / "b.csv") as temporary:
            temporary.write_text("new")
        assert process.communicate("")[0] == ""
    assert (tmp_path / "a.csv").read_text() == "half"
    assert names(tmp_path) == ["a.csv", "b.csv"]


def test_a_lock_that_another_removes_before_it_is_held_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed: list[Path] = []
    flock = fcntl.flock

    def first_removed(file: object, operation: int) -> None:
        if operation == fcntl.LOCK_EX and not removed:
            removed.extend(tmp_path.iterdir())
            removed[0].unlink()
        flock(file, operation)  # type: ignore[call-overload]

    monkeypatch.setattr(atomic.fcntl, "flock", first_removed)
    with unfinished(tmp_path) as folder:
        assert len(removed) == 1
        assert names(tmp_path) == [folder.name, f"{folder.name}.lock"]
    assert names(tmp_path) == []


def test_without_locks_files_are_written_and_nobody_elses_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(atomic.fcntl, "flock", refuse)
    with writing(tmp_path / "a.csv"):
        with atomic_path(tmp_path / "b.csv") as temporary:
            temporary.write_text("new")
        assert (tmp_path / "b.csv").read_text() == "new"
        assert len(names(tmp_path)) == 3


@pytest.mark.parametrize("name", ["x.gz", "x" * 251 + ".csv", "x.y.NC"])
def test_any_name_that_the_file_system_takes_keeps_its_ending(tmp_path: Path, name: str) -> None:
    with atomic_path(tmp_path / name) as temporary:
        assert temporary.suffix == Path(name).suffix
        temporary.touch()
    assert names(tmp_path) == [name]


def test_an_error_names_the_file_that_was_to_be(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.mkdir()
    with pytest.raises(IsADirectoryError) as directory, atomic_path(path) as temporary:
        temporary.touch()
    with pytest.raises(FileNotFoundError) as missing, atomic_path(path) as temporary:
        (temporary.parent / "none" / "b").touch()
    assert directory.value.filename == missing.value.filename == str(path)
    # Another file's keeps its own name, and what is no number of the system its own words.
    with pytest.raises(FileNotFoundError, match="elsewhere"), atomic_path(path):
        Path("elsewhere").read_text()
    with pytest.raises(OSError, match=r"^spoilt$"), atomic_path(path):
        raise OSError("spoilt")
    assert names(tmp_path) == ["a.csv"]


def test_serving_writes_alike() -> None:
    copy = Path(atomic.__file__).parents[1] / "serving" / "atomic.py"
    assert copy.read_text() == Path(atomic.__file__).read_text()
