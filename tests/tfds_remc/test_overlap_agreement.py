import json
from pathlib import Path

import numpy as np
import pytest

from tfds_remc.remc.gene_table import read_gene_table
from tfds_remc.remc.overlap_agreement import OverlapAgreement, PairLags, measure_agreement
from tfds_remc.remc.published import read_published

NUM_BINS, BIN_BP = 40, 10
FLANK_BP = NUM_BINS * BIN_BP // 2


class Pairs:
    """Pairs of genes, 1 to 20 bins apart, each pair a long way from the next.

    The signal changes at random every 20 bp. The left gene of pair i is gene 2 i; its strand and
    that of the right one are the four combinations in turn.
    """

    def __init__(self, num_pairs: int = 100) -> None:
        rng = np.random.default_rng(0)
        self.depth = rng.gamma(0.3, size=(num_pairs * 50, 2)).repeat(20, axis=0)
        left = 500 + 1000 * np.arange(num_pairs)
        self.tss = np.stack([left, left + rng.integers(10, FLANK_BP + 1, num_pairs)], 1).ravel()
        self.strand = np.array([*"++--+--+"] * num_pairs)[: 2 * num_pairs]
        self.chrom = np.full(len(self.tss), "chr1")

    def signal(self, moved_bp: np.ndarray | int = 0, *, is_oriented: bool = False) -> np.ndarray:
        """Mean depth around each TSS, or at a distance from it."""
        base = (self.tss + moved_bp)[:, None] - FLANK_BP + np.arange(2 * FLANK_BP)
        bins = self.depth[base].reshape(len(base), NUM_BINS, BIN_BP, 2).mean(axis=2)
        is_turned = np.logical_and(self.strand == "-", is_oriented)[:, None, None]
        return np.where(is_turned, bins[:, ::-1], bins).astype(np.float32)

    def measure(self, signal: np.ndarray, *, is_oriented: bool = False) -> OverlapAgreement:
        return measure_agreement(
            signal, self.chrom, self.tss, self.strand, bin_bp=BIN_BP, is_oriented=is_oriented
        )


@pytest.mark.parametrize("is_oriented", [False, True])
def test_sound_regions_agree(is_oriented: bool) -> None:
    pairs = Pairs()
    agreement = pairs.measure(pairs.signal(is_oriented=is_oriented), is_oriented=is_oriented)
    # TSSs are up to half a bin off whole bins, and where it is half a bin either neighbour agrees.
    assert agreement.same_strand.num_at_lag == (0, 0, 0, 0, 50, 0, 0, 0, 0)
    assert agreement.opposite_strands.num_at_lag == (0, 0, 0, 0, 50, 0, 0, 0, 0)
    assert 0.1 < (agreement.same_strand.median_abs_lag_bins or 0) < 0.4
    assert (agreement.share, agreement.holds) == (1, True)
    assert list(agreement.warnings()) == []
    # 3 of 17 lags agree.
    assert agreement.chance == pytest.approx(3 / 17, abs=0.1)


def test_lag_is_where_the_right_region_was_cut() -> None:
    """Right genes of one strand 3 bins further right, of opposite strands 4 bins further left."""
    pairs = Pairs()
    is_right = np.arange(200) % 2 == 1
    is_same = np.repeat(pairs.strand[::2] == pairs.strand[1::2], 2)
    moved_bp = np.where(is_right, np.where(is_same, 30, -40), 0)
    # Left and right are 5 to 10 bins apart, whole bins: the lag is known to the bin.
    pairs.tss[1::2] = pairs.tss[::2] + BIN_BP * (5 + np.arange(100) % 6)
    agreement = pairs.measure(pairs.signal(moved_bp))
    assert agreement.same_strand == PairLags(50, 0, 3.0, (0, 0, 0, 0, 0, 0, 50, 0, 0))
    assert agreement.opposite_strands == PairLags(50, 0, 4.0, (0, 0, 50, 0, 0, 0, 0, 0, 0))
    assert agreement.holds is False


@pytest.mark.parametrize(("num_moved", "holds"), [(10, True), (11, False)])
def test_nine_of_ten_pairs_must_agree(num_moved: int, holds: bool) -> None:
    pairs = Pairs()
    moved_bp = np.where(np.arange(200) < 2 * num_moved, 50 * (np.arange(200) % 2), 0)
    agreement = pairs.measure(pairs.signal(moved_bp))
    assert (agreement.share, agreement.holds) == (1 - num_moved / 100, holds)
    assert len(list(agreement.warnings())) == (not holds)


def test_a_lag_of_one_bin_agrees_and_more_does_not() -> None:
    pairs = Pairs(num_pairs=30)
    pairs.tss[1::2] = pairs.tss[::2] + 10 * BIN_BP
    is_right = np.arange(60) % 2 == 1
    assert pairs.measure(pairs.signal(BIN_BP * is_right)).share == 1
    assert pairs.measure(pairs.signal(2 * BIN_BP * is_right)).share == 0


def test_bins_that_do_not_run_as_told() -> None:
    pairs = Pairs()
    agreement = pairs.measure(pairs.signal(is_oriented=True))
    assert agreement.holds is False
    # Genes of the plus strand are right whichever way they are told to run.
    num_right = np.sum((pairs.strand[::2] == "+") & (pairs.strand[1::2] == "+"))
    assert agreement.same_strand.num_agreeing == pytest.approx(num_right, abs=10)


