import numpy as np
import pytest

from tfds_remc.remc.split_balance import SplitBalance, measure_split_balance

SPLITS = ("train", "valid", "test")


def measure(*high_and_low: tuple[int, int], gene_id: list[str] | None = None) -> SplitBalance:
    """Measures splits of so many high and low genes, whose ids are in no order."""
    label = np.concatenate([[1] * high + [0] * low for high, low in high_and_low]).astype(int)
    split = np.repeat(SPLITS[: len(high_and_low)], [sum(each) for each in high_and_low])
    shuffled = np.random.default_rng(0).permutation(len(label))
    gene_ids = np.array(gene_id or [f"G{number:05d}" for number in shuffled])
    return measure_split_balance(label, split, gene_ids)


def test_chi_squared_by_hand() -> None:
    """Each cell is 10 off the 50 that is expected: 4 x 100 / 50 = 8, with one degree of freedom.

    Yates' correction makes it 4 x 9.5^2 / 50 = 7.22, whose p is 0.0072.
    """
    balance = measure((60, 40), (40, 60))
    assert balance.share_high == {"train": 0.6, "valid": 0.4}
    assert balance.p_value == pytest.approx(0.00721, abs=1e-5)
    assert not balance.differs


@pytest.mark.parametrize(
    ("counts", "differs"),
    [
        ([(4064, 2453), (3439, 3023), (2113, 3329)], True),
        ([(27, 24), (20, 30), (31, 25)], False),
        # By 4.9 points, and by 5.1.
        ([(54900, 45100), (50000, 50000)], False),
        ([(55100, 44900), (50000, 50000)], True),
    ],
)
def test_splits_differ_if_it_is_much_and_no_chance(
    counts: list[tuple[int, int]], differs: bool
) -> None:
    balance = measure(*counts)
    assert balance.differs is differs
    assert len(list(balance.warnings())) == differs


def test_splits_that_are_sorted_by_gene_id() -> None:
    ids = [f"ENSG{number:011d}" for number in range(90)]
    counts = [(15, 15)] * 3
    assert measure(*counts, gene_id=ids).is_sorted
    assert measure(*counts, gene_id=ids[::-1]).is_sorted
    swapped = [*ids[:29], ids[30], ids[29], *ids[31:]]
    assert not measure(*counts, gene_id=swapped).is_sorted
    # One id in two splits.
    assert not measure(*counts, gene_id=[*ids[:30], ids[29], *ids[31:]]).is_sorted
    assert not measure(*[(15, 14)] * 3, gene_id=ids[:87]).is_sorted


def test_words() -> None:
    ids = [f"G{number:05d}" for number in range(18421)]
    balance = measure((4064, 2453), (3439, 3023), (2113, 3329), gene_id=ids)
    shares = "high genes: 62.4 % of train, 53.2 % of valid, 38.8 % of test (chi-squared test, p"
    assert list(balance.lines()) == [
        f"{shares} < 1e-9)",
        "the splits are sorted by gene id: each is a stretch of the list of all ids",
    ]
    assert list(balance.warnings()) == [
        f"{shares} < 1e-9): the splits, sorted by gene id, hold genes of different kinds. "
        "keras_chrome.fit --split random, neighbours, disjoint or chromosome parts them anew"
    ]
    assert list(measure((27, 24), (20, 30), (31, 25)).lines()) == [
        "high genes: 52.9 % of train, 40.0 % of valid, 55.4 % of test (chi-squared test, p = 0.24)"
    ]


@pytest.mark.parametrize("counts", [[(3, 0), (4, 0)], [(3, 1), (0, 0)], [(3, 1)]])
def test_labels_that_cannot_be_compared(counts: list[tuple[int, int]]) -> None:
    balance = measure(*counts)
    assert balance.p_value is None
    assert [*balance.lines(), *balance.warnings()] == []


def test_genes_without_a_label_do_not_count() -> None:
    split, ids = np.repeat(["train", "test"], 3), np.array([*"abcdef"])
    balance = measure_split_balance(np.array([1, 0, -1, 1, 1, 0]), split, ids)
    assert balance.num_high == {"train": 1, "test": 2}
    assert balance.num_low == {"train": 1, "test": 1}
