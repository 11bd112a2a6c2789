import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pysam
import pytest

from tfds_remc.remc.bam import SINGLE, chromosome_sizes, read_bam
from tfds_remc.remc.file_types import SignalFileError

# Name, flag, CIGAR, mapping quality; then the bases it spans from its start, 0 if it is left out.
ALIGNMENTS = [
    ("plain", 0, "36M", 30, 36),
    ("reverse", pysam.FREVERSE, "36M", 30, 36),
    ("mapping quality 0", 0, "36M", 0, 36),
    ("duplicate", pysam.FDUP, "36M", 30, 0),
    ("failed", pysam.FQCFAIL, "36M", 30, 0),
    ("secondary", pysam.FSECONDARY, "36M", 30, 36),
    ("supplementary", pysam.FSUPPLEMENTARY, "36M", 30, 36),
    ("improper pair", pysam.FPAIRED, "36M", 30, 36),
    ("unmapped beside its mate", pysam.FUNMAP, None, 0, 1),
    ("unmapped with a CIGAR", pysam.FUNMAP, "36M", 0, 1),
    ("soft clip", 0, "5S31M", 30, 31),
    ("hard clip", 0, "5H31M", 30, 31),
    ("deletion", 0, "10M10D10M", 30, 30),
    ("intron", 0, "10M100N10M", 30, 120),
    ("insertion", 0, "10M10I10M", 30, 20),
    ("match and mismatch", 0, "10=5X10=", 30, 25),
]
SPACING_BP = 200


@pytest.fixture
def write_bam(tmp_path: Path) -> Callable[..., Path]:
    def write(alignments: list[tuple], name: str = "a file.bam", unplaced: int = 0) -> Path:
        path = tmp_path / name
        header = pysam.AlignmentHeader.from_references(["chr1", "chr2"], [100_000, 5_000])
        with pysam.AlignmentFile(str(path), "wb", header=header) as bam:
            for place, (query, flag, cigar, mapq, *_) in enumerate(alignments, start=1):
                alignment = pysam.AlignedSegment(header)
                alignment.query_name, alignment.flag = query.replace(" ", "_"), flag
                alignment.reference_id, alignment.reference_start = 0, place * SPACING_BP
                alignment.mapping_quality, alignment.cigarstring = mapq, cigar
                length = alignment.infer_query_length() if cigar else 36
                alignment.query_sequence = "A" * length
                bam.write(alignment)
            for _ in range(unplaced):
                alignment = pysam.AlignedSegment(header)
                alignment.query_name, alignment.flag = "unplaced", pysam.FUNMAP
                bam.write(alignment)
        return path

    return write


def test_which_alignments_count_and_what_they_span(write_bam: Callable[..., Path]) -> None:
    (chunk,) = read_bam(write_bam(ALIGNMENTS, unplaced=3))
    spans = dict(zip(chunk.start.tolist(), (chunk.end - chunk.start).tolist(), strict=True))
    for place, (name, *_, span) in enumerate(ALIGNMENTS, start=1):
        assert spans.get(place * SPACING_BP, 0) == span, name
    assert chunk.is_reverse is not None
    assert chunk.is_reverse.sum() == 1
    assert dict(chunk.left_out) == {
        "unmapped": 3,
        "duplicate or failed quality control": 2,
        "mapping quality below 0": 0,
    }


def test_min_mapq(write_bam: Callable[..., Path]) -> None:
    path = write_bam([("a", 0, "36M", 29), ("b", 0, "36M", 30), ("c", 0, "36M", 31)])
    (chunk,) = read_bam(path, min_mapq=30)
    assert chunk.start.tolist() == [2 * SPACING_BP, 3 * SPACING_BP]
    assert chunk.left_out["mapping quality below 30"] == 1


@pytest.mark.skipif(shutil.which("bedtools") is None, reason="bedtools is not installed")
@pytest.mark.parametrize("min_mapq", [0, 30])
def test_bedtools_multicov_counts_the_same(
    write_bam: Callable[..., Path], tmp_path: Path, min_mapq: int
) -> None:
    path = write_bam(ALIGNMENTS)
    pysam.index(str(path))
    end = (len(ALIGNMENTS) + 1) * SPACING_BP
    bed = tmp_path / "bases.bed"
    bed.write_text("".join(f"chr1\t{base}\t{base + 1}\n" for base in range(end)))
    command = ["bedtools", "multicov", "-q", str(min_mapq), "-bams", path, "-bed", bed]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    depth = np.zeros(end, dtype=int)
    for chunk in read_bam(path, min_mapq=min_mapq):
        for start, stop in zip(chunk.start, chunk.end, strict=True):
            depth[start:stop] += 1
    assert [int(line.split("\t")[3]) for line in lines] == depth.tolist()


