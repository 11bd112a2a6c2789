"""Examples of signal that nobody has published gene by gene: own data, and Roadmap from source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..expression import MatchedExpression, label_high
from ..gene_table import GeneTable
from ..own_data import OwnDataError, split_by_gene
from ..published import SPLITS
from ..quality import measure_quality
from .config import RemcConfig
from .examples import Examples, by_split


def own_examples(
    config: RemcConfig,
    *,
    seed: int,
    signal: np.ndarray,
    genes: GeneTable,
    matched: MatchedExpression,
    median_rpkm: float,
    provenance: Mapping[str, Any],
    split: np.ndarray | None = None,
    quality: Mapping[str, Any] | None = None,
    warnings: Sequence[str] = (),
    **columns: np.ndarray,
) -> Examples:
    """Labels genes, and gives each to a split; their bins run along the genome.

    Args:
        config: What to build.
        seed: Of the splits.
        signal: (genes, bins, marks) float32.
        genes: The genes.
        matched: Their expression.
        median_rpkm: What a gene of high expression exceeds.
        provenance: The files.
        split: (genes,) str, the split of each gene; None to take it from the gene's id.
        quality: More arguments of `measure_quality`.
        warnings: A line on each thing that a user should know.
        **columns: (genes, ...) columns of more features.

    Raises:
        OwnDataError: If a split has no gene.
    """
    num_genes = len(genes.gene_id)
    label = label_high(matched.rpkm, median_rpkm)
    measured = measure_quality(
        signal,
        config.marks,
        genes.strand,
        flank_bp=config.flank_bp,
        bin_bp=config.bin_bp,
        chrom=genes.chrom,
        tss=genes.tss,
        label=label,
        expression=matched,
        **(quality or {}),
    )
    remedy = "Give each split genes."
    if split is None:
        split = split_by_gene(genes.gene_id.tolist(), seed)
        remedy = "Give more genes, or another seed of the splits."
    if empty := set(SPLITS).difference(split.tolist()):
        raise OwnDataError(
            f"Expected genes in each of {', '.join(SPLITS)}. Received: none in "
            f"{', '.join(sorted(empty))}, of {num_genes} gene regions. {remedy}"
        )
    return Examples(
        by_split(
            split,
            signal=signal,
            gene_id=genes.gene_id,
            symbol=genes.symbol,
            chrom=genes.chrom,
            tss=genes.tss,
            strand=genes.strand,
            rpkm=matched.rpkm.astype(np.float32),
            label=label,
            label_published=np.full(num_genes, -1),
            oriented=np.full(num_genes, False),
            **columns,
        ),
        {
            "provenance": provenance,
            "median_rpkm": median_rpkm,
            "oriented": False,
            "genes_without_rpkm": {
                s: int(np.isnan(matched.rpkm[split == s]).sum()) for s in SPLITS
            },
        },
        measured,
        tuple(warnings),
    )
