"""How many test genes a model has met in training already, as neighbours on the chromosome."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np


@dataclasses.dataclass(frozen=True)
class Overlap:
    """Test genes that share half or more of their region with a training gene.

    Attributes:
        num_test: Test genes whose place is known.
        num_shared: Those of them that share.
    """

    num_test: int
    num_shared: int

    def __str__(self) -> str:
        share = 100 * self.num_shared / self.num_test if self.num_test else 0
        return (
            f"{self.num_shared:,} of {self.num_test:,} test genes ({share:.1f} %) share half or "
            "more of their region with a training gene"
        )

    def warnings(self) -> Iterator[str]:
        """Yields a line if there are such genes."""
        if self.num_shared:
            yield f"{self}. keras_chrome.fit --split neighbours keeps such genes in one split"


def measure_overlap(
    chrom: np.ndarray, tss: np.ndarray, split: np.ndarray, *, flank_bp: int
) -> Overlap:
    """Counts the test genes that share half or more of their region with a training gene.

    Args:
        chrom: (genes,) str, "" where unknown.
        tss: (genes,) int, centre of each gene's region; below 0 where unknown.
        split: (genes,) str, "train" and "test" among them.
        flank_bp: Half the width of a region.

    Example:
        >>> chrom, tss = np.array(["chr1"] * 3), np.array([9_000, 14_000, 30_000])
        >>> measure_overlap(chrom, tss, np.array(["train", "test", "test"]), flank_bp=5000)
        Overlap(num_test=2, num_shared=1)
    """
    is_placed = (chrom != "") & (tss >= 0)
    num_shared = 0
    for name in np.unique(chrom[is_placed]):
        train, test = (
            np.sort(tss[is_placed & (chrom == name) & (split == which)])
            for which in ("train", "test")
        )
        # Regions share half or more if a centre lies no further than a flank from the other.
        first = np.searchsorted(train, test - flank_bp, side="left")
        last = np.searchsorted(train, test + flank_bp, side="right")
        num_shared += int(np.sum(last > first))
    return Overlap(int(np.sum(is_placed & (split == "test"))), num_shared)
