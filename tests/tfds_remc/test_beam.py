"""Reads that a Beam job brings home exactly as the plain readers do."""

import dataclasses
import importlib.util
import itertools
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pybigtools
import pysam
import pytest

from tfds_remc import RemcConfig
from tfds_remc.__main__ import build
from tfds_remc.remc.beam import (
    BeamError,
    FilePart,
    PartSignal,
    join_parts,
    parse_pipeline_options,
    read_file_part,
    read_signals,
    split_file,
)
from tfds_remc.remc.binning import RegionBins
from tfds_remc.remc.file_types import SignalFile
from tfds_remc.remc.reads import BinnedSignal, ReadOptions, read_signal

needs_beam = pytest.mark.skipif(
    importlib.util.find_spec("apache_beam") is None,
    reason="apache-beam is not installed: pip install 'keras-chrome[beam]'",
)

# What DirectRunner runs, but that it first tries to download Prism, a runner written in Go.
RUNNER = "runner=FnApiRunner"

# No gene lies on chr3, and the files have no chrX.
BINS = RegionBins(
    np.array(["chr1", "chr2", "chr1", "chrX"]), np.array([1000, 1000, 1250, 5000]), num_bins=4
)
SIZES = {"chr1": 20_000, "chr3": 20_000, "chr2": 20_000}
NUM_GENES = 30


def write_bam(
    path: Path, *, seed: int, index: bool = True, chroms: tuple[str, ...] = tuple(SIZES)
) -> Path:
    """500 sorted reads, some of them duplicates and 20 without a place, as far as on `chroms`."""
    random = np.random.default_rng(seed)
    header = {"HD": {"VN": "1.6"}, "SQ": [{"SN": name, "LN": SIZES[name]} for name in SIZES]}
    places = sorted(zip(random.integers(0, 3, 480), random.integers(0, 19_900, 480), strict=True))
    if chroms == tuple(SIZES):
        places += [(-1, -1)] * 20
    with pysam.AlignmentFile(str(path), "wb", header=header) as bam:
        for number, (chrom, start) in enumerate(places):
            if chrom >= 0 and tuple(SIZES)[chrom] not in chroms:
                continue
            read = pysam.AlignedSegment(bam.header)
            read.query_name, read.query_sequence = f"read{number}", "A" * 36
            read.reference_id, read.reference_start = int(chrom), int(start)
            if chrom < 0:
                read.flag = pysam.FUNMAP
            else:
                read.flag = pysam.FDUP if number % 9 == 0 else pysam.FREVERSE * (number % 2)
                read.cigarstring, read.mapping_quality = "36M", int(random.integers(0, 60))
            bam.write(read)
    if index:
        pysam.index(str(path))
    return path


def write_tag_align(path: Path, *, seed: int) -> Path:
    random = np.random.default_rng(seed)
    path.write_text(
        "".join(
            f"{chrom}\t{start}\t{start + 36}\tN\t1000\t{'+-'[start % 2]}\n"
            for chrom in SIZES
            for start in random.integers(0, 19_900, 200)
        )
    )
    return path


def write_bigwig(path: Path) -> Path:
    random = np.random.default_rng(0)
    values = [
        (chrom, start, start + 50, float(random.random()))
        for chrom in sorted(SIZES)
        for start in range(500, 3000, 70)
    ]
    pybigtools.open(str(path), "w").write(SIZES, iter(values))
    return path


def assert_same(found: BinnedSignal, expected: BinnedSignal) -> None:
    assert found.values.dtype == expected.values.dtype
    assert found.values.tobytes() == expected.values.tobytes()
    assert list(found.warnings()) == list(expected.warnings())
    for field in dataclasses.fields(BinnedSignal)[1:]:
        assert getattr(found, field.name) == getattr(expected, field.name), field.name


def read_parts(path: Path, options: ReadOptions) -> list[PartSignal | ValueError]:
    return [
        read_file_part(part, BINS, options)[1] for part in split_file(0, SignalFile(path), BINS)
    ]


def test_a_file_with_an_index_is_split_by_chromosome(tmp_path: Path) -> None:
    bam = write_bam(tmp_path / "a.bam", seed=0)
    first, last = split_file(7, SignalFile(bam), BINS)
    assert (first.number, first.region_chroms, first.chroms) == (7, ("chr1",), ("chr1",))
    # What lies on no gene region's chromosome is in one part only: it counts for the depth.
    assert last.region_chroms == ("chr2", "chrX")
    assert last.chroms == ("chr2", "chr3", "*")
    bigwig = split_file(0, SignalFile(write_bigwig(tmp_path / "a.bw")), BINS)
    assert [part.region_chroms for part in bigwig] == [("chr1",), ("chr2", "chrX")]