def test_pairs_that_say_nothing_are_left_out() -> None:
    pairs = Pairs()
    signal = pairs.signal()
    signal[0] = 2.5  # Even all over.
    pairs.tss[3], signal[3] = pairs.tss[2], signal[2]  # One region.
    pairs.tss[5] = pairs.tss[4] + FLANK_BP + 1  # Less than half of it shared.
    pairs.strand[6] = ""
    pairs.chrom[8] = ""
    pairs.chrom[11] = "chr2"
    pairs.tss[12] = -1
    assert pairs.measure(signal).num_pairs == 100 - 7


def test_too_few_lags_or_pairs_give_no_verdict() -> None:
    pairs = Pairs()
    few_bins = measure_agreement(
        pairs.signal()[:, :24], pairs.chrom, pairs.tss, pairs.strand, bin_bp=BIN_BP
    )
    assert (few_bins.num_pairs, few_bins.share, few_bins.holds) == (0, None, None)
    pairs = Pairs(num_pairs=29)
    few_pairs = pairs.measure(pairs.signal(50 * (np.arange(58) % 2)))
    assert (few_pairs.num_pairs, few_pairs.share, few_pairs.holds) == (29, 0, None)
    assert few_pairs.chance is None
    assert list(few_pairs.warnings()) == []
    assert list(few_pairs.lines()) == [
        "29 pairs of overlapping gene regions are too few to judge the coordinates by; that "
        "takes 30"
    ]


DOUBTFUL = OverlapAgreement(
    same_strand=PairLags(400, 160, 1.84, (0, 240, 160, 0, 0)),
    opposite_strands=PairLags(1600, 640, 2.31, (960, 0, 640, 0, 0)),
    max_lag_bins=5,
    chance=0.1,
)


def test_words() -> None:
    assert list(DOUBTFUL.lines()) == [
        "40.0 % of 2,000 pairs of overlapping gene regions agree on where they overlap (by chance "
        "10.0 %)",
        "same strand: 400 pairs, 40.0 % agree, median lag 1.8 bins; opposite strands: 1,600 pairs, "
        "40.0 % agree, median lag 2.3 bins",
    ]
    (warning,) = DOUBTFUL.warnings()
    assert warning.startswith("40.0 % of 2,000 pairs of overlapping gene regions agree on where")


def test_metadata_say_that_it_was_measured() -> None:
    metadata = json.loads(json.dumps(DOUBTFUL.as_metadata()))
    assert "of all lags of up to 5 bins, is highest within 1 bin" in metadata.pop("measured")
    assert metadata == {
        "holds": False,
        "num_pairs": 2000,
        "share_agreeing": 0.4,
        "share_by_chance": 0.1,
        "same_strand": {
            "num_pairs": 400,
            "share_agreeing": 0.4,
            "median_abs_lag_bins": 1.84,
        },
        "opposite_strands": {
            "num_pairs": 1600,
            "share_agreeing": 0.4,
            "median_abs_lag_bins": 2.31,
        },
    }


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "num_pairs", "holds"),
    [
        ("E116_peak_signal", 2123, True),
        ("E123_peak_signal", 2152, True),
        ("E003_read_counts", 18, None),
    ],
)
def test_regions_that_were_cut_at_the_gene_tables_tsss(
    real_data: Path, name: str, num_pairs: int, holds: bool | None
) -> None:
    arrays = np.load(real_data / "h3k27ac" / f"{name}.npz")
    signal = arrays["counts" if "counts" in arrays else "signal"].transpose(0, 2, 1)
    agreement = measure_agreement(
        signal, arrays["chrom"], arrays["tss"], arrays["strand"], bin_bp=100
    )
    assert (agreement.num_pairs, agreement.share, agreement.holds) == (num_pairs, 1, holds)
    assert agreement.chance is None or 0.05 < agreement.chance < 0.1


@pytest.mark.real_data
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "num_pairs", "num_agreeing"), [("E012", 1952, 776), ("E003", 30, 20)]
)
def test_published_regions_that_were_not(
    real_data: Path, name: str, num_pairs: int, num_agreeing: int
) -> None:
    table = read_gene_table(real_data / "remc" / "genes.tsv")
    splits = read_published(
        real_data / "remc" / "data.tar.gz", name, table.gene_id.tolist()
    ).values()
    signal = np.concatenate([split.signal for split in splits])
    rows = table.rows_of([gene_id for split in splits for gene_id in split.gene_id.tolist()])
    is_oriented = name == "E012"
    if is_oriented:  # Published against the direction of transcription.
        signal = signal[:, ::-1]
    agreement = measure_agreement(
        signal,
        table.chrom[rows],
        table.tss[rows],
        table.strand[rows],
        bin_bp=100,
        is_oriented=is_oriented,
    )
    num_found = agreement.same_strand.num_agreeing + agreement.opposite_strands.num_agreeing
    assert (agreement.num_pairs, num_found) == (num_pairs, num_agreeing)
    assert agreement.holds is False
