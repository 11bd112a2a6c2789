"""The bins of each gene and mark that matter most."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from keras_chrome.data import Genes


def top_bins(
    importance: np.ndarray,
    genes: Genes,
    marks: Sequence[str],
    start: np.ndarray,
    end: np.ndarray,
    *,
    num_top: int,
) -> pd.DataFrame:
    """Rank the bins of each gene and mark by the size of their importance, whatever its sign.

    Of bins of the same importance the left one comes first. Bins without importance, or beyond
    the chromosome's ends, are not ranked: there may be fewer than `num_top`.

    Args:
        importance: float32 `(genes, bins, marks)`, bins from left to right on the chromosome.
        genes: The genes, with coordinates.
        marks: Names of the last axis.
        start: int64 `(genes, bins)`, 0-based.
        end: int64 `(genes, bins)`, not included.
        num_top: How many bins to keep of a gene and mark.

    Returns:
        A row a bin, in the order of chromosome and start: `chrom`, `start`, `end`, `gene_id`,
        `symbol`, `strand`, `mark`, `rank` from 1, `importance`, and `score`, how many of a thousand
        bins of the table have no more importance, 1000 for the largest. A few bins matter far more
        than all others, so a score in proportion would be 0 for most.
    """
    size = np.where((end > start)[..., np.newaxis], abs(importance), 0)
    order = np.argsort(-size, axis=1, kind="stable")[:, :num_top]
    top_size = np.take_along_axis(size, order, axis=1)
    gene, rank, mark = np.nonzero(top_size)
    bin_ = order[gene, rank, mark]
    top_size = top_size[gene, rank, mark]
    table = pd.DataFrame(
        {
            "chrom": genes.chrom[gene],
            "start": start[gene, bin_],
            "end": end[gene, bin_],
            "gene_id": genes.gene_id[gene],
            "symbol": genes.symbol[gene],
            "strand": genes.strand[gene],
            "mark": np.array(marks)[mark],
            "rank": rank + 1,
            "importance": importance[gene, bin_, mark],
        }
    )
    share = pd.Series(top_size).rank(method="max", pct=True)
    table["score"] = (1000 * share).round().astype(np.int64)
    return table.sort_values(["chrom", "start", "end", "gene_id", "mark"], ignore_index=True)