def test_a_file_without_an_index_stays_whole(tmp_path: Path) -> None:
    whole = [
        write_tag_align(tmp_path / "a.tagAlign", seed=0),
        write_bam(tmp_path / "a.bam", seed=0, index=False),
        write_bam(tmp_path / "old.bam", seed=0),
    ]
    # An index from before the file was written anew would lead to other reads.
    index = tmp_path / "old.bam.bai"
    os.utime(index, (0, 0))
    for path in whole:
        (part,) = split_file(0, SignalFile(path), BINS)
        assert part.region_chroms == ("chr1", "chr2", "chrX")
        assert part.chroms is None


@pytest.mark.parametrize(
    "options", [ReadOptions(), ReadOptions(min_mapq=20), ReadOptions(extend_bp=150)]
)
def test_joined_parts_of_a_bam_file_are_the_file(tmp_path: Path, options: ReadOptions) -> None:
    path = write_bam(tmp_path / "a.bam", seed=1)
    parts = read_parts(path, options)
    assert len(parts) == 2
    joined = join_parts(parts)
    assert isinstance(joined, PartSignal)
    assert_same(joined.signal, read_signal(path, BINS, options))
    assert joined.signal.num_records == 500
    assert joined.signal.left_out["unmapped"] == 20
    assert joined.rows.tolist() == [0, 1, 2, 3]


def test_joined_parts_of_a_bigwig_file_are_the_file(tmp_path: Path) -> None:
    path = write_bigwig(tmp_path / "a.bw")
    joined = join_parts(read_parts(path, ReadOptions()))
    assert isinstance(joined, PartSignal)
    assert_same(joined.signal, read_signal(path, BINS))


def test_parts_of_a_bigwig_file_of_doubtful_values(tmp_path: Path) -> None:
    """What is not a number counts as 0 in each part, and a negative value is the same error."""
    values = [("chr1", 1000, 1200, 2.0), ("chr1", 1200, 1220, np.nan), ("chr2", 1000, 1150, 3.0)]
    path = tmp_path / "a.bw"
    pybigtools.open(str(path), "w").write(SIZES, iter(values))
    joined = join_parts(read_parts(path, ReadOptions()))
    assert isinstance(joined, PartSignal)
    assert_same(joined.signal, read_signal(path, BINS))
    assert joined.signal.values[1].tolist() == [3, 1.5, 0, 0]
    values.append(("chr2", 1200, 1210, -1.0))
    pybigtools.open(str(path), "w").write(SIZES, iter(values))
    error = join_parts(read_parts(path, ReadOptions()))
    with pytest.raises(ValueError, match=r"Received: -1 at chr2:1200-1210\.") as plain:
        read_signal(path, BINS)
    assert str(error) == str(plain.value)


def test_parts_of_a_file_with_a_spike_in(tmp_path: Path) -> None:
    """Each part knows the names of all gene regions: chrX alone could be either of two."""
    sizes = {"chr1": 20_000, "chr2": 20_000, "chrX": 20_000, "2L": 9_000, "X": 8_000}
    path = tmp_path / "a.bam"
    header = pysam.AlignmentHeader.from_references(list(sizes), list(sizes.values()))
    with pysam.AlignmentFile(str(path), "wb", header=header) as bam:
        for number in range(len(sizes)):
            for start in (1000, 5050):
                read = pysam.AlignedSegment(header)
                read.query_name, read.cigarstring = "read", "36M"
                read.reference_id, read.reference_start = number, start
                bam.write(read)
    pysam.index(str(path))
    parts = read_parts(path, ReadOptions())
    assert len(parts) == 3
    joined = join_parts(parts)
    assert isinstance(joined, PartSignal)
    assert_same(joined.signal, read_signal(path, BINS))
    assert joined.signal.unmatched == {"2L": 2, "X": 2}
    assert joined.signal.values[3].tolist() == [1, 0, 0, 0]


def part_signal(row: int) -> PartSignal:
    signal = BinnedSignal(
        np.full((1, 2), row, np.float32),
        "BAM",
        num_records=10 + row,
        num_used=row,
        left_out={"unmapped": row, f"reason {2 - row}": 1},
        unmatched={"chr9": 3} if row == 1 else {},
        num_past_end=row,
        num_paired=4 * row,
        is_of_fragments=True,
        missing_chroms=("chrX",) if row == 2 else (),
    )
    return PartSignal(np.array([row]), signal)


