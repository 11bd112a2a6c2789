"""How many test genes a model has met in training already, as neighbours on the chromosome."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

NEAR_BP = 1000
"""Genes whose TSSs are no further apart share a promoter."""


@dataclasses.dataclass(frozen=True)
class Overlap:
    """Test genes that share half or more of their region with a training gene.

    Attributes:
        num_test: Test genes whose place is known.
        num_shared: Those of them that share.
        num_near: Those of them whose TSS is within `NEAR_BP` of a training gene's.
    """

    num_test: int
    num_shared: int
    num_near: int

    def __str__(self) -> str:
        shared, near = (
            100 * number / self.num_test if self.num_test else 0
            for number in (self.num_shared, self.num_near)
        )
        return (
            f"{self.num_shared:,} of {self.num_test:,} test genes ({shared:.1f} %) share half or "
            f"more of their region with a training gene; {self.num_near:,} ({near:.1f} %) have "
            f"their TSS within {NEAR_BP:,} bp of a training gene's"
        )

    def warnings(self) -> Iterator[str]:
        """Yields a line if there are such genes."""
        if self.num_shared:
            yield f"{self}. keras_chrome.fit --split neighbours keeps such genes in one split"


def measure_overlap(
    chrom: np.ndarray, tss: np.ndarray, split: np.ndarray, *, flank_bp: int
) -> Overlap:
    """Counts the test genes that a training gene lies close to.

    Args:
        chrom: (genes,) str, "" where unknown.
        tss: (genes,) int, centre of each gene's region; below 0 where unknown.
        split: (genes,) str, "train" and "test" among them.
        flank_bp: Half the width of a region.

    Example:
        >>> chrom, tss = np.array(["chr1"] * 3), np.array([9_000, 14_000, 30_000])
        >>> measure_overlap(chrom, tss, np.array(["train", "test", "test"]), flank_bp=5000)
        Overlap(num_test=2, num_shared=1, num_near=0)
    """
    is_placed = (chrom != "") & (tss >= 0)
    num_shared = num_near = 0
    for name in np.unique(chrom[is_placed]):
        train, test = (
            np.sort(tss[is_placed & (chrom == name) & (split == which)])
            for which in ("train", "test")
        )
        # Regions share half or more if a centre lies no further than a flank from the other.
        num_shared += _num_within(flank_bp, test, train)
        num_near += _num_within(NEAR_BP, test, train)
    return Overlap(int(np.sum(is_placed & (split == "test"))), num_shared, num_near)


def _num_within(distance_bp: int, test: np.ndarray, train: np.ndarray) -> int:
    """How many of `test` have one of `train`, which is sorted, no further away."""
    first = np.searchsorted(train, test - distance_bp, side="left")
    last = np.searchsorted(train, test + distance_bp, side="right")
    return int(np.sum(last > first))
