from pathlib import Path

import numpy as np
import pytest

from tfds_remc.remc import bed
from tfds_remc.remc.bedgraph import read_bedgraph
from tfds_remc.remc.file_types import SignalFileError


@pytest.fixture(params=[1, 2, 3, 1000])
def path(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a file is to be, which is read in chunks of this many records."""
    monkeypatch.setattr(bed, "_CHUNK_ROWS", request.param)
    return tmp_path / "a.bedGraph"


def places(path: Path) -> list[tuple[str, int, int]]:
    return [
        (chunk.names[code], start, end)
        for chunk in read_bedgraph(path)
        for code, start, end in zip(
            chunk.code.tolist(), chunk.start.tolist(), chunk.end.tolist(), strict=True
        )
    ]


def write(path: Path, *records: tuple[str, int, int], header: str = "") -> Path:
    lines = "".join(f"{chrom}\t{start}\t{end}\t1\n" for chrom, start, end in records)
    path.write_text(header + lines)
    return path


APART = [
    *(("chr1", 0, 10), ("chr1", 10, 20), ("chr1", 30, 35)),
    *(("chr2", 5, 8), ("chr2", 8, 9), ("chrX", 0, 50)),
]


def test_intervals_apart_in_any_order(path: Path) -> None:
    random = np.random.default_rng(0)
    assert places(write(path, *APART)) == APART
    for _ in range(10):
        records = [APART[row] for row in random.permutation(len(APART))]
        assert places(write(path, *records)) == records


@pytest.mark.parametrize(
    ("record", "other"),
    [
        (("chr1", 12, 14), "chr1:10-20 in line 3"),  # inside of another
        (("chr1", 18, 25), "chr1:10-20 in line 3"),  # in part
        (("chr1", 28, 31), "chr1:30-35 in line 4"),
        (("chr1", 30, 35), "chr1:30-35 in line 4"),  # the same again
        (("chr1", 25, 90), "chr1:30-35 in line 4"),  # around another
        (("chrX", 49, 51), "chrX:0-50 in line 7"),
    ],
)
def test_overlapping_intervals(path: Path, record: tuple[str, int, int], other: str) -> None:
    chrom, start, end = record
    write(path, *APART, ("chr3", 1, 2), record, header="track type=bedGraph\n")
    match = (
        rf"intervals apart in a\.bedGraph\. Received: {other} and {chrom}:{start}-{end} in line 9, "
        "which overlap"
    )
    with pytest.raises(SignalFileError, match=match):
        places(path)


def test_overlaps_are_those_that_comparing_all_pairs_finds(path: Path) -> None:
    random = np.random.default_rng(1)
    found = []
    for _ in range(60):
        start = random.integers(0, 40, 6)
        records = [
            (f"chr{random.integers(1, 3)}", int(s), int(s + random.integers(1, 6))) for s in start
        ]
        overlaps = [
            (i, j)
            for j, (chrom, s, e) in enumerate(records)
            for i, (other, t, f) in enumerate(records[:j])
            if chrom == other and s < f and t < e
        ]
        write(path, *records)
        found.append(bool(overlaps))
        if not overlaps:
            assert places(path) == records
            continue
        with pytest.raises(SignalFileError) as error:
            places(path)
        named = {
            tuple(
                i for i, (c, s, e) in enumerate(records) if f"{c}:{s}-{e} in line {i + 1}" in text
            )
            for text in [str(error.value)]
        }
        assert named <= set(overlaps)
    assert 0.2 < np.mean(found) < 0.9


def test_a_file_without_records(path: Path) -> None:
    assert places(write(path, header="track type=bedGraph\n")) == []
