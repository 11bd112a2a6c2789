"""Where the bins of genes lie on the genome, once every base has one gene."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from keras_chrome.data import Genes
from keras_chrome.errors import InputError

WITHOUT_COORDINATES = "without coordinates"
STRAND_UNKNOWN = "of unknown strand, with bins along transcription"
WITHOUT_SIZE = "on chromosomes of unknown size"


@dataclass(frozen=True)
class GenomeLayout:
    """Pieces of bins that cover each base of the gene regions once.

    A base that several gene regions cover belongs to the gene whose TSS is nearest: regions are
    cut half-way between neighbouring TSSs, and the base right in the middle, if there is one, goes
    to the left. Genes with the same TSS share their bases, and their mean is what is written.
    Coordinates are 0-based and half-open, in the order of chromosome names and starts.

    Attributes:
        chrom: Text `(pieces,)`, chromosomes.
        start: int64 `(pieces,)`.
        end: int64 `(pieces,)`, greater than `start`.
        site: int64 `(pieces,)`, the TSS that a piece belongs to: an index of sites.
        bin: int64 `(pieces,)`, the bin that it is of, from left to right on the chromosome.
        site_of_gene: int64 `(genes,)`, the TSS of each gene.
        num_cut: How many pieces are shorter than a bin.
        num_hidden: How many bins of sites have no piece: nearer genes cover them, or they lie
            beyond the chromosome's ends.
    """

    chrom: np.ndarray
    start: np.ndarray
    end: np.ndarray
    site: np.ndarray
    bin: np.ndarray
    site_of_gene: np.ndarray
    num_cut: int
    num_hidden: int

    def __len__(self) -> int:
        return len(self.start)

    def values(self, values: np.ndarray) -> np.ndarray:
        """The value of each piece.

        Args:
            values: `(genes, bins, marks)`, bins from left to right on the chromosome.

        Returns:
            float32 `(pieces, marks)`.
        """
        order = np.argsort(self.site_of_gene, kind="stable")
        sites, first = np.unique(self.site_of_gene[order], return_index=True)
        total = np.add.reduceat(values[order], first, axis=0, dtype=np.float64)
        num_genes = np.bincount(self.site_of_gene, minlength=len(sites))
        mean = (total / num_genes[:, np.newaxis, np.newaxis]).astype(np.float32)
        of_pieces: np.ndarray = mean[self.site, self.bin]
        return of_pieces


def placeable(genes: Genes, chrom_sizes: Mapping[str, int]) -> tuple[np.ndarray, dict[str, int]]:
    """Which genes have a place on the genome.

    Args:
        genes: The genes.
        chrom_sizes: Chromosome sizes in bp by name.

    Returns:
        bool `(genes,)`, and how many of the others there are by the reason why they have none,
        the first that holds: no coordinates; bins that run along transcription in an unknown
        direction; a chromosome whose size is not given.

    Raises:
        InputError: If no gene has coordinates or none has a place, or a TSS lies beyond the end of
            its chromosome.
    """
    reasons = {
        WITHOUT_COORDINATES: (genes.tss < 0) | (genes.chrom == ""),
        STRAND_UNKNOWN: genes.oriented & ~np.isin(genes.strand, ["+", "-"]),
        WITHOUT_SIZE: ~np.isin(genes.chrom, list(chrom_sizes)),
    }
    if reasons[WITHOUT_COORDINATES].all():
        raise InputError(
            f"Expected genes with chromosome and TSS. Received: {len(genes)} regions without "
            "coordinates asked for tracks; build the dataset with a gene table that has them"
        )
    is_left = np.full(len(genes), True)
    left_out = {}
    for reason, holds in reasons.items():
        left_out[reason] = int((is_left & holds).sum())
        is_left &= ~holds
    if not is_left.any():
        raise InputError(
            "Expected genes that have a place on the genome. Received: "
            + ", ".join(f"{n} {reason}" for reason, n in left_out.items() if n)
            + f"; sizes are given of {', '.join(sorted(chrom_sizes)[:3])} ..."
        )
    for row in np.flatnonzero(is_left):
        chrom, tss = str(genes.chrom[row]), int(genes.tss[row])
        if tss > chrom_sizes[chrom]:
            raise InputError(
                f"Expected the chromosome sizes of the genes' genome. Received: {chrom}="
                f"{chrom_sizes[chrom]}, but {genes.gene_id[row]} has its TSS at {tss}; give the "
                "sizes of that genome with --chrom-sizes"
            )
    return is_left, left_out


def bin_bounds(
    chrom: np.ndarray,
    tss: np.ndarray,
    chrom_sizes: Mapping[str, int],
    *,
    num_bins: int,
    bin_bp: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Where the bins of genes start and end, clipped to their chromosomes.

    Args:
        chrom: Text `(genes,)`.
        tss: int64 `(genes,)`, 0-based centres of the gene regions.
        chrom_sizes: Chromosome sizes in bp by name.
        num_bins: Number of bins of a gene region.
        bin_bp: Width of a bin in bp.

    Returns:
        int64 `(genes, bins)` each, 0-based and half-open; both the same where a bin lies beyond
        the chromosome's ends.
    """
    edges = _edges(tss, num_bins, bin_bp)
    edges = edges.clip(0, _sizes(chrom, chrom_sizes)[:, np.newaxis])
    return edges[:, :-1], edges[:, 1:]


