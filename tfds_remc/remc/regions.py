"""Gene regions: their bins, and which of them reach over an end of their chromosome."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Literal, NamedTuple, get_args

import numpy as np

from .annotations import GeneTableError
from .chromosomes import ChromosomeSize
from .errors import InputError, require_known, some
from .gene_table import GeneTable

EndPolicy = Literal["keep", "drop"]
"""What becomes of a region that reaches over an end of its chromosome."""


class ChromosomeEnds(NamedTuple):
    """Which gene regions reach over an end of their chromosome.

    Attributes:
        is_kept: (genes,) bool, the genes that stay.
        is_beyond: (kept genes, bins) bool, in genome orientation: bins that lie beyond an end,
            even if only in part, since what is counted in them is not comparable to other bins.
        num_over: Genes whose region reaches over an end.
        num_dropped: Those of them that do not stay.
        num_genes_without_size: Genes by chromosome whose size is not given; for them only the
            start of the chromosome was looked at.
    """

    is_kept: np.ndarray
    is_beyond: np.ndarray
    num_over: int
    num_dropped: int
    num_genes_without_size: dict[str, int]


def count_bins(*, flank_bp: int, bin_bp: int) -> int:
    """Returns the number of bins of a gene region of 2 x `flank_bp`.

    It is odd if `flank_bp` is no multiple of `bin_bp`: then the TSS lies in the middle of a bin.

    Raises:
        InputError: If either is not positive, or the region is no whole number of bins.
    """
    if bin_bp < 1 or flank_bp < 1 or 2 * flank_bp % bin_bp:
        raise InputError(
            "Expected flank_bp and bin_bp to be positive, and 2 x flank_bp a multiple of bin_bp. "
            f"Received: flank_bp={flank_bp}, bin_bp={bin_bp}."
        )
    return 2 * flank_bp // bin_bp


def bin_edges(tss: np.ndarray, *, num_bins: int, bin_bp: int, flank_bp: int) -> np.ndarray:
    """Returns the edges of each gene region's bins, in genome orientation.

    Args:
        tss: (genes,) int64, 0-based centre of each region.
        num_bins: Bins a region; see `count_bins`.
        bin_bp: Width of a bin.
        flank_bp: Distance from the region's start to its centre.

    Returns:
        (genes, num_bins + 1) int64: bin `i` is the 0-based half-open interval
        `[edges[:, i], edges[:, i + 1])`. Negative where a region reaches over the start of its
        chromosome.
    """
    return np.asarray(tss, dtype=np.int64)[:, None] - flank_bp + bin_bp * np.arange(num_bins + 1)


def check_chromosome_ends(
    table: GeneTable,
    sizes: Mapping[str, ChromosomeSize],
    *,
    flank_bp: int,
    bin_bp: int,
    edges: EndPolicy = "keep",
) -> ChromosomeEnds:
    """Finds the bins that lie beyond an end of their chromosome.

    Args:
        table: Genes.
        sizes: Length of each chromosome, named as in `table`. It may lack some, or be empty where
            nothing is known.
        flank_bp: Half the width of a gene region.
        bin_bp: Width of a bin.
        edges: "keep" the regions that reach over an end, or "drop" them.

    Raises:
        GeneTableError: If no chromosome of the table has a size although some are given, or if a
            TSS itself lies beyond the end: the genes are of another genome.
        InputError: If `edges` is unknown, or for the reasons of `count_bins`.
    """
    require_known("edges", edges, get_args(EndPolicy))
    num_bins = count_bins(flank_bp=flank_bp, bin_bp=bin_bp)
    chroms = table.chrom.tolist()
    without_size = Counter(chrom for chrom in chroms if chrom not in sizes)
    if sizes and len(without_size) == len(set(chroms)):
        raise GeneTableError(
            f"Expected genes on the chromosomes {some(sizes, 10)}. Received: genes on "
            f"{some(without_size, 10)}. Give genes of the same genome, with the same names."
        )
    unknown = ChromosomeSize(np.iinfo(np.int64).max, "")
    size = np.array([sizes.get(chrom, unknown).num_bp for chrom in chroms], dtype=np.int64)
    outside = np.flatnonzero(table.tss > size)
    if len(outside):
        gene = outside[0]
        raise GeneTableError(
            f"Expected every TSS on its chromosome; {table.chrom[gene]} has {size[gene]} bp in "
            f"{sizes[chroms[gene]].source}. Received: tss={table.tss[gene]} of "
            f"{table.gene_id[gene]}, and of {len(outside) - 1} more genes. Give genes of the same "
            "genome."
        )
    region_edges = bin_edges(table.tss, num_bins=num_bins, bin_bp=bin_bp, flank_bp=flank_bp)
    is_beyond = (region_edges[:, :-1] < 0) | (region_edges[:, 1:] > size[:, None])
    is_over = is_beyond.any(axis=1)
    is_kept = np.logical_or(edges == "keep", ~is_over)
    return ChromosomeEnds(
        is_kept=is_kept,
        is_beyond=is_beyond[is_kept],
        num_over=int(is_over.sum()),
        num_dropped=int((~is_kept).sum()),
        num_genes_without_size=dict(without_size),
    )
