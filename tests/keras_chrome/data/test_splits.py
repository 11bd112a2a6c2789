from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow_datasets as tfds

from keras_chrome.data.splits import assign_splits as _assign_splits
from keras_chrome.data.splits import groups_of_neighbours
from keras_chrome.errors import InputError
from keras_chrome.fit.config import FitConfig
from keras_chrome.fit.job import load
from keras_chrome.vocabulary import SPLIT_SCHEMES
from tfds_remc import RemcBuilder

NUM_GENES = 300
RNG = np.random.default_rng(0)
CHROM = RNG.choice([f"chr{i}" for i in range(1, 11)], NUM_GENES)
GENE_ID = np.array([f"ENSG{i:011}" for i in range(NUM_GENES)])
# Dense: every fourth gene has a neighbour within 5,000 bp.
TSS = RNG.integers(0, 1_000_000, NUM_GENES)
FLANK_BP = 5000


def assign_splits(scheme: str, *, gene_id: np.ndarray, **arguments: Any) -> np.ndarray:
    places = {"tss": np.resize(TSS, len(gene_id)), "flank_bp": FLANK_BP}
    return _assign_splits(scheme, gene_id=gene_id, **{**places, **arguments})


def num_half_seen(split: np.ndarray, chrom: np.ndarray = CHROM, tss: np.ndarray = TSS) -> int:
    """Test genes that share half of their region, or more, with a training gene."""
    return num_near_training(split, chrom, tss, most_apart_bp=FLANK_BP)


def num_seen(split: np.ndarray, chrom: np.ndarray = CHROM, tss: np.ndarray = TSS) -> int:
    """Test genes whose region overlaps that of a training gene."""
    return num_near_training(split, chrom, tss, most_apart_bp=2 * FLANK_BP - 1)


def num_near_training(
    split: np.ndarray, chrom: np.ndarray, tss: np.ndarray, *, most_apart_bp: int
) -> int:
    is_train = split == "train"
    return sum(
        bool(((chrom[is_train] == chrom[i]) & (abs(tss[is_train] - tss[i]) <= most_apart_bp)).any())
        for i in np.flatnonzero(split == "test")
    )


def test_random_thirds_depend_on_the_seed_alone() -> None:
    first, again, other = (
        assign_splits("random", gene_id=GENE_ID, chrom=CHROM, seed=seed) for seed in (1, 1, 2)
    )
    assert {s: int((first == s).sum()) for s in ("train", "valid", "test")} == {
        "train": 100,
        "valid": 100,
        "test": 100,
    }
    assert (first == again).all()
    assert (first != other).any()


def test_a_gene_id_that_stands_twice_is_in_one_split() -> None:
    gene_id = np.concatenate([GENE_ID, GENE_ID])
    split = assign_splits("random", gene_id=gene_id, chrom=np.tile(CHROM, 2), seed=0)
    assert (split[:NUM_GENES] == split[NUM_GENES:]).all()


def test_a_gene_on_both_sex_chromosomes_is_in_one_split() -> None:
    gene_id, chrom = np.append(GENE_ID, GENE_ID[0]), np.append(CHROM, "chrY")
    for fold in range(5):
        split = assign_splits("chromosome", gene_id=gene_id, chrom=chrom, fold=fold)
        assert split[0] == split[-1]


def test_chromosomes_stay_whole_and_every_gene_is_tested_once() -> None:
    tested = []
    for fold in range(5):
        split = assign_splits("chromosome", gene_id=GENE_ID, chrom=CHROM, fold=fold)
        for chrom in np.unique(CHROM):
            assert len(np.unique(split[chrom == CHROM])) == 1
        assert set(split) == {"train", "valid", "test"}
        tested.extend(np.flatnonzero(split == "test"))
    assert sorted(tested) == list(range(NUM_GENES))


def test_the_next_fold_validates() -> None:
    splits = [
        assign_splits("chromosome", gene_id=GENE_ID, chrom=CHROM, fold=fold) for fold in (0, 1)
    ]
    assert ((splits[0] == "valid") == (splits[1] == "test")).all()


def test_fewer_chromosomes_than_folds_is_an_error() -> None:
    with pytest.raises(InputError, match=r"num_folds=11, 10 chromosomes with 300 genes"):
        assign_splits("chromosome", gene_id=GENE_ID, chrom=CHROM, num_folds=11)


def test_fewer_genes_than_splits_is_an_error() -> None:
    with pytest.raises(InputError, match=r"at least 3 genes.*Received: 2"):
        assign_splits("random", gene_id=GENE_ID[:2], chrom=CHROM[:2])


def test_genes_without_chromosome_are_an_error() -> None:
    with pytest.raises(InputError, match="3 of 300 genes without one"):
        assign_splits("chromosome", gene_id=GENE_ID, chrom=np.append(CHROM[3:], [""] * 3))


def test_neighbours_keeps_genes_that_share_half_their_region_together() -> None:
    neighbours, random = (
        assign_splits(scheme, gene_id=GENE_ID, chrom=CHROM, seed=1)
        for scheme in ("neighbours", "random")
    )
    assert num_half_seen(random) == 16
    assert num_half_seen(neighbours) == 0
    sizes = [int((neighbours == split).sum()) for split in ("train", "valid", "test")]
    assert sum(sizes) == NUM_GENES
    # As near to thirds as whole groups allow.
    assert all(abs(size - 100) <= 5 for size in sizes)