class Mate(NamedTuple):
    """One end of a fragment: on the chromosome of this number, with these flags beside its own."""

    name: str
    chrom: int
    start: int
    is_reverse: bool
    is_second: bool
    flag: int = pysam.FPROPER_PAIR


def write_pairs(path: Path, mates: list[Mate], order: str = "place") -> Path:
    """Mates of 36 bp; `template_length` as the SAM specification has it."""
    header = pysam.AlignmentHeader.from_references(["chr1", "chr2"], [100_000, 100_000])
    by_name: dict[str, list[Mate]] = {}
    for mate in mates:
        if not mate.flag & (pysam.FSECONDARY | pysam.FSUPPLEMENTARY):
            by_name.setdefault(mate.name, []).append(mate)
    mates = sorted(mates, key=lambda m: (m.chrom, m.start) if order == "place" else m.name)
    with pysam.AlignmentFile(str(path), "wb", header=header) as bam:
        for mate in mates:
            read = pysam.AlignedSegment(header)
            read.query_name, read.query_sequence = mate.name, "A" * 36
            read.reference_id, read.reference_start = mate.chrom, mate.start
            read.cigarstring, read.mapping_quality = "36M", 30
            read.flag = mate.flag | (pysam.FREVERSE if mate.is_reverse else 0)
            pair = by_name[mate.name]
            if len(pair) == 2 and mate.name == "no length":
                read.flag |= pysam.FPAIRED | (pysam.FREAD2 if mate.is_second else pysam.FREAD1)
                read.next_reference_id, read.next_reference_start = mate.chrom, mate.start
            elif len(pair) == 2:
                first, second = sorted(pair, key=lambda m: m.start)
                other = second if mate is first else first
                read.flag |= pysam.FPAIRED | (pysam.FREAD2 if mate.is_second else pysam.FREAD1)
                read.next_reference_id, read.next_reference_start = other.chrom, other.start
                if first.chrom == second.chrom:
                    length = max(first.start, second.start) + 36 - first.start
                    read.template_length = length if mate is first else -length
            bam.write(read)
    return path


def pair(
    name: str, start: int, length: int, *, is_flipped: bool = False, flag: int = pysam.FPROPER_PAIR
) -> list[Mate]:
    """Both ends of a fragment; flipped if the second read is its left end."""
    return [
        Mate(name, 0, start, False, is_flipped, flag),
        Mate(name, 0, start + length - 36, True, not is_flipped, flag),
    ]


FRAGMENTS = [
    *pair("a", 1000, 200),
    *pair("b", 1100, 350, is_flipped=True),
    *pair("c", 1300, 36),  # both mates at one place
    *pair("d", 1500, 30),  # each beyond the start of the other
    *pair("e", 1600, 90, flag=pysam.FPROPER_PAIR | pysam.FDUP),
    *pair("f", 1700, 5000, flag=0),  # too far apart for the aligner
    Mate("g", 0, 1800, False, False, 0),  # on two chromosomes
    Mate("g", 1, 1900, True, True, 0),
    Mate("h", 0, 2000, False, False, 0),  # of one end only
    *pair("no length", 3000, 200),  # of which the aligner says none
    Mate("a", 0, 9000, False, False, pysam.FSUPPLEMENTARY | pysam.FPROPER_PAIR | pysam.FREAD1),
]


@pytest.mark.parametrize("order", ["place", "name"])
def test_fragments(tmp_path: Path, order: str) -> None:
    path = write_pairs(tmp_path / "a.bam", FRAGMENTS, order)
    (chunk,) = read_bam(path, fragments=True)
    found = sorted(zip(chunk.start.tolist(), chunk.end.tolist(), strict=True))
    assert found == [(1000, 1200), (1100, 1450), (1300, 1336), (1494, 1536)]
    assert {reason: number for reason, number in chunk.left_out.items() if number} == {
        "duplicate or failed quality control": 1,
        SINGLE: 1,
        "no proper pair": 3,
    }
    (chunk,) = read_bam(path, fragments=True, min_mapq=31)
    assert chunk.left_out["mapping quality below 31"] == 7
    chunk = next(read_bam(path))
    # The mates of a, b, c, d, f, g and the last, and what else of a is aligned.
    assert chunk.num_paired == 14 + 1