def test_parts_join_in_any_order_and_grouping() -> None:
    parts = [part_signal(row) for row in range(3)]
    all_at_once = join_parts(parts)
    assert isinstance(all_at_once, PartSignal)
    assert all_at_once.rows.tolist() == [0, 1, 2]
    assert all_at_once.signal.values.tolist() == [[0, 0], [1, 1], [2, 2]]
    assert all_at_once.signal.num_records == 33
    assert all_at_once.signal.num_paired == 12
    assert all_at_once.signal.is_of_fragments
    assert list(all_at_once.signal.left_out.items()) == [
        ("reason 0", 1), ("reason 1", 1), ("reason 2", 1), ("unmapped", 3),
    ]  # fmt: skip
    for a, b, c in itertools.permutations(parts):
        for joined in (join_parts([join_parts([a, b]), c]), join_parts([a, join_parts([b, c])])):
            assert isinstance(joined, PartSignal)
            assert joined.rows.tolist() == [0, 1, 2]
            assert_same(joined.signal, all_at_once.signal)


def test_an_error_in_any_part_is_the_files() -> None:
    errors = [ValueError("b"), ValueError("a")]
    for order in itertools.permutations([part_signal(0), *errors]):
        assert join_parts([join_parts(order[:2]), order[2]]) is errors[1]


@needs_beam
@pytest.mark.parametrize("has_temp_location", [False, True])
def test_a_job_reads_what_the_plain_readers_read(tmp_path: Path, has_temp_location: bool) -> None:
    work_dir, temp = tmp_path / "work", tmp_path / "temp"
    work_dir.mkdir()
    paths = [
        write_bam(tmp_path / "a.bam", seed=1),
        write_tag_align(tmp_path / "b.tagAlign", seed=2),
        write_bigwig(tmp_path / "c.bw"),
        write_tag_align(tmp_path / "d of no type", seed=3),
    ]
    files = [SignalFile(path) for path in paths[:3]] + [SignalFile(paths[3], "tagAlign")]
    text = RUNNER + (f",temp_location={temp}" if has_temp_location else "")
    found = read_signals(
        files, BINS, pipeline_options=parse_pipeline_options(text), work_dir=work_dir
    )
    for signal, (path, file_type) in zip(found, files, strict=True):
        assert_same(signal, read_signal(path, BINS, ReadOptions(file_type=file_type)))
    assert not list(work_dir.iterdir())
    assert temp.is_dir() == has_temp_location
    assert not has_temp_location or not list(temp.iterdir())


@pytest.fixture
def sheet(tmp_path: Path) -> dict[str, str]:
    """Options of a dataset of 30 genes and two marks with a common control."""
    write_tag_align(tmp_path / "me3 reads.tagAlign", seed=0)
    write_bam(tmp_path / "ac.bam", seed=1)
    write_bam(tmp_path / "input.bam", seed=2)
    (tmp_path / "sheet.csv").write_text(
        "epigenome,mark,path,control\n"
        "K562,H3K4me3,me3 reads.tagAlign,input.bam\n"
        "K562,H3K27ac,ac.bam,input.bam\n"
    )
    genes = [f"ENSG{number:011d}" for number in range(NUM_GENES)]
    (tmp_path / "genes.tsv").write_text(
        "gene_id\tsymbol\tchrom\ttss\tstrand\n"
        + "".join(
            f"{gene}\t\tchr{number % 2 + 1}\t{1000 + 600 * number}\t{'+-'[number % 3 == 0]}\n"
            for number, gene in enumerate(genes)
        )
    )
    (tmp_path / "expression.tsv").write_text(
        "gene_id\tK562\n" + "".join(f"{gene}\t{row}\n" for row, gene in enumerate(genes))
    )
    files = {"sample_sheet": "sheet.csv", "genes": "genes.tsv", "expression": "expression.tsv"}
    return {option: str(tmp_path / name) for option, name in files.items()}


def files_in(folder: Path) -> dict[Path, bytes]:
    """The content of all files but figures, which hold the time at which they were drawn."""
    return {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix not in (".svg", ".png")
    }


@needs_beam
@pytest.mark.parametrize(
    "options",
    [{}, {"normalize": "cpm", "subtract_control": True}],
    ids=["counts", "cpm and control"],
)
def test_files_are_the_same_byte_for_byte(
    tmp_path: Path, sheet: dict[str, str], options: dict[str, object]
) -> None:
    config = {**sheet, "flank_bp": 400, **options}
    plain = build(RemcConfig(**config), data_dir=tmp_path / "plain")  # type: ignore[arg-type]
    beam = build(
        RemcConfig(**config),  # type: ignore[arg-type]
        data_dir=tmp_path / "beam",
        beam_pipeline_options=RUNNER,
    )
    files = files_in(tmp_path / "plain")
    assert any("tfrecord" in path.name for path in files)
    assert files_in(tmp_path / "beam") == files
    assert beam.warnings == plain.warnings
    assert any("ac.bam: 54 of 500 reads left out: duplicate" in line for line in beam.warnings)