def test_disjoint_keeps_genes_whose_regions_overlap_together() -> None:
    neighbours, disjoint = (
        assign_splits(scheme, gene_id=GENE_ID, chrom=CHROM, seed=1)
        for scheme in ("neighbours", "disjoint")
    )
    assert num_seen(neighbours) == 4
    assert num_seen(disjoint) == 0
    sizes = [int((disjoint == split).sum()) for split in ("train", "valid", "test")]
    assert sum(sizes) == NUM_GENES
    assert all(abs(size - 100) <= 5 for size in sizes)


@pytest.mark.parametrize(
    ("scheme", "most_apart_bp"), [("neighbours", FLANK_BP), ("disjoint", 2 * FLANK_BP - 1)]
)
def test_regions_that_share_one_bp_less_may_be_parted(scheme: str, most_apart_bp: int) -> None:
    num_pairs, ids = 30, np.array([f"ENSG{i:011}" for i in range(60)])
    # Pairs, each far from the next.
    first = 100_000 * np.arange(1, num_pairs + 1)
    is_parted = {}
    for apart_bp in (most_apart_bp, most_apart_bp + 1):
        tss = np.ravel([first, first + apart_bp], order="F")
        split = assign_splits(scheme, gene_id=ids, chrom=np.full(60, "chr1"), tss=tss)
        is_parted[apart_bp] = bool((split[::2] != split[1::2]).any())
    assert is_parted == {most_apart_bp: False, most_apart_bp + 1: True}


@pytest.mark.parametrize("scheme", ["neighbours", "disjoint"])
def test_groups_of_neighbours_depend_on_the_seed_alone(scheme: str) -> None:
    first, again, other = (
        assign_splits(scheme, gene_id=GENE_ID, chrom=CHROM, seed=seed) for seed in (1, 1, 2)
    )
    assert (first == again).all()
    assert (first != other).any()


def test_neighbours_are_linked_by_others_in_between_on_one_chromosome() -> None:
    # Half of 10,000 bp is shared up to a distance of 5,000 bp.
    places = {
        "a": ("chr1", 10_000),
        "b": ("chr1", 20_000),
        "between": ("chr1", 15_000),
        "further": ("chr1", 25_001),
        "elsewhere": ("chr2", 15_000),
    }
    chrom, tss = (np.array(column) for column in zip(*places.values(), strict=True))
    group = groups_of_neighbours(
        gene_id=np.array(list(places)), chrom=chrom, tss=tss, most_apart_bp=FLANK_BP
    )
    by_name = dict(zip(places, group.tolist(), strict=True))
    assert by_name["a"] == by_name["b"] == by_name["between"]
    assert len(set(group.tolist())) == 3


def test_places_of_one_gene_link_their_neighbours() -> None:
    group = groups_of_neighbours(
        gene_id=np.array(["on both", "of X", "on both", "of Y"]),
        chrom=np.array(["chrX", "chrX", "chrY", "chrY"]),
        tss=np.array([100, 200, 100, 300]),
        most_apart_bp=FLANK_BP,
    )
    assert len(set(group.tolist())) == 1


def test_too_few_groups_of_neighbours_are_an_error() -> None:
    with pytest.raises(InputError, match=r"3 groups of neighbouring genes.*Received: 1 of 300"):
        assign_splits("neighbours", gene_id=GENE_ID, chrom=np.full(NUM_GENES, "chr1"), tss=TSS // 9)


@pytest.mark.parametrize("scheme", ["neighbours", "disjoint"])
def test_neighbours_need_places(scheme: str) -> None:
    with pytest.raises(InputError, match=r"a place for every gene .*Received: 2 of 300 genes with"):
        assign_splits(scheme, gene_id=GENE_ID, chrom=CHROM, tss=np.append(TSS[2:], [-1, -1]))
    with pytest.raises(InputError, match=rf"by {scheme}\. Received: 3 of 300 genes without"):
        assign_splits(scheme, gene_id=GENE_ID, chrom=np.append(CHROM[3:], [""] * 3))


@pytest.mark.real_data
@pytest.mark.slow
def test_test_genes_of_e012_that_share_their_region_with_training(
    real_data: Path, tmp_path: Path
) -> None:
    RemcBuilder(config="E012", data_dir=tmp_path).download_and_prepare(
        download_config=tfds.download.DownloadConfig(manual_dir=real_data / "remc")
    )
    counts = {}
    for scheme in SPLIT_SCHEMES:
        config = FitConfig("E012", tmp_path / "run", data_dir=tmp_path, split=scheme)
        genes = load(config)[1].values()
        split, chrom, tss = (
            np.concatenate(arrays)
            for arrays in (
                [np.full(len(of_split), of_split.split) for of_split in genes],
                [of_split.chrom for of_split in genes],
                [of_split.tss for of_split in genes],
            )
        )
        counts[scheme] = num_half_seen(split, chrom, tss), num_seen(split, chrom, tss)
        if scheme in ("neighbours", "disjoint"):
            # Thirds: the largest group has 12 genes.
            assert sorted(map(len, genes)) == [6140, 6140, 6141]
    assert counts == {
        "dataset": (338, 481),
        "random": (444, 659),
        "neighbours": (0, 209),
        "disjoint": (0, 0),
        "chromosome": (0, 0),
    }
