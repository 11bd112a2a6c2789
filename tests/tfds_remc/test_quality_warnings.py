import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tfds_remc.remc.binning import RegionBins
from tfds_remc.remc.expression import label_high, read_expression
from tfds_remc.remc.gene_table import read_gene_table
from tfds_remc.remc.mark_quality import MarkFile
from tfds_remc.remc.published import read_published
from tfds_remc.remc.quality import Quality, measure_quality, share_of_genome
from tfds_remc.remc.reads import BinnedSignal, read_signal
from tfds_remc.remc.simulation import simulate


@dataclasses.dataclass(frozen=True)
class Genes:
    """Signal in the direction of transcription, and what else is known of its genes."""

    signal: np.ndarray
    strand: np.ndarray
    label: np.ndarray
    marks: tuple[str, ...]

    @classmethod
    def along_genome(
        cls, signal: np.ndarray, strand: np.ndarray, label: np.ndarray, marks: tuple[str, ...]
    ) -> "Genes":
        return cls(_mirror(signal, strand == "-"), strand, label, marks)

    def measure(self) -> Quality:
        """Measures as the builder does, along the genome."""
        return measure_quality(
            _mirror(self.signal, self.strand == "-"),
            self.marks,
            self.strand,
            flank_bp=5000,
            bin_bp=100,
            label=self.label,
        )

    def warnings(self) -> list[str]:
        return list(self.measure().warnings())

    def replace(self, mark: str, signal: np.ndarray) -> "Genes":
        replaced = self.signal.copy()
        replaced[:, :, self.marks.index(mark)] = signal
        return dataclasses.replace(self, signal=replaced)

    def of(self, mark: str) -> np.ndarray:
        return self.signal[:, :, self.marks.index(mark)]


def _mirror(signal: np.ndarray, where: np.ndarray) -> np.ndarray:
    return np.where(where[:, None, None], signal[:, ::-1], signal)


@pytest.fixture(scope="module")
def simulated() -> Genes:
    genes = simulate(400)
    label = label_high(genes.rpkm, float(np.median(genes.rpkm)))
    return Genes.along_genome(genes.signal, genes.strand, label, genes.marks)


