"""Readers that hang, abort or fill memory, each in a process apart."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pybigtools
import pysam
import pytest

from tfds_remc.remc import apart, bam, bigwig
from tfds_remc.remc.apart import read_apart
from tfds_remc.remc.binning import RegionBins
from tfds_remc.remc.file_types import SignalFileError

SIZES = {"chr1": 20_000}


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[apart._Child]]:
    """The children of this test alone."""
    children: list[apart._Child] = []
    monkeypatch.setattr(apart, "_idle", children)
    yield children
    for child in children:
        child.end()


FAULTS = {
    "while True: time.sleep(1)": r"damaged \(no progress in 1 s\)",
    "while True: pass": r"damaged \(no progress in 1 s\)",
    "os.abort()": r"damaged \(its reader ended by SIGABRT\)",
    "os.kill(os.getpid(), 11)": r"damaged \(its reader ended by SIGSEGV\)",
    "bytearray(3 << 30)": r"damaged \(MemoryError\)",
    "raise NotImplementedError('seek\\n of\\x1b this')": r"damaged \(seek of\? this\)",
    "class Panic(BaseException): pass\n    raise Panic('overflow')": r"damaged \(overflow\)",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_of_native_code_are_a_line_about_the_file(
    fault: str, tmp_path: Path, idle: list[apart._Child], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_bam(tmp_path / "a.bam")
    code = f"""
import os, time
import tfds_remc.remc.bam as bam
apart = sys.modules["tfds_remc.remc.apart"]
apart.MAX_SECONDS = 1.0
def faulty(path):
    {fault}
    yield 1
bam._read_sizes = faulty
"""
    monkeypatch.setattr(apart, "MAX_SECONDS", 1.0)
    monkeypatch.setattr(apart, "_CHILD", apart._CHILD.replace("answer(int", f"{code}answer(int"))
    with pytest.raises(SignalFileError, match=FAULTS[fault]) as error:
        list(read_apart("BAM", bam._read_sizes, path))
    assert str(error.value).startswith("Expected a complete BAM file. Received: a.bam, damaged (")
    assert not idle


def write_bam(path: Path, num_reads: int = 100) -> Path:
    header = pysam.AlignmentHeader.from_references(list(SIZES), list(SIZES.values()))
    with pysam.AlignmentFile(str(path), "wb", header=header) as file:
        for number in range(num_reads):
            read = pysam.AlignedSegment(header)
            read.query_name, read.query_sequence = f"read{number}", "ACGT" * 9
            read.reference_id, read.reference_start = 0, 10 * number
            read.cigarstring, read.mapping_quality = "36M", 30
            file.write(read)
    return path


def test_one_process_reads_file_after_file_and_two_read_two_at_once(
    tmp_path: Path, idle: list[apart._Child]
) -> None:
    path = write_bam(tmp_path / "a.bam")
    assert bam.chromosome_sizes(path) == SIZES
    (child,) = idle
    assert bam.chromosome_sizes(path) == SIZES
    assert idle == [child]
    for one, other in zip(bam.read_bam(path), bam.read_bam(path), strict=True):
        assert one.start.tolist() == other.start.tolist() == list(range(0, 1000, 10))
    assert len(idle) == 2
    left = bam.read_bam(path)
    next(left)
    assert isinstance(left, Iterator)
    left.close()  # type: ignore[attr-defined]
    assert len(idle) == 1  # It may not have been at its end.


def test_a_file_that_is_not_there_is_the_systems_error(tmp_path: Path) -> None:
    for read in (bam.chromosome_sizes, bigwig.chromosome_sizes):
        with pytest.raises(FileNotFoundError):
            read(tmp_path / "no such file")


def test_a_chosen_python_path_is_the_childs(tmp_path: Path) -> None:
    """Modules that lie in the working directory are not what the child imports."""
    (tmp_path / "numpy.py").write_text("raise SystemExit('not this one')")
    path = write_bam(tmp_path / "a.bam")
    code = (
        f"import sys; sys.path = {sys.path!r}\nfrom pathlib import Path\n"
        "from tfds_remc.remc.bam import chromosome_sizes\n"
        f"print(chromosome_sizes(Path({str(path)!r})))"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout == f"{SIZES}\n", done.stderr


def test_the_child_ends_with_its_parent(tmp_path: Path) -> None:
    path = write_bam(tmp_path / "a.bam")
    code = (
        "import os, sys, time\nfrom pathlib import Path\nfrom tfds_remc.remc import apart, bam\n"
        f"bam.chromosome_sizes(Path({str(path)!r}))\n"
        "print(apart._idle[0].process.pid, flush=True)\nos.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert done.returncode == -signal.SIGKILL
    stat = Path(f"/proc/{done.stdout.strip()}/stat")
    while stat.exists() and stat.read_text().split()[2] != "Z":
        time.sleep(0.01)


def test_values_of_a_bigwig_file(tmp_path: Path) -> None:
    path = tmp_path / "a.bw"
    pybigtools.open(str(path), "w").write(SIZES, iter([("chr1", 0, 150, 2.0)]))
    bins = RegionBins(np.array(["chr1"] * 2), np.array([0, -100]), num_bins=2)
    means = bigwig.mean_depth(path, bins, ["chr1", "chr1"])
    assert means.tolist() == [[2, 1], [0, 2]]
