"""Which gene each base belongs to, against a count by base."""

import dataclasses

import numpy as np
import pytest

from keras_chrome.data import Genes
from keras_chrome.errors import InputError
from keras_chrome.tracks.layout import (
    STRAND_UNKNOWN,
    WITHOUT_COORDINATES,
    WITHOUT_SIZE,
    bin_bounds,
    lay_out,
    placeable,
)

BINS = {"num_bins": 4, "bin_bp": 10}


def by_base(
    chrom: np.ndarray, tss: np.ndarray, values: np.ndarray, sizes: dict[str, int]
) -> dict[tuple[str, int], float]:
    """The value of each base by the rule as it is worded: the nearest TSS, the left one of two."""
    found = {}
    for name, size in sizes.items():
        for base in range(size):
            distances = [
                (abs(base + 0.5 - t), t) if c == name else (np.inf, t)
                for c, t in zip(chrom, tss, strict=True)
            ]
            nearest = min(distances)
            if nearest[0] < 20:
                rows = [i for i, d in enumerate(distances) if d == nearest]
                bin_ = (base - (nearest[1] - 20)) // 10
                found[name, base] = float(np.mean(values[rows, bin_, 0]))
    return found


@pytest.mark.parametrize("seed", range(20))
def test_each_base_has_the_value_of_its_nearest_tss(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = {"chr1": 150, "chr10": 90, "chr2": 60}
    num_genes = int(rng.integers(1, 16))
    chrom = rng.choice(list(sizes), num_genes)
    # Crowded: TSSs meet, fall together, and lie near either end.
    tss = np.array([rng.integers(0, sizes[c] + 1) for c in chrom.tolist()])
    values = rng.normal(size=(num_genes, 4, 1)).astype(np.float32)
    layout = lay_out(chrom, tss, sizes, **BINS)
    written = {
        (str(c), base): float(value)
        for c, start, end, value in zip(
            layout.chrom, layout.start, layout.end, layout.values(values)[:, 0], strict=True
        )
        for base in range(start, end)
    }
    assert sum(layout.end - layout.start) == len(written)
    expected = by_base(chrom, tss, values, sizes)
    assert written.keys() == expected.keys()
    for place, value in expected.items():
        assert written[place] == pytest.approx(value, rel=1e-6)


def test_two_genes_by_hand() -> None:
    # Regions 80-120 and 95-135; half-way between 100 and 115 is base 107, which goes to the left.
    layout = lay_out(np.array(["chr1", "chr1"]), np.array([115, 100]), {"chr1": 1000}, **BINS)
    pieces = [*zip(layout.start.tolist(), layout.end.tolist(), layout.bin.tolist(), strict=True)]
    left = [(80, 90, 0), (90, 100, 1), (100, 108, 2)]
    assert pieces == [*left, (108, 115, 1), (115, 125, 2), (125, 135, 3)]
    assert layout.site_of_gene.tolist() == [1, 0]
    assert (layout.num_cut, layout.num_hidden) == (2, 2)
    values = np.arange(8, dtype=np.float32).reshape(2, 4, 1)
    assert layout.values(values)[:, 0].tolist() == [4, 5, 6, 1, 2, 3]


def test_pieces_are_sorted_as_bigwig_wants_them() -> None:
    chrom = np.array(["chr2", "chr10", "chr1", "chr1"])
    sizes = {"chr1": 1000, "chr10": 1000, "chr2": 1000}
    layout = lay_out(chrom, np.array([500, 500, 600, 300]), sizes, **BINS)
    assert list(dict.fromkeys(layout.chrom.tolist())) == ["chr1", "chr10", "chr2"]
    places = [*zip(layout.chrom.tolist(), layout.start.tolist(), strict=True)]
    assert places == sorted(places)


def test_bin_bounds_stop_at_the_ends_of_the_chromosome() -> None:
    start, end = bin_bounds(np.array(["chr1"] * 2), np.array([15, 95]), {"chr1": 100}, **BINS)
    assert start.tolist() == [[0, 5, 15, 25], [75, 85, 95, 100]]
    assert end.tolist() == [[5, 15, 25, 35], [85, 95, 100, 100]]


def genes(**columns: list) -> Genes:
    num_genes = len(next(iter(columns.values())))
    defaults = {
        "signal": np.zeros((num_genes, 4, 1), np.float32),
        "label": np.zeros(num_genes, np.int8),
        "gene_id": np.array([f"g{i}" for i in range(num_genes)]),
        "symbol": np.full(num_genes, ""),
        "transcript_id": np.full(num_genes, ""),
        "chrom": np.full(num_genes, "chr1"),
        "tss": np.full(num_genes, 50),
        "strand": np.full(num_genes, "+"),
        "rpkm": np.zeros(num_genes, np.float32),
        "oriented": np.full(num_genes, True),
        "epigenome": np.full(num_genes, "E"),
    }
    given = {name: np.array(values) for name, values in columns.items()}
    return Genes(split="test", num_unlabelled=0, **{**defaults, **given})


def test_genes_without_a_place_are_counted_by_reason() -> None:
    some = genes(
        chrom=["chr1", "", "chr1", "chr1", "chrM", "chr1"],
        tss=[50, 50, -1, 50, 50, 50],
        strand=["-", "", "+", "", "+", ""],
        oriented=[True, True, True, True, True, False],
    )
    is_placed, left_out = placeable(some, {"chr1": 100})
    assert is_placed.tolist() == [True, False, False, False, False, True]
    assert left_out == {WITHOUT_COORDINATES: 2, STRAND_UNKNOWN: 1, WITHOUT_SIZE: 1}


def test_no_gene_with_a_place_is_refused() -> None:
    with pytest.raises(InputError, match="2 regions without coordinates asked for tracks"):
        placeable(genes(tss=[-1, -1]), {"chr1": 100})
    with pytest.raises(InputError, match=r"1 of unknown strand.*, 1 on chromosomes of"):
        placeable(genes(chrom=["chr1", "chrM"], strand=["", "+"]), {"chr1": 100})


def test_sizes_of_another_genome_are_refused() -> None:
    some = genes(tss=[100, 101])
    with pytest.raises(InputError, match=r"chr1=100, but g1 has its TSS at 101.*--chrom-sizes"):
        placeable(some, {"chr1": 100})
    inside = dataclasses.replace(some, tss=np.array([0, 100]))
    assert placeable(inside, {"chr1": 100})[0].all()
