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
from tfds_remc.remc.file_types import SignalFileError
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


def test_reads_that_overlap_a_bin(write: Callable[[str, str], Path], bins: RegionBins) -> None:
    for name in ("reads of E003.tagAlign", "reads.tagAlign.gz", "READS.TAGALIGN.GZ"):
        signal = read_signal(write(name, SOME_READS), bins)
        assert signal.values.dtype == np.float32
        assert signal.values.tolist() == [[2, 2, 0, 0], [0, 0, 0, 1]]
        assert (signal.num_records, signal.num_used) == (6, 3)
        assert signal.unmatched == {"chr7": 1}
        assert signal.missing_chroms == ()
        assert [*signal.warnings()] == [
            "1 of 6 reads lie on 1 chromosomes without gene regions: chr7"
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
    mixed = write("mixed.tagAlign", SOME_READS.replace("chr7", "7"))
    with pytest.raises(ChromosomeError, match=r"one style.*mixed.tagAlign. Received: '7' and 'chr"):
        read_signal(mixed, bins)
    other = write("other.tagAlign", SOME_READS.replace("chr", "scaffold_"))
    with pytest.raises(ChromosomeError, match=r"other.tagAlign, chr1, chrX. Received: scaffold_"):
        read_signal(other, bins)


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
    signal = read_signal(write("a.narrowPeak", ""), bins)
    assert (signal.num_records, signal.values.sum()) == (0, 0)
    with pytest.raises(SignalFileError, match=r"at least one read. Received: b.tagAlign"):
        read_signal(write("b.tagAlign", "#only a header\n"), bins)


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
        "f.bw.gz": (gzip.compress(bigwig.read_bytes()), "a bigWig file.*content is gzip"),
        "g.bam": (b"CRAM\3\0", "a BAM file.*content is CRAM"),
        "h.bw": (bigwig.read_bytes()[:100], r"complete bigWig file\. Received: h.bw, damaged"),
    }
    for name, (content, match) in cases.items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(SignalFileError, match=match):
            read_signal(path, bins)


def test_options(write: Callable[[str, str], Path], bins: RegionBins) -> None:
    unnamed = write("download-1234", SOME_READS)
    with pytest.raises(SignalFileError, match=r"ends in one of \.tagalign.*'download-1234'"):
        read_signal(unnamed, bins)
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
