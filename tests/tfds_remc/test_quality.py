import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from tfds_remc.remc.binning import RegionBins
from tfds_remc.remc.chromosomes import GENOMES
from tfds_remc.remc.expression import MatchedExpression, label_high
from tfds_remc.remc.mark_quality import MarkFile
from tfds_remc.remc.overlap import Overlap
from tfds_remc.remc.overlap_agreement import OverlapAgreement, PairLags
from tfds_remc.remc.quality import Quality, measure_quality, share_of_genome
from tfds_remc.remc.reads import BinnedSignal
from tfds_remc.remc.simulation import simulate
from tfds_remc.remc.split_balance import SplitBalance


def _two_marks(**kwargs: object) -> Quality:
    """Four genes of eight bins of 1 kb; the second is on the minus strand."""
    signal = np.zeros((4, 8, 2), dtype=np.float32)
    signal[:, :, 0] = [
        [1, 0, 0, 2, 8, 0, 0, 1],
        [1, 0, 0, 8, 2, 0, 0, 1],
        [1, 0, 0, 2, 8, 0, 0, 1],
        [1, 0, 0, 2, 8, 0, 0, 3],
    ]
    signal[:, 0, 1] = [9, 2, 1, 0]
    strand = np.array(["+", "-", "+", "?"])
    marks = ["H3K4me3", "H3K9me3"]
    return measure_quality(signal, marks, strand, flank_bp=4000, bin_bp=1000, **kwargs)  # type: ignore[arg-type]


def test_numbers_by_hand() -> None:
    quality = _two_marks(label=np.array([1, 1, -1, 0]))
    first, second = quality.marks
    assert first.profile == (1, 0, 0, 2, 8, 0, 0, 1.5)
    assert first.profile_low == (1, 0, 0, 2, 8, 0, 0, 3)
    assert second.profile == (2.5, 0, 0, 0, 0, 0, 0, 0.5)
    assert second.profile_high == (4.5, 0, 0, 0, 0, 0, 0, 1)
    assert (first.peak_bp, first.peak_height, first.peak_t) == (500, 8, 0)
    assert first.tss_enrichment == 5 / 1.25
    assert first.tss_enrichment_of == {"+": 5, "-": 5}
    assert (first.mean_signal, first.zero_share) == (50 / 32, 0.5)
    assert (first.auroc, second.auroc) == (0, 1)
    assert (quality.num_high, quality.num_low) == (2, 1)
    assert quality.num_genes_of == {"+": 2, "-": 1, "": 1}
    # Ranks 2, 2, 2, 4 and 4, 3, 2, 1.
    assert quality.correlation[0][1] == pytest.approx(-np.sqrt(0.6))
    assert quality.is_directed


def _file(num_records: int, num_used: int, file_type: str = "tagAlign") -> MarkFile:
    values = np.zeros((1, 1), dtype=np.float32)
    left_out = {"mapping quality below 30": 5}
    read = BinnedSignal(values, file_type, num_records, num_used, left_out)
    return MarkFile(Path(f"sample 1/x.{file_type}"), read)


def test_share_of_genome_counts_overlaps_once() -> None:
    chrom, start = np.array(["1", "1", "2", "1"]), np.array([5_000, 1_000, 5_000, 90_000])
    covered_bp = share_of_genome(RegionBins(chrom, start, 80, 100), "hg19") * sum(
        GENOMES["hg19"].values()
    )
    assert covered_bp == pytest.approx(12_000 + 8_000 + 8_000)


