import numpy as np
import pytest

from keras_chrome.data.splits import assign_splits
from keras_chrome.errors import InputError

NUM_GENES = 300
RNG = np.random.default_rng(0)
CHROM = RNG.choice([f"chr{i}" for i in range(1, 11)], NUM_GENES)
GENE_ID = np.array([f"ENSG{i:011}" for i in range(NUM_GENES)])


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
