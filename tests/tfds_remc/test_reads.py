import gzip
import itertools
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pybigtools
import pysam
import pytest

from tfds_remc.remc.binning import RegionBins
from tfds_remc.remc.chromosomes import GENOMES, ChromosomeError
from tfds_remc.remc.file_types import FILE_TYPES, SignalFileError
from tfds_remc.remc.reads import ReadOptions, read_signal
from tfds_remc.remc.regions import bin_edges

READ_BP = 36
HG19 = ReadOptions(genome="hg19")


@pytest.fixture
def bins() -> RegionBins:
    """Two genes of four bins: [1000, 1400) of chr1 and [500, 900) of chrX."""
    return RegionBins(np.array(["chr1", "chrX"]), np.array([1000, 500]), num_bins=4, bin_bp=100)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    def write_text(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return path

    return write_text


def reads(*records: tuple[str, int, int, str]) -> str:
    return "".join(f"{c}\t{start}\t{end}\tN\t1000\t{s}\n" for c, start, end, s in records)


SOME_READS = reads(
    ("chrX", 890, 926, "+"),  # the last bin, over its end
    ("chr1", 1090, 1126, "+"),  # over an edge: two bins
    ("chr1", 1090, 1126, "-"),
    ("chr1", 950, 1000, "+"),  # ends where the region starts
    ("chr1", 5000, 5036, "+"),
    ("chr7", 1000, 1036, "+"),
)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("a.broadPeak", "chr1 950 1200 p 9 . 950 1200 0 1 250, 0, 5.5 -1 -1"),  # gappedPeak
        ("a.narrowPeak", "chr1 950 1200 p 9 + 950 1200 0 1 250, 0,"),  # BED12
        ("a.tagAlign", "chr1 950 1000 chr1 1150 1200 p 30 + -"),  # BEDPE
    ],
)
def test_a_file_of_another_type_with_more_columns(
    write: Callable[[str, str], Path], bins: RegionBins, name: str, line: str
) -> None:
    with pytest.raises(SignalFileError, match=rf"at most (9|10) columns.* in {name}, line 1\. "):
        read_signal(write(name, line.replace(" ", "\t") + "\n"), bins)


def test_reads_that_overlap_a_bin(write: Callable[[str, str], Path], bins: RegionBins) -> None:
    for name in ("reads of E003.tagAlign", "reads.tagAlign.gz", "READS.TAGALIGN.GZ"):
        signal = read_signal(write(name, SOME_READS), bins)
        assert signal.values.dtype == np.float32
        assert signal.values.tolist() == [[2, 2, 0, 0], [0, 0, 0, 1]]
        assert (signal.num_records, signal.num_used) == (6, 3)
        assert signal.unmatched == {"chr7": 1}
        assert signal.missing_chroms == ()
        assert [*signal.warnings()] == [
            "1 of 6 reads lie on 1 chromosome without gene regions: chr7"
        ]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (ReadOptions(position="five_prime"), [[1, 1, 0, 0], [0, 0, 0, 1]]),
        # The read of chr1 that ended at 1000 reaches 1150; the reverse one reaches back to 926.
        (ReadOptions(extend_bp=200), [[3, 3, 1, 0], [0, 0, 0, 1]]),
        (ReadOptions(extend_bp=1), [[1, 1, 0, 0], [0, 0, 0, 1]]),
    ],
)
def test_strand_aware_counts(
    write: Callable[[str, str], Path],
    bins: RegionBins,
    options: ReadOptions,
    expected: list[list[int]],
) -> None:
    signal = read_signal(write("reads.tagAlign", SOME_READS), bins, options)
    assert signal.values.tolist() == expected


def test_depth_of_bedgraph_and_bigwig(
    write: Callable[[str, str], Path], bins: RegionBins, tmp_path: Path
) -> None:
    records = [("chr1", 900, 1050, 2.0), ("chr1", 1050, 1060, 4.5), ("chr1", 1390, 1500, 3.0)]
    expected = [[1.45, 0, 0, 0.3], [0, 0, 0, 0]]
    text = "".join("\t".join(map(str, record)) + "\n" for record in records)
    signal = read_signal(write("depth.bedGraph.gz", "track type=bedGraph\n" + text), bins)
    np.testing.assert_allclose(signal.values, expected, rtol=1e-6)
    assert (signal.num_records, signal.num_used) == (3, 3)
    assert signal.missing_chroms == ("chrX",)
    path = write_bigwig(tmp_path / "depth of E003.bw", {"chr1": 10_000}, records)
    signal = read_signal(path, bins)
    np.testing.assert_allclose(signal.values, expected, rtol=1e-6)
    assert signal.missing_chroms == ("chrX",)
    assert [*signal.warnings()] == ["no records on chrX: the signal there is 0"]