def test_summary() -> None:
    expression = MatchedExpression(np.zeros(4), 1, 2, 7)
    quality = _two_marks(
        files={"H3K4me3": _file(1_000, 250), "H3K9me3": _file(0, 0, "bigWig")},
        expression=expression,
        genes_left_out={"genes without a strand": 3},
    )
    assert quality.summary() == "\n".join(
        [
            "mark     records in  used   share  mean a bin  zero bins  TSS enrichment       peak",
            "H3K4me3       1,000   250  25.0 %        1.56     50.0 %           4.0 x    +500 bp",
            "H3K9me3           -     -       -       0.375     90.6 %           0.0 x  -3,500 bp",
            "4 gene regions: 2 + strand, 1 - strand, 1 strand unknown",
            "3 left out: genes without a strand",
            "1 gene regions not in the expression table",
            "2 gene regions without a value in the expression table",
            "7 genes with expression have no gene region",
        ]
    )
    assert "3 of 4 gene regions have no expression" in next(quality.warnings())


def test_overlap_of_genes() -> None:
    assert _two_marks().as_dict()["overlap"] is None
    quality = dataclasses.replace(_two_marks(), overlap=Overlap(40, 10, 5))
    expected = (
        "10 of 40 test genes (25.0 %) share half or more of their region with a training gene; "
        "5 (12.5 %) have their TSS within 1,000 bp of a training gene's"
    )
    assert quality.summary().splitlines()[-1] == expected
    assert any(warning.startswith(expected) for warning in quality.warnings())
    assert json.loads(json.dumps(quality.as_dict()))["overlap"] == {
        "num_test": 40,
        "num_shared": 10,
        "num_near": 5,
    }


def test_agreement_and_balance_of_genes() -> None:
    content = _two_marks().as_dict()
    assert (content["agreement"], content["balance"]) == (None, None)
    few = _two_marks(chrom=np.full(4, "chr1"), tss=np.arange(4) * 1000).agreement
    assert few
    assert (few.num_pairs, few.holds) == (0, None)  # Eight bins have no lags to choose from.
    lags = PairLags(100, 40, 2.0, (60, 40, 0))
    agreement = OverlapAgreement(lags, lags, max_lag_bins=5, chance=0.1)
    balance = SplitBalance({"train": 9, "test": 1}, {"train": 1, "test": 9}, 1e-4, is_sorted=False)
    quality = dataclasses.replace(_two_marks(), agreement=agreement, balance=balance)
    lines = quality.summary().splitlines()
    assert lines[-3:] == [*agreement.lines(), *balance.lines()]
    for warning in (*agreement.warnings(), *balance.warnings()):
        assert warning in quality.warnings()
    content = json.loads(json.dumps(quality.as_dict()))
    assert content["agreement"]["holds"] is False
    assert content["agreement"]["same_strand"]["num_at_lag"] == [60, 40, 0]
    assert content["balance"]["num_high"] == {"train": 9, "test": 1}


def test_json_holds_all() -> None:
    genes = simulate(60)
    genes.signal[:, :, genes.marks.index("H3K9me3")] = 0
    label = label_high(genes.rpkm, float(np.median(genes.rpkm)))
    quality = measure_quality(
        genes.signal, genes.marks, genes.strand, flank_bp=5000, bin_bp=100, label=label
    )
    content = json.loads(json.dumps(quality.as_dict(), allow_nan=False))
    assert content["warnings"] == list(quality.warnings())
    empty = content["marks"][4]
    assert (empty["mark"], empty["peak_bp"], empty["tss_enrichment"]) == ("H3K9me3", None, None)
    assert content["correlation"][4] == [None] * 6
    assert len(content["marks"][3]["profile_high"]) == 100


@pytest.mark.parametrize(
    "damage",
    [
        {"marks": ["H3K4me3"]},
        {"marks": ["H3K4me3", "H3K4me3"]},
        {"strand": np.full(3, "+")},
        {"label": np.zeros(3)},
        {"bin_bp": 200},
    ],
)
def test_arrays_that_do_not_fit(damage: dict[str, object]) -> None:
    arguments = {"marks": ["a", "b"], "strand": np.full(2, "+"), "flank_bp": 400, "bin_bp": 100}
    with pytest.raises(ValueError, match=r"Expected a signal of \(genes, bins, marks\)"):
        measure_quality(np.zeros((2, 8, 2)), **(arguments | damage))  # type: ignore[arg-type]