@needs_beam
@pytest.mark.slow
def test_files_are_the_same_from_two_processes(tmp_path: Path, sheet: dict[str, str]) -> None:
    own = [f"--{option.replace('_', '-')}={value}" for option, value in sheet.items()]
    command = [sys.executable, "-m", "tfds_remc", *own]
    beam = f"--beam_pipeline_options={RUNNER}"
    subprocess.run([*command, f"--data_dir={tmp_path / 'plain'}"], check=True)
    subprocess.run([*command, f"--data_dir={tmp_path / 'beam'}", beam], check=True)
    assert files_in(tmp_path / "beam") == files_in(tmp_path / "plain")


@needs_beam
def test_a_file_at_fault_is_the_same_line(
    tmp_path: Path,
    sheet: dict[str, str],
    command: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    with (tmp_path / "me3 reads.tagAlign").open("a") as file:
        file.write("chr1\t90\t80\tN\t1000\t+\n")
    own = [f"--{option.replace('_', '-')}={value}" for option, value in sheet.items()]
    errors = []
    for number, beam in enumerate([[], [f"--beam_pipeline_options={RUNNER}"]]):
        assert command(*own, *beam, f"--data_dir={tmp_path / str(number)}") == 2
        errors.append(capsys.readouterr().err.splitlines()[-1])  # After the bar.
    assert errors[0] == errors[1]
    assert errors[0].startswith("error: Expected 0 <= start < end")
    assert "in me3 reads.tagAlign, line 601" in errors[0]
    assert not list((tmp_path / "1").rglob("remc-*"))


def test_a_worker_that_does_not_see_the_file(tmp_path: Path) -> None:
    part = FilePart(3, SignalFile(tmp_path / "gone.tagAlign"), ("chr1",))
    number, error = read_file_part(part, BINS, ReadOptions())
    assert number == 3
    assert re.fullmatch(
        r"Expected every worker of the Beam job to see /.*gone\.tagAlign\. Received: no such file "
        r"there\. Put it on storage that all of them share, or give Beam a temp_location\.",
        str(error),
    )


def test_a_bug_in_a_worker_is_seen_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_part(*_: object) -> None:
        raise ValueError("a bug")

    monkeypatch.setattr("tfds_remc.remc.beam.read_part", read_part)
    part = FilePart(3, SignalFile(write_tag_align(tmp_path / "a.tagAlign", seed=0)), ("chr1",))
    _, error = pickle.loads(pickle.dumps(read_file_part(part, BINS, ReadOptions())))
    assert type(error) is ValueError
    assert "in read_part" in error.__notes__[0]


@needs_beam
@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("empty.bam", r"Expected at least one read\. Received: empty\.bam, without any"),
        ("chr3.bam", r"regions in chr3\.bam, chr1, chr2, chrX\. Received: chr3\. Use gene"),
    ],
)
def test_a_file_without_reads_on_gene_regions_in_any_part(
    tmp_path: Path, name: str, match: str
) -> None:
    path = write_bam(tmp_path / name, seed=0, chroms=("chr3",) if name == "chr3.bam" else ())
    with pytest.raises(ValueError, match=match) as plain:
        read_signal(path, BINS)
    with pytest.raises(ValueError, match=match) as beam:
        read_signals(
            [SignalFile(path)],
            BINS,
            pipeline_options=parse_pipeline_options(RUNNER),
            work_dir=tmp_path,
        )
    assert (type(beam.value), str(beam.value)) == (type(plain.value), str(plain.value))


@needs_beam
def test_a_config_that_reads_no_files(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"Expected options of Beam with a config that reads"):
        build("demo", data_dir=tmp_path, beam_pipeline_options=RUNNER)


@needs_beam
def test_an_option_of_beam_that_has_another_type(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BeamError, match=r"num_workers=x' \(.*invalid int value: 'x'\)\.$"):
        parse_pipeline_options(f"{RUNNER},num_workers=x")
    assert not capsys.readouterr().err


@needs_beam
def test_a_runner_that_is_not_known(
    tmp_path: Path,
    sheet: dict[str, str],
    command: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    own = [f"--{option.replace('_', '-')}={value}" for option, value in sheet.items()]
    places = [f"--data_dir={tmp_path / 'data'}"]
    assert command(*own, *places, "--beam_pipeline_options=runner=NoSuchRunner") == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: Expected a runner that Beam knows. Received: ValueError, ")
    assert "NoSuchRunner" in error


def test_without_apache_beam(
    tmp_path: Path,
    sheet: dict[str, str],
    command: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "apache_beam", None)  # As if it were not installed.
    own = [f"--{option.replace('_', '-')}={value}" for option, value in sheet.items()]
    places = [f"--data_dir={tmp_path / 'data'}"]
    assert command(*own, *places, f"--beam_pipeline_options={RUNNER}") == 2
    error = capsys.readouterr().err
    assert error.startswith("error: Expected apache-beam, to read with Beam. Received: it is not")
    assert error.count("\n") == 1
    assert command(*own, *places) == 0