def random_pairs() -> list[Mate]:
    random = np.random.default_rng(0)
    return [
        mate
        for number in range(300)
        for mate in pair(
            f"p{number:03d}",
            int(random.integers(0, 5000)),
            int(random.integers(36, 600)),
            is_flipped=bool(random.integers(2)),
            flag=pysam.FPROPER_PAIR if number % 7 else 0,
        )
    ]


def test_fragments_are_those_of_joining_mates_by_name(tmp_path: Path) -> None:
    mates = random_pairs()
    path = write_pairs(tmp_path / "a.bam", mates)
    by_name: dict[str, list[Mate]] = {}
    for mate in mates:
        by_name.setdefault(mate.name, []).append(mate)
    expected = sorted(
        (min(a.start, b.start), max(a.start, b.start) + 36) for a, b in by_name.values() if a.flag
    )
    (chunk,) = read_bam(path, fragments=True)
    assert sorted(zip(chunk.start.tolist(), chunk.end.tolist(), strict=True)) == expected
    assert len(expected) == 257


@pytest.mark.skipif(shutil.which("bedtools") is None, reason="bedtools is not installed")
def test_bedtools_bamtobed_finds_the_same_fragments(tmp_path: Path) -> None:
    path = write_pairs(tmp_path / "a.bam", [m for m in random_pairs() if m.flag], order="name")
    command = ["bedtools", "bamtobed", "-bedpe", "-i", str(path)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    rows = [list(map(int, np.array(line.split("\t"))[[1, 2, 4, 5]])) for line in lines]
    (chunk,) = read_bam(path, fragments=True)
    assert sorted(zip(chunk.start.tolist(), chunk.end.tolist(), strict=True)) == sorted(
        (min(row), max(row)) for row in rows
    )


def test_chromosome_sizes(write_bam: Callable[..., Path]) -> None:
    assert chromosome_sizes(write_bam([])) == {"chr1": 100_000, "chr2": 5_000}
    assert list(read_bam(write_bam([]))) == []


def test_truncated_files(write_bam: Callable[..., Path], tmp_path: Path) -> None:
    whole = write_bam(ALIGNMENTS * 2000).read_bytes()
    cut = tmp_path / "cut file.bam"
    for size in (100, len(whole) // 2, len(whole) - 28, len(whole) - 5):
        cut.write_bytes(whole[:size])
        with pytest.raises(SignalFileError, match=r"complete BGZF file.*cut file\.bam, truncated"):
            chromosome_sizes(cut)
    # A hole, as a broken download may leave it, with the file's end in place.
    cut.write_bytes(whole[: len(whole) // 2] + whole[-28:])
    with pytest.raises(SignalFileError, match=r"complete BAM file\. Received: cut file\.bam, dam"):
        list(read_bam(cut))


def test_an_index_of_another_file(write_bam: Callable[..., Path], tmp_path: Path) -> None:
    """Its reads would be others than those of the chromosome, or fewer, without a word."""
    path = write_bam(ALIGNMENTS, unplaced=3)
    pysam.index(str(path))
    index = path.with_name(f"{path.name}.bai")
    chroms = ["chr1", "chr2", "*"]
    (whole,), (by_index,) = read_bam(path), read_bam(path, chroms=chroms)
    assert whole.start.tolist() == by_index.start.tolist()
    own = index.read_bytes()
    other = write_bam(ALIGNMENTS[:7], "other.bam")
    pysam.index(str(other))
    for content in (
        other.with_name("other.bam.bai").read_bytes(),
        own.replace(b"\x0e\0\0\0\0\0\0\0", b"\x0d\0\0\0\0\0\0\0"),
        own[: len(own) // 2],
        b"BAI\1\xff\xff\xff\x7f",
        b"",
    ):
        assert content != own
        index.write_bytes(content)
        with pytest.raises(SignalFileError, match=r"Index it anew|complete BAM file") as error:
            list(read_bam(path, chroms=chroms))
        assert "a file.bam" in str(error.value)
        # Who reads all of the file needs no index.
        (chunk,) = read_bam(path)
        assert chunk.start.tolist() == whole.start.tolist()