def lay_out(
    chrom: np.ndarray,
    tss: np.ndarray,
    chrom_sizes: Mapping[str, int],
    *,
    num_bins: int,
    bin_bp: int,
) -> GenomeLayout:
    """Give each base of the gene regions to the nearest TSS.

    Args:
        chrom: Text `(genes,)`.
        tss: int64 `(genes,)`, 0-based centres of the gene regions.
        chrom_sizes: Chromosome sizes in bp by name, of every chromosome in `chrom`.
        num_bins: Number of bins of a gene region, half of them on either side of the TSS.
        bin_bp: Width of a bin in bp.

    Example:
        >>> layout = lay_out(np.array(["chr1"]), np.array([250]), {"chr1": 1000}, num_bins=2,
        ...                  bin_bp=100)
        >>> layout.start
        array([150, 250])
    """
    chrom_of_gene = np.unique(chrom, return_inverse=True)[1]
    order = np.lexsort((tss, chrom_of_gene))
    is_next = np.diff(chrom_of_gene[order]) != 0
    is_first = np.append(True, is_next | (np.diff(tss[order]) != 0))
    site_of_gene = np.empty(len(tss), np.int64)
    site_of_gene[order] = is_first.cumsum() - 1
    first = order[is_first]
    chrom, tss = chrom[first], tss[first]

    # What is nearer to a site's TSS than to any other: [low, high).
    low = np.zeros(len(tss), np.int64)
    high = _sizes(chrom, chrom_sizes)
    has_neighbour = chrom[1:] == chrom[:-1]
    half_way = (tss[:-1] + tss[1:] + 1) // 2
    low[1:][has_neighbour] = half_way[has_neighbour]
    high[:-1][has_neighbour] = half_way[has_neighbour]

    edges = _edges(tss, num_bins, bin_bp).clip(low[:, np.newaxis], high[:, np.newaxis])
    length = np.diff(edges, axis=1)
    site, bin_ = np.nonzero(length)
    return GenomeLayout(
        chrom=chrom[site],
        start=edges[site, bin_],
        end=edges[site, bin_ + 1],
        site=site,
        bin=bin_,
        site_of_gene=site_of_gene,
        num_cut=int(((length > 0) & (length < bin_bp)).sum()),
        num_hidden=int((length == 0).sum()),
    )


def _edges(tss: np.ndarray, num_bins: int, bin_bp: int) -> np.ndarray:
    """Bounds of the bins of gene regions, int64 `(genes, bins + 1)`."""
    start = tss.astype(np.int64) - num_bins * bin_bp // 2
    return start[:, np.newaxis] + bin_bp * np.arange(num_bins + 1)


def _sizes(chrom: np.ndarray, chrom_sizes: Mapping[str, int]) -> np.ndarray:
    return np.array([chrom_sizes[name] for name in chrom.tolist()], np.int64)