@pytest.fixture(scope="module")
def real_genes(real_data: Path) -> Callable[[str], Genes]:
    """Reads counts, depth (E012) or peaks (the npz of E116 and E123) of a real epigenome."""
    table = read_gene_table(real_data / "remc" / "genes.tsv")

    def read(name: str) -> Genes:
        if name.endswith(".npz"):
            arrays = np.load(real_data / "h3k27ac" / name)
            signal = arrays["counts" if "counts" in arrays else "signal"].transpose(0, 2, 1)
            label = label_high(arrays["rpkm"], float(np.nanmedian(arrays["rpkm"])))
            marks = tuple(arrays["marks"].tolist())
            genes = slice(None, None, max(1, len(signal) // 4000))
            return Genes.along_genome(
                signal[genes].astype(np.float32), arrays["strand"][genes], label[genes], marks
            )
        archive = real_data / "remc" / "data.tar.gz"
        splits = read_published(archive, name, table.gene_id.tolist()).values()
        signal = np.concatenate([split.signal for split in splits])
        gene_ids = [gene_id for split in splits for gene_id in split.gene_id.tolist()]
        strand = table.strand[table.rows_of(gene_ids)]
        expression = read_expression(real_data / "remc" / "57epigenomes.RPKM.pc.gz", name)
        label = label_high(expression.rpkm(gene_ids), expression.median_rpkm)
        marks = ("H3K27me3", "H3K36me3", "H3K4me1", "H3K4me3", "H3K9me3")
        if name == "E012":  # Published against the direction of transcription.
            return Genes(signal[:, ::-1], strand, label, marks)
        return Genes.along_genome(signal, strand, label, marks)

    return read


def _shifted_3_kb(genes: Genes) -> Genes:
    return dataclasses.replace(genes, signal=np.roll(genes.signal, 30, axis=1))


def _of_another_genome(genes: Genes) -> Genes:
    """Each gene region somewhere else, as if its coordinates were of another build."""
    rng = np.random.default_rng(0)
    bins = (np.arange(100) + rng.integers(0, 100, (len(genes.signal), 1))) % 100
    return dataclasses.replace(
        genes, signal=np.take_along_axis(genes.signal, bins[:, :, None], axis=1)
    )


def _of_other_genes(genes: Genes) -> Genes:
    order = np.random.default_rng(0).permutation(len(genes.signal))
    return dataclasses.replace(genes, signal=genes.signal[order])


def _with_swapped_strands(genes: Genes) -> Genes:
    return dataclasses.replace(genes, signal=genes.signal[:, ::-1])


def _with_lower_end_as_tss(genes: Genes) -> Genes:
    """The genes of the minus strand centred on their 3' end."""
    is_minus = (genes.strand == "-")[:, None, None]
    elsewhere = _of_another_genome(genes).signal
    return dataclasses.replace(genes, signal=np.where(is_minus, elsewhere, genes.signal))


def _without_h3k9me3(genes: Genes) -> Genes:
    return genes.replace("H3K9me3", np.zeros(genes.signal.shape[:2]))


def _with_h3k4me3_twice(genes: Genes) -> Genes:
    """The second time at twice the depth."""
    return genes.replace("H3K9me3", 2 * genes.of("H3K4me3"))


DAMAGES = {
    _shifted_3_kb: "H3K4me3 (3,",
    _of_another_genome: "hardly higher at the TSS than 4,000 bp away",
    _of_other_genes: "hardly more on genes of high expression than of low",
    _with_swapped_strands: "H3K36me3: higher upstream of the TSS than downstream",
    _with_lower_end_as_tss: "hardly higher at the TSS on genes of the - strand, unlike",
    _without_h3k9me3: "H3K9me3: 100.0 % of the bins are 0",
    _with_h3k4me3_twice: "H3K4me3 and H3K9me3 are the same over bins (correlation 1.000)",
}


def test_sound_signal_has_no_warnings(simulated: Genes) -> None:
    assert simulated.warnings() == []


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__.strip("_"))
def test_damage_has_a_warning(simulated: Genes, damage: Callable[[Genes], Genes]) -> None:
    warnings = damage(simulated).warnings()
    assert len(warnings) == 1
    assert DAMAGES[damage] in warnings[0]


def test_of_promoter_marks_the_one_out_of_place_is_named(simulated: Genes) -> None:
    shifted = simulated.replace("H3K27ac", np.roll(simulated.of("H3K27ac"), 30, axis=1))
    (warning,) = shifted.warnings()
    assert warning.startswith("H3K27ac (3,")
    assert "H3K4me3" not in warning
    assert warning.endswith(
        "Other promoter marks are in place: is this file of another genome build?"
    )


def test_bins_that_do_not_run_as_told(simulated: Genes) -> None:
    quality = measure_quality(
        simulated.signal, simulated.marks, simulated.strand, flank_bp=5000, bin_bp=100
    )
    (warning,) = quality.warnings()
    assert "Do the bins run along the genome" in warning


def test_faint_mark(simulated: Genes) -> None:
    thinned = np.random.default_rng(0).binomial(simulated.of("H3K9me3").astype(int), 0.03)
    (warning,) = simulated.replace("H3K9me3", thinned).warnings()
    assert "Has it too few reads" in warning


@pytest.mark.parametrize(
    ("strand", "expected"),
    [
        ("+", ["all 400 genes with a strand are on the + strand. Is the strand of the gene table"]),
        (
            "",
            ["no gene has a strand: what lies upstream and what downstream of the TSS is unknown"],
        ),
    ],
)
def test_strands_of_the_gene_table(simulated: Genes, strand: str, expected: list[str]) -> None:
    warnings = dataclasses.replace(simulated, strand=np.full(400, strand)).warnings()
    assert [warning[: len(expected[0])] for warning in warnings] == expected


def test_few_genes_are_not_judged(simulated: Genes) -> None:
    few = Genes(
        *(a[:29] for a in (simulated.signal, simulated.strand, simulated.label)), simulated.marks
    )
    (warning,) = _shifted_3_kb(few).warnings()
    assert warning.startswith("29 gene regions are too few to judge")


def test_a_few_artefacts_do_not_make_the_profile(simulated: Genes) -> None:
    signal = simulated.of("H3K4me3").copy()
    signal[7, 90:95] = 50_000
    quality = simulated.replace("H3K4me3", signal).measure()
    assert list(quality.warnings()) == []
    assert abs(quality.marks[3].peak_bp or 5000) < 1000


@pytest.mark.parametrize("flank_bp", [1000, 2500])
def test_short_flanks_have_no_tss_enrichment(simulated: Genes, flank_bp: int) -> None:
    half = flank_bp // 100
    quality = measure_quality(
        simulated.signal[:, 50 - half : 50 + half],
        simulated.marks,
        simulated.strand,
        flank_bp=flank_bp,
        bin_bp=100,
        is_oriented=True,
    )
    assert (quality.marks[3].tss_enrichment is None) == (flank_bp < 2000)
    assert list(quality.warnings()) == []


def _file(num_records: int, num_used: int, file_type: str = "tagAlign") -> MarkFile:
    values = np.zeros((1, 1), dtype=np.float32)
    left_out = {"mapping quality below 30": 5}
    read = BinnedSignal(values, file_type, num_records, num_used, left_out)
    return MarkFile(Path(f"sample 1/x.{file_type}"), read)


@pytest.mark.parametrize(
    ("mark", "num_used", "is_warned"),
    [
        ("H3K4me3", 70, True),
        ("H3K4me3", 80, False),
        ("H3K9me3", 30, True),
        ("H3K9me3", 40, False),
    ],
)
def test_share_of_reads_on_gene_regions(
    simulated: Genes, mark: str, num_used: int, is_warned: bool
) -> None:
    quality = measure_quality(
        simulated.signal,
        simulated.marks,
        simulated.strand,
        flank_bp=5000,
        bin_bp=100,
        is_oriented=True,
        files={mark: _file(1000, num_used)},
        region_share=0.065,
    )
    expected = f"{mark}: {num_used / 10:.1f} % of the reads lie on gene regions, where 6.5 % would"
    assert [warning[: len(expected)] for warning in quality.warnings()] == [expected] * is_warned


REAL = ("E003_read_counts.npz", "E116_peak_signal.npz", "E123_peak_signal.npz", "E003", "E123")


@pytest.mark.real_data
@pytest.mark.parametrize("name", [*REAL, pytest.param("E012", marks=pytest.mark.slow)])
def test_real_epigenomes(real_genes: Callable[[str], Genes], name: str) -> None:
    genes = real_genes(name)
    assert genes.warnings() == []
    for damage, expected in DAMAGES.items():
        warnings = damage(genes).warnings()
        assert any(expected in warning for warning in warnings), (damage, warnings)


@pytest.mark.real_data
@pytest.mark.parametrize("offset_bp", [0, 9_000])
def test_real_reads(real_data: Path, offset_bp: int) -> None:
    """Gene regions beside their place, as a TSS file of another build has them."""
    genes = np.load(real_data / "h3k27ac" / "E003_read_counts.npz")
    windows = np.genfromtxt(
        real_data / "raw" / "windows.tsv", dtype=None, names=True, encoding="utf-8"
    )
    is_covered = (
        (genes["chrom"][:, None] == windows["chrom"])
        & (genes["tss"][:, None] == windows["start"] + 20_000)
    ).any(axis=1)
    tss, strand = genes["tss"][is_covered], genes["strand"][is_covered]
    bins = RegionBins(genes["chrom"][is_covered], tss - 5000 + offset_bp)
    marks = ["H3K4me3", "H3K27ac", "H3K9ac", "H3K36me3"]
    paths = {mark: real_data / "raw" / f"E003-{mark}.tagAlign.gz" for mark in marks}
    files = {mark: MarkFile(path, read_signal(path, bins)) for mark, path in paths.items()}
    quality = measure_quality(
        np.stack([files[mark].read.values for mark in marks], axis=-1),
        marks,
        strand,
        flank_bp=5000,
        bin_bp=100,
        files=files,
        region_share=share_of_genome(bins, "hg19"),
    )
    assert quality.num_genes > 80
    assert quality.marks[0].file == "E003-H3K4me3.tagAlign.gz"
    warnings = list(quality.warnings())
    if offset_bp:
        assert warnings
        assert all("TSS" in warning for warning in warnings)
    else:
        assert warnings == []