def write_bigwig(
    path: Path, sizes: dict[str, int], records: list[tuple[str, int, int, float]]
) -> Path:
    pybigtools.open(str(path), "w").write(sizes, iter(records))
    return path


def test_peak_signal_is_weighted_by_length(
    write: Callable[[str, str], Path], bins: RegionBins
) -> None:
    narrow = "chr1\t1050\t1210\tpeak\t9\t.\t8.5\t3\t2\t7\nchrX\t0\t10\tpeak\t9\t.\t1\t3\t2\t7\n"
    expected = [[4.25, 8.5, 0.85, 0], [0, 0, 0, 0]]
    for name in ("peaks.narrowPeak", "peaks.broadPeak.gz"):
        signal = read_signal(write(name, narrow), bins)
        np.testing.assert_allclose(signal.values, expected, rtol=1e-6)
        assert (signal.num_records, signal.num_used) == (2, 1)


def test_the_greatest_of_overlapping_peaks(
    write: Callable[[str, str], Path], bins: RegionBins
) -> None:
    """MACS2 --call-summits repeats a region for each of its summits."""
    region = "chr1\t1000\t1100\tpeak_{}\t9\t.\t{}\t3\t2\t7\n"
    rows = [region.format(*row) for row in (("1a", 10.57), ("1b", 13.21), ("1c", 6.61))]
    # Nested in and partly over the others, and one with no value at all.
    rows += ["chr1\t1150\t1400\tpeak_2\t9\t.\t4\t3\t2\t7\n"]
    rows += ["chr1\t1200\t1250\tpeak_3\t9\t.\t8\t3\t2\t7\n"]
    rows += ["chr1\t1350\t1390\tpeak_4\t9\t.\t2\t3\t2\t7\n"]
    rows += ["chr1\t1300\t1400\tpeak_5\t9\t.\t-1\t3\t2\t7\n"]
    for order in (rows, rows[::-1], rows * 2):
        signal = read_signal(write("peaks.narrowPeak", "".join(order)), bins)
        np.testing.assert_allclose(signal.values, [[13.21, 2, 6, 4], [0] * 4], rtol=1e-6)
        assert (signal.num_records, signal.num_used) == (len(order), len(order) * 6 // 7)
        assert signal.left_out == {"signalValue -1, which is none": len(order) // 7}


def test_signal_below_zero(
    write: Callable[[str, str], Path], bins: RegionBins, tmp_path: Path
) -> None:
    peaks = "chr1\t1000\t1100\tpeak\t9\t.\t{}\t3\t2\t7\n"
    for name, text in (("a.bdg", "chr1\t1000\t1100\t{}\n"), ("a.broadPeak", peaks)):
        for value in ("-0.5", "-2e-3", "nan", "inf"):
            with pytest.raises(
                SignalFileError, match=rf"in {name}, line 2\. Rec.* value='{value}'"
            ):
                read_signal(write(name, text.format(1) + text.format(value)), bins)


@pytest.mark.parametrize("where", ["inside of a bin", "over the end"])
def test_bases_of_a_bigwig_that_are_not_a_number_count_as_0(tmp_path: Path, where: str) -> None:
    size, start = (1400, 1000) if where == "inside of a bin" else (1150, 1000)
    bins = RegionBins(np.array(["chr1"]), np.array([start]), num_bins=4)
    records = [("chr1", 1000, 1050, 4.0), ("chr1", 1050, 1075, np.nan), ("chr1", 1075, 1150, 2.0)]
    path = write_bigwig(tmp_path / "a.bw", {"chr1": size}, records)
    assert read_signal(path, bins).values.tolist() == [[2.5, 1, 0, 0]]
    for value in (-3.0, -np.inf, np.inf):
        for base in (1080, 1125):
            at_fault = [*records[:2], ("chr1", base, base + 5, value), ("chr1", 1140, 1150, 9.0)]
            path = write_bigwig(tmp_path / "a.bw", {"chr1": size}, at_fault)
            with pytest.raises(
                SignalFileError,
                match=rf"numbers of at least 0 in a\.bw\. Received: {value:g} at chr1:{base}-",
            ):
                read_signal(path, bins)


def test_values_of_a_bigwig_that_cancel_out(tmp_path: Path, bins: RegionBins) -> None:
    records = [("chr1", 1000, 1050, 3.0), ("chr1", 1050, 1100, -1.0)]
    path = write_bigwig(tmp_path / "a.bw", {"chr1": 9000, "chrX": 9000}, records)
    with pytest.raises(SignalFileError, match=r"Received: -1 at chr1:1050-1100\. .*no log ratio"):
        read_signal(path, bins)


def test_a_bigwig_that_is_negative_where_no_gene_lies(tmp_path: Path, bins: RegionBins) -> None:
    """As a bedGraph file would be refused."""
    records = [("chr1", 1000, 1050, 3.0), ("chr7", 50, 60, -0.5)]
    path = write_bigwig(tmp_path / "a.bw", {"chr1": 9000, "chr7": 9000}, records)
    with pytest.raises(SignalFileError, match=r"Received: -0\.5 at chr7:50-60\. .*no log ratio"):
        read_signal(path, bins)


@pytest.mark.parametrize("name", ["A.BIGWIG", "a.BW", "a download"])
def test_a_bigwig_of_any_name(tmp_path: Path, bins: RegionBins, name: str) -> None:
    path = write_bigwig(tmp_path / "a.bw", {"chr1": 9000}, [("chr1", 1000, 1050, 3.0)])
    path = path.rename(tmp_path / name)
    signal = read_signal(path, bins, ReadOptions(file_type="bigWig"))
    assert signal.values[0].tolist() == [1.5, 0, 0, 0]


def test_a_bigwig_with_a_hole(tmp_path: Path, bins: RegionBins) -> None:
    """As a broken download may leave it, with the file's end in place."""
    records = [("chr1", start, start + 5, start / 7) for start in range(0, 8000, 10)]
    path = write_bigwig(tmp_path / "a.bw", {"chr1": 9000}, records)
    content = bytearray(path.read_bytes())
    data = int.from_bytes(content[16:24], "little")
    content[data + 100 : data + 600] = bytes(500)
    path.write_bytes(content)
    with pytest.raises(
        SignalFileError, match=r"complete bigWig file\. Received: a\.bw, damaged \("
    ):
        read_signal(path, bins)


def test_a_bigwig_without_data(tmp_path: Path, bins: RegionBins) -> None:
    """As pyBigWig writes one to which nothing was added: a header that counts 0 bases."""
    path = write_bigwig(tmp_path / "a.bw", {"chr1": 9000}, [("chr1", 1000, 1001, 1.0)])
    content = bytearray(path.read_bytes())
    data, summary = (int.from_bytes(content[at : at + 8], "little") for at in (16, 44))
    for offset in (data, summary):
        assert content[offset : offset + 8] == (1).to_bytes(8, "little")
        content[offset : offset + 8] = bytes(8)
    path.write_bytes(content)
    with pytest.raises(
        SignalFileError, match=r"a bigWig file with data\. Received: a\.bw, which has"
    ):
        read_signal(path, bins)


def test_a_chromosome_without_length(tmp_path: Path, bins: RegionBins) -> None:
    sizes = {"chr1": 9000, "chrX": 0}
    path = write_bigwig(tmp_path / "a.bw", sizes, [("chr1", 1000, 1100, 2.0)])
    assert read_signal(path, bins).values.tolist() == [[2, 0, 0, 0], [0, 0, 0, 0]]


def test_regions_over_the_ends_of_a_chromosome(tmp_path: Path) -> None:
    bins = RegionBins(np.array(["chr1"] * 3), np.array([-150, 850, 5000]), num_bins=3, bin_bp=100)
    path = write_bigwig(tmp_path / "depth.bw", {"chr1": 1000}, [("chr1", 0, 1000, 2.0)])
    expected = [[0, 1, 2], [2, 1, 0], [0, 0, 0]]
    np.testing.assert_allclose(read_signal(path, bins).values, expected)


def test_names_of_chromosomes_are_reconciled(
    write: Callable[[str, str], Path], bins: RegionBins, tmp_path: Path
) -> None:
    bare = write("bare.tagAlign", SOME_READS.replace("chr", ""))
    bare_bins = RegionBins(np.array(["1", "X"]), bins.start, num_bins=4, bin_bp=100)
    expected = [[2, 2, 0, 0], [0, 0, 0, 1]]
    for path in (bare, write("prefixed.tagAlign", SOME_READS)):
        for some_bins in (bins, bare_bins):
            assert read_signal(path, some_bins).values.tolist() == expected
    bigwig = write_bigwig(tmp_path / "a.bw", {"X": 1000}, [("X", 500, 600, 2.0)])
    assert read_signal(bigwig, bins).values.tolist() == [[0, 0, 0, 0], [2, 0, 0, 0]]
    mixed = write("mixed.tagAlign", SOME_READS.replace("chrX", "X"))
    with pytest.raises(ChromosomeError, match=r"one style.*mixed.tagAlign, .*'X' and 'chr1'"):
        read_signal(mixed, bins)
    other = write("other.tagAlign", SOME_READS.replace("chr", "scaffold_"))
    with pytest.raises(ChromosomeError, match=r"other.tagAlign, chr1, chrX. Received: scaffold_"):
        read_signal(other, bins)


def test_chromosomes_of_another_style_without_genes(
    write: Callable[[str, str], Path], bins: RegionBins, tmp_path: Path
) -> None:
    """A spike-in, the mitochondrion, and what other archives call a chromosome."""
    others = ("2L", "7", "MT", "mitochondrion_genome", "NC_000001.11", "chrUn_1")
    text = SOME_READS + reads(*((name, 1000, 1036, "+") for name in others))
    expected = [[2, 2, 0, 0], [0, 0, 0, 1]]
    signal = read_signal(write("reads.tagAlign", text), bins, HG19)
    assert signal.values.tolist() == expected
    assert signal.unmatched == dict.fromkeys(("chr7", *others), 1)
    assert (signal.num_records, signal.num_used) == (12, 3)
    sizes = dict.fromkeys(
        ("2L", "MT", "mitochondrion_genome", "NC_000001.11", "chrUn_1", "7"), 9000
    )
    bam = tmp_path / "reads.bam"
    write_bam(bam, text, {**{c: GENOMES["hg19"][c] for c in ("chr1", "chr7", "chrX")}, **sizes})
    assert read_signal(bam, bins, HG19).values.tolist() == expected
    bigwig = write_bigwig(
        tmp_path / "a.bw",
        {"2L": 5000, "MT": 5000, "chr1": 5000, "chrX": 5000},
        [("2L", 1000, 1100, 3.0), ("MT", 500, 600, 4.0), ("chr1", 1000, 1100, 2.0)],
    )
    assert read_signal(bigwig, bins).values.tolist() == [[2, 0, 0, 0], [0, 0, 0, 0]]


def test_a_spike_in_with_names_that_genes_lie_on_too(tmp_path: Path) -> None:
    """The fly's X and 4 beside human chromosomes; one header tells their sizes."""
    bins = RegionBins(np.array(["chr1", "chr4", "chrX"]), np.array([1000, 1000, 1000]), num_bins=2)
    human = {name: GENOMES["hg38"][name] for name in ("chr1", "chr4", "chrX")}
    sizes = {**human, "2L": 23_513_712, "4": 1_348_131, "X": 23_542_271}
    text = reads(*((name, 1000, 1036, "+") for name in sizes))
    path = tmp_path / "reads.bam"
    write_bam(path, text, sizes)
    signal = read_signal(path, bins, ReadOptions(genome="hg38"))
    assert signal.values.tolist() == [[1, 0]] * 3
    assert signal.unmatched == {"2L": 1, "4": 1, "X": 1}
    bare = path.with_suffix(".tagAlign")
    bare.write_text(text)
    with pytest.raises(ChromosomeError, match=r"Received: '4' and 'chr4'\. Rename .*or take out"):
        read_signal(bare, bins)


def test_names_of_the_mitochondrion(write: Callable[[str, str], Path]) -> None:
    for own in ("chrM", "MT", "chrMT"):
        bins = RegionBins(np.array(["chr1", own]), np.array([1000, 500]), num_bins=4)
        for name in ("chrM", "chrMT", "MT", "M"):
            signal = read_signal(write("a.tagAlign", SOME_READS.replace("chrX", name)), bins)
            assert signal.values.tolist() == [[2, 2, 0, 0], [0, 0, 0, 1]]


def test_another_genome(
    write: Callable[[str, str], Path], bins: RegionBins, tmp_path: Path
) -> None:
    path = tmp_path / "reads.bam"
    write_bam(path, reads(("chr1", 1000, 1036, "+")), GENOMES["hg38"])
    assert read_signal(path, bins, ReadOptions(genome="hg38")).values.sum() == 1
    with pytest.raises(ChromosomeError, match=r"sizes of hg19 in reads.bam.*as in hg38"):
        read_signal(path, bins, HG19)
    bigwig = write_bigwig(tmp_path / "a.bw", GENOMES["hg38"], [("chr1", 1000, 1100, 2.0)])
    with pytest.raises(ChromosomeError, match=r"sizes of hg19 in a.bw.*as in hg38"):
        read_signal(bigwig, bins, HG19)
    # Text has no sizes to check; reads past the end of a chromosome give it away.
    end = GENOMES["hg19"]["chr1"]
    text = reads(("chr1", end - 36, end, "+"), ("chr1", end - 35, end + 1, "+"))
    signal = read_signal(write("a.tagAlign", text), bins, HG19)
    assert signal.num_past_end == 1
    assert any("1 reads end past the end" in line for line in signal.warnings())


def test_a_mark_without_signal_is_warned_about(
    write: Callable[[str, str], Path], bins: RegionBins
) -> None:
    signal = read_signal(write("a.tagAlign", reads(("chr1", 10, 46, "+"))), bins)
    assert "the signal is 0 in every bin" in [*signal.warnings()]
    for name, what in (("b.tagAlign", "read"), ("b.bdg", "record"), ("b.broadPeak.gz", "record")):
        with pytest.raises(SignalFileError, match=rf"at least one {what}\. Received: {name}"):
            read_signal(write(name, "#only a header\n"), bins)


@pytest.mark.parametrize("suffix", FILE_TYPES)
def test_empty_files(bins: RegionBins, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a file.{suffix.upper()}"
    for content in (b"", gzip.compress(b"")) if suffix not in ("bigwig", "bw") else (b"",):
        path.write_bytes(content)
        with pytest.raises(SignalFileError, match=r"Received: a file\.[A-Z]+, which is empty\."):
            read_signal(path, bins)


@pytest.fixture
def paired_bam(tmp_path: Path) -> Path:
    """Two fragments, [1000, 1250) and [1100, 1350), and a read whose mate is not mapped."""
    header = pysam.AlignmentHeader.from_references(["chr1", "chrX"], [5000, 5000])
    proper = pysam.FPAIRED | pysam.FPROPER_PAIR
    rows = [
        ("a", 1000, 1214, 250, proper | pysam.FREAD1),
        ("b", 1100, 1314, 250, proper | pysam.FREAD2),
        ("c", 1150, 1150, 0, pysam.FPAIRED | pysam.FREAD1 | pysam.FMUNMAP),
        ("a", 1214, 1000, -250, proper | pysam.FREAD2 | pysam.FREVERSE),
        ("b", 1314, 1100, -250, proper | pysam.FREAD1 | pysam.FREVERSE),
    ]
    path = tmp_path / "paired.bam"
    with pysam.AlignmentFile(str(path), "wb", header=header) as bam:
        for name, start, next_start, length, flag in rows:
            read = pysam.AlignedSegment(header)
            read.query_name, read.flag, read.mapping_quality = name, flag, 30
            read.reference_id = read.next_reference_id = 0
            read.reference_start, read.next_reference_start = start, next_start
            read.template_length, read.cigarstring = length, "36M"
            bam.write(read)
    pysam.index(str(path))
    return path


def test_fragments_of_pairs(paired_bam: Path, bins: RegionBins, tmp_path: Path) -> None:
    signal = read_signal(paired_bam, bins, ReadOptions(fragments=True))
    assert signal.values.tolist() == [[1, 2, 2, 1], [0, 0, 0, 0]]
    assert (signal.num_records, signal.num_used) == (3, 2)
    assert signal.left_out == {"no proper pair": 1}
    assert next(signal.warnings()) == "1 of 3 fragments left out: no proper pair"
    # Extended reads count each of them twice, which is said.
    signal = read_signal(paired_bam, bins, ReadOptions(extend_bp=250))
    assert signal.values.tolist() == [[2, 5, 5, 3], [0, 0, 0, 0]]
    assert signal.num_paired == 4
    assert any("4 of 5 reads are mates of a pair and extended each" in w for w in signal.warnings())
    signal = read_signal(paired_bam, bins)
    assert signal.num_paired == 0
    single = tmp_path / "single.bam"
    write_bam(single, reads(("chr1", 1000, 1036, "+")) * 5, {"chr1": 5000, "chrX": 5000})
    assert read_signal(single, bins, ReadOptions(extend_bp=250)).num_paired == 0
    with pytest.raises(
        SignalFileError,
        match=r"pairs of reads in single\.bam.*Received: 5 reads of no pair\. Leave",
    ):
        read_signal(single, bins, ReadOptions(fragments=True))


def test_options_beside_fragments(write: Callable[[str, str], Path], bins: RegionBins) -> None:
    for options in ({"extend_bp": 200}, {"position": "five_prime"}):
        with pytest.raises(SignalFileError, match=r"fragments with position='overlap' and without"):
            ReadOptions(fragments=True, **options)  # type: ignore[arg-type]
    for name in ("a.tagAlign", "a.bdg", "a.narrowPeak"):
        with pytest.raises(SignalFileError, match=r"a BAM file where fragments are counted\. Rec"):
            read_signal(write(name, SOME_READS), bins, ReadOptions(fragments=True))


def test_left_out_alignments_are_counted(bins: RegionBins, tmp_path: Path) -> None:
    text = reads(("chr1", 1000, 1036, "+"), ("chrX", 600, 636, "-"))
    path = tmp_path / "reads.bam"
    write_bam(path, text, {"chr1": 5000, "chrX": 5000}, mapq=7)
    signal = read_signal(path, bins, ReadOptions(min_mapq=7))
    assert (signal.num_records, signal.num_used, signal.left_out) == (2, 2, {})
    signal = read_signal(path, bins, ReadOptions(min_mapq=8))
    assert (signal.num_records, signal.num_used) == (2, 0)
    assert next(signal.warnings()) == "2 of 2 reads left out: mapping quality below 8"


def test_content_that_is_not_of_the_type(bins: RegionBins, tmp_path: Path) -> None:
    bam, bigwig = tmp_path / "a.bam", tmp_path / "a.bw"
    write_bam(bam, reads(("chr1", 1000, 1036, "+")), {"chr1": 5000})
    write_bigwig(bigwig, {"chr1": 5000}, [("chr1", 1, 2, 1.0)])
    cases = {
        "a.tagAlign": (bam.read_bytes(), "text of a tagAlign file.*whose content is BAM"),
        "b.tagAlign.gz": (bigwig.read_bytes(), "text of a tagAlign file.*content is bigWig"),
        "c.tagAlign": (bytes(range(256)), "text of a tagAlign file.*content is binary"),
        "d.bam": (SOME_READS.encode(), "a BAM file. Received: d.bam, whose content is text"),
        "e.bw": (SOME_READS.encode(), "a bigWig file. Received: e.bw, whose content is text"),
        "f.bw.gz": (
            gzip.compress(bigwig.read_bytes()),
            "a bigWig file.*content is gzip. Unpack it",
        ),
        "g.bam": (
            b"CRAM\3\0",
            r"a BAM file.*content is CRAM\. Write it as BAM: samtools view -b -o NAME\.bam g\.bam",
        ),
        "i.bw": (b"\xeb\xf2\x89\x87", r"content is bigBed\. Unpack it: bigBedToBed i\.bw"),
        "j.narrowPeak": (b"\x87\x89\xf2\xeb", r"content is bigBed\. Unpack it: bigBedToBed j"),
        "k.bdg": (b"PK\3\4", r"content is zip\. Unpack it: unzip"),
        "m.bdg": ("chr1\t1\t2\t3\n".encode("utf-16"), r"content is UTF-16\. Save it as UTF-8"),
        "l.bdg.gz": (b"BZh9", r"content is bzip2\. Unpack it: bunzip2"),
        "h.bw": (bigwig.read_bytes()[:100], r"complete bigWig file\. Received: h.bw, damaged"),
    }
    for name, (content, match) in cases.items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(SignalFileError, match=match):
            read_signal(path, bins)


def test_options(write: Callable[[str, str], Path], bins: RegionBins) -> None:
    unnamed = write("download-1234", SOME_READS)
    with pytest.raises(
        SignalFileError,
        match=r"ends in one of \.tagalign.*'download-1234'\. Rename .* column file_type of",
    ):
        read_signal(unnamed, bins)
    for name, tool in (
        ("a.cram", "samtools view -b"),
        ("a.bb", "bigBedToBed"),
        ("a.sam", "view -b"),
        ("a.wig.gz", "wigToBigWig"),
        ("a.bam.zip", "unzip"),
    ):
        with pytest.raises(SignalFileError, match=tool):
            read_signal(write(name, SOME_READS), bins)
    assert read_signal(unnamed, bins, ReadOptions(file_type="tagAlign")).num_used == 3
    bedgraph = write("a.bdg", "chr1\t1000\t1100\t2\n")
    with pytest.raises(SignalFileError, match=r"one of tagAlign, BAM. .*file_type='bedGraph'"):
        read_signal(bedgraph, bins, ReadOptions(extend_bp=200))
    with pytest.raises(SignalFileError, match="min_mapq with a BAM file only"):
        read_signal(bedgraph, bins, ReadOptions(min_mapq=10))
    with pytest.raises(SignalFileError, match="position to be one of overlap, five_prime"):
        ReadOptions(position="middle")
    with pytest.raises(SignalFileError, match="genome to be one of None, hg19, hg38, mm10"):
        ReadOptions(genome="hg20")
    with pytest.raises(SignalFileError, match="extend_bp of at least 1"):
        ReadOptions(extend_bp=0)
    with pytest.raises(SignalFileError, match="the 5' end stays where it is"):
        ReadOptions(extend_bp=200, position="five_prime")


class Golden:
    """Genes of E003 whose regions lie wholly where all reads are known, and their counts."""

    def __init__(self, real_data: Path) -> None:
        known = np.load(real_data / "h3k27ac" / "E003_read_counts.npz")
        windows = np.genfromtxt(
            real_data / "raw" / "windows.tsv", dtype=None, names=True, encoding="utf-8"
        )
        edges = bin_edges(known["tss"], num_bins=100, bin_bp=100, flank_bp=5000)
        is_covered = (
            (known["chrom"][:, None] == windows["chrom"])
            & (windows["complete_from"] + READ_BP <= edges[:, :1])
            & (edges[:, -1:] < windows["end"])
        ).any(axis=1)
        self.raw = real_data / "raw"
        self.bins = RegionBins(known["chrom"][is_covered], edges[is_covered, 0])
        self.counts = dict(
            zip(known["marks"].tolist(), known["counts"][is_covered].swapaxes(0, 1), strict=True)
        )

    def tag_align(self, mark: str) -> Path:
        return self.raw / f"E003-{mark}.tagAlign.gz"


@pytest.fixture(scope="module")
def golden(real_data: Path) -> Golden:
    golden = Golden(real_data)
    assert len(golden.bins.start) == 139
    assert len(golden.counts) == 7
    return golden


@pytest.fixture(scope="module")
def bam_of(golden: Golden, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("alignments")
    for mark in golden.counts:
        text = gzip.decompress(golden.tag_align(mark).read_bytes()).decode()
        write_bam(folder / f"{mark}.bam", text, GENOMES["hg19"])
    return {mark: folder / f"{mark}.bam" for mark in golden.counts}


def write_bam(path: Path, tag_align: str, sizes: dict[str, int], mapq: int = 30) -> None:
    header = pysam.AlignmentHeader.from_references(list(sizes), list(sizes.values()))
    records = [line.split("\t") for line in tag_align.splitlines()]
    place = {name: index for index, name in enumerate(sizes)}
    records.sort(key=lambda record: (place[record[0]], int(record[1])))
    with pysam.AlignmentFile(str(path), "wb", header=header) as bam:
        for chrom, start, end, _, _, strand in records:
            alignment = pysam.AlignedSegment(header)
            alignment.query_name = "read"
            alignment.flag = pysam.FREVERSE if strand == "-" else 0
            alignment.reference_id, alignment.reference_start = place[chrom], int(start)
            alignment.mapping_quality = mapq
            alignment.cigartuples = [(pysam.CMATCH, int(end) - int(start))]
            bam.write(alignment)


@pytest.mark.real_data
def test_real_tag_align(golden: Golden) -> None:
    for mark, counts in golden.counts.items():
        signal = read_signal(golden.tag_align(mark), golden.bins, HG19)
        np.testing.assert_array_equal(signal.values, counts)
        assert (signal.num_past_end, signal.unmatched, signal.missing_chroms) == (0, {}, ())


@pytest.mark.real_data
def test_real_reads_as_bam(golden: Golden, bam_of: dict[str, Path]) -> None:
    for mark, counts in golden.counts.items():
        np.testing.assert_array_equal(read_signal(bam_of[mark], golden.bins, HG19).values, counts)
        for options in (ReadOptions(position="five_prime"), ReadOptions(extend_bp=150)):
            by_text, by_bam = (
                read_signal(path, golden.bins, options)
                for path in (golden.tag_align(mark), bam_of[mark])
            )
            np.testing.assert_array_equal(by_bam.values, by_text.values)
            assert by_bam.num_used == by_text.num_used


@pytest.mark.real_data
@pytest.mark.skipif(shutil.which("bedtools") is None, reason="bedtools is not installed")
def test_bedtools_multicov_counts_the_same(
    golden: Golden, bam_of: dict[str, Path], tmp_path: Path
) -> None:
    edges = golden.bins.edges
    bed = tmp_path / "bins.bed"
    bed.write_text(
        "".join(
            f"{chrom}\t{start}\t{end}\n"
            for chrom, row in zip(golden.bins.chrom, edges.tolist(), strict=True)
            for start, end in itertools.pairwise(row)
        )
    )
    for path in bam_of.values():
        pysam.index(str(path))
    command = ["bedtools", "multicov", "-bed", bed, "-bams", *bam_of.values()]
    with (tmp_path / "counts").open("w") as output:
        subprocess.run(command, stdout=output, check=True)
    counts = np.loadtxt(tmp_path / "counts", usecols=range(3, 3 + len(bam_of)), dtype=int)
    for mark, column in zip(bam_of, counts.T, strict=True):
        signal = read_signal(bam_of[mark], golden.bins)
        np.testing.assert_array_equal(signal.values, column.reshape(signal.values.shape))


@pytest.mark.real_data
def test_real_depth_is_that_of_the_reads(golden: Golden) -> None:
    """The bases of all reads in a bin, by the reads themselves, over the bin's width."""
    for mark in golden.counts:
        signal = read_signal(golden.raw / f"E003-{mark}.depth.bigwig", golden.bins, HG19)
        chrom, start = read_starts(golden.tag_align(mark))
        expected = np.zeros_like(signal.values)
        for row, edges in enumerate(golden.bins.edges):
            is_near = (start > edges[0] - READ_BP) & (start < edges[-1])
            near = start[is_near & (chrom == golden.bins.chrom[row]), None]
            overlap_bp = np.minimum(near + READ_BP, edges[1:]) - np.maximum(near, edges[:-1])
            expected[row] = np.maximum(overlap_bp, 0).sum(axis=0) / golden.bins.bin_bp
        np.testing.assert_allclose(signal.values, expected, rtol=1e-6)
        assert signal.values.max() > 1


def read_starts(tag_align: Path) -> tuple[np.ndarray, np.ndarray]:
    lines = gzip.decompress(tag_align.read_bytes()).decode().splitlines()
    records = [line.split("\t") for line in lines]
    assert {int(record[2]) - int(record[1]) for record in records} == {READ_BP}
    return np.array([record[0] for record in records]), np.array([int(r[1]) for r in records])
