"""Whether the splits of a dataset are alike: how many of their genes are high, and which genes."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping

import numpy as np
from scipy.stats import chi2_contingency

MAX_DIFFERENCE = 0.05
"""Between the shares of high genes of two splits."""

MAX_P_VALUE = 0.001
"""Splits that differ by chance differ as much in one of a thousand datasets."""

MIN_GENES = 30
"""Splits of fewer genes are in the order of their ids by chance."""


@dataclasses.dataclass(frozen=True)
class SplitBalance:
    """The labels of each split, and how genes came to it.

    Attributes:
        num_high: Genes labelled high by split.
        num_low: Genes labelled low by split.
        p_value: Of the chi-squared test of independence of label and split; None where a split has
            no labelled gene, or one of the labels none.
        is_sorted: Whether splits are stretches of the list of all gene ids.
    """

    num_high: Mapping[str, int]
    num_low: Mapping[str, int]
    p_value: float | None
    is_sorted: bool

    @property
    def share_high(self) -> dict[str, float]:
        """Part of the labelled genes that are high, of each split that has any."""
        return {
            split: num_high / (num_high + self.num_low[split])
            for split, num_high in self.num_high.items()
            if num_high + self.num_low[split]
        }

    @property
    def differs(self) -> bool:
        """Whether the shares differ by more than `MAX_DIFFERENCE`, and by more than chance."""
        shares = self.share_high.values()
        return (
            self.p_value is not None
            and self.p_value < MAX_P_VALUE
            and max(shares) - min(shares) > MAX_DIFFERENCE
        )

    def lines(self) -> Iterator[str]:
        """Yields a line on the labels, and one on the order of the genes if they are in any."""
        yield from filter(None, [self._labels()])
        if self.is_sorted:
            yield "the splits are sorted by gene id: each is a stretch of the list of all ids"

    def warnings(self) -> Iterator[str]:
        """Yields a line if the splits differ."""
        if self.differs:
            which = "the splits, sorted by gene id," if self.is_sorted else "the splits"
            yield (
                f"{self._labels()}: {which} hold genes of different kinds. keras_chrome.fit "
                "--split random, neighbours, disjoint or chromosome parts them anew"
            )

    def _labels(self) -> str:
        if self.p_value is None:
            return ""
        shares = ", ".join(
            f"{100 * share:.1f} % of {split}" for split, share in self.share_high.items()
        )
        p_value = "p < 1e-9" if self.p_value < 1e-9 else f"p = {self.p_value:.2g}"
        return f"high genes: {shares} (chi-squared test, {p_value})"


def measure_split_balance(
    label: np.ndarray, split: np.ndarray, gene_id: np.ndarray
) -> SplitBalance:
    """Counts the labels of each split.

    Args:
        label: (genes,) int, 1 for high, 0 for low, anything else where unknown.
        split: (genes,) str.
        gene_id: (genes,) str.

    Example:
        >>> label, split = np.array([1, 1, 0, 0]), np.array(["train", "train", "test", "test"])
        >>> measure_split_balance(label, split, np.array(["g1", "g2", "g3", "g4"])).share_high
        {'train': 1.0, 'test': 0.0}
    """
    splits = list(dict.fromkeys(split.tolist()))
    num_high, num_low = (
        {name: int(np.sum((split == name) & (label == value))) for name in splits}
        for value in (1, 0)
    )
    table = np.array([[*num_high.values()], [*num_low.values()]])
    is_full = table.size and table.sum(axis=0).all() and table.sum(axis=1).all()
    return SplitBalance(
        num_high=num_high,
        num_low=num_low,
        p_value=float(chi2_contingency(table).pvalue) if is_full and len(splits) > 1 else None,
        is_sorted=_is_sorted(gene_id, split, splits),
    )


def _is_sorted(gene_id: np.ndarray, split: np.ndarray, splits: list[str]) -> bool:
    of_splits = [gene_id[split == name].tolist() for name in splits]
    if len(splits) < 2 or min(map(len, of_splits)) < MIN_GENES:
        return False
    stretches = sorted((min(gene_ids), max(gene_ids)) for gene_ids in of_splits)
    return all(last < first for (_, last), (first, _) in itertools.pairwise(stretches))
