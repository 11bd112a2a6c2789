"""Whether the signal looks as that of its marks should: numbers, warnings and a table.

What goes wrong between reads and records rarely stops a build: genes of another genome build, gene
starts taken for TSSs, swapped strands, a file given twice. It does show in the mean signal around
the TSS.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from .binning import RegionBins
from .chromosomes import GENOMES
from .errors import InputError
from .expression import MatchedExpression
from .mark_quality import MarkFile, MarkQuality, direct, measure_mark
from .overlap import Overlap
from .overlap_agreement import OverlapAgreement, measure_agreement
from .quality_summary import mark_table
from .quality_warnings import (
    BODY_MARK,
    MIN_GENES,
    PROMOTER_MARKS,
    amount_warnings,
    body_warnings,
    empty_warnings,
    expression_warnings,
    is_empty,
    is_named,
    missing_expression_warnings,
    peak_warnings,
    strand_warnings,
    twin_warnings,
)
from .split_balance import SplitBalance

_MAX_GENES_OF_BIN_CORRELATION = 2000


@dataclasses.dataclass(frozen=True)
class Quality:
    """The signal of all marks in numbers.

    Attributes:
        marks: One a mark, in the order of the signal's last axis.
        correlation: Spearman correlation between marks over genes, of the mean signal a gene; None
            where a mark is constant.
        bin_correlation: Pearson correlation between marks over bins, of at most 2,000 genes.
        flank_bp: Distance from the gene region's start to the TSS.
        bin_bp: Width of a bin.
        num_genes: Gene regions.
        num_genes_of: Gene regions by strand, "+", "-" and "" for unknown.
        genes_left_out: What the gene table leaves out, by reason.
        genes_without_expression: Gene regions without expression, by reason.
        num_expressed_without_region: Genes of the expression table that no gene region is of.
        num_high: Genes labelled high; None without labels.
        num_low: Genes labelled low.
        region_share: Part of the genome that the gene regions cover.
        is_directed: Whether the profiles run in the direction of transcription, not along the
            genome because no strand is known.
        agreement: Whether overlapping regions agree on where; None where it is unknown where genes
            are.
        overlap: Test genes that share their region with a training gene; None without splits.
        balance: Labels of the splits; None without splits.
    """

    marks: tuple[MarkQuality, ...]
    correlation: tuple[tuple[float | None, ...], ...]
    bin_correlation: tuple[tuple[float | None, ...], ...]
    flank_bp: int
    bin_bp: int
    num_genes: int
    num_genes_of: Mapping[str, int]
    genes_left_out: Mapping[str, int]
    genes_without_expression: Mapping[str, int]
    num_expressed_without_region: int
    num_high: int | None
    num_low: int | None
    region_share: float | None
    is_directed: bool
    agreement: OverlapAgreement | None = None
    overlap: Overlap | None = None
    balance: SplitBalance | None = None

    def warnings(self) -> Iterator[str]:
        """Yields a line on each thing that looks wrong: what it is, and what it may mean."""
        yield from strand_warnings(self.num_genes_of)
        num_without = sum(self.genes_without_expression.values())
        yield from missing_expression_warnings(num_without, self.num_genes)
        yield from empty_warnings(self.marks)
        filled = [mark for mark in self.marks if not is_empty(mark)]
        yield from amount_warnings(filled, self.region_share)
        yield from twin_warnings(self.marks, self.bin_correlation)
        for part in (self.agreement, self.balance, self.overlap):
            if part:
                yield from part.warnings()
        if self.num_genes < MIN_GENES:
            yield (
                f"{self.num_genes} gene regions are too few to judge the profiles around the TSS "
                f"by; that takes {MIN_GENES}"
            )
            return
        promoter_marks = [mark for mark in filled if is_named(mark, *PROMOTER_MARKS)]
        of_peaks = list(peak_warnings(promoter_marks, self.num_genes_of, self.flank_bp))
        yield from of_peaks
        if not of_peaks:  # What lies downstream of another place than the TSS says nothing.
            yield from body_warnings([mark for mark in filled if is_named(mark, BODY_MARK)])
        yield from expression_warnings(promoter_marks, self.num_high, self.num_low)

    def as_dict(self) -> dict[str, Any]:
        """Returns all of it, the warnings included, as what JSON can hold."""
        content = dataclasses.asdict(self)
        for mark, of_mark in zip(self.marks, content["marks"], strict=True):
            of_mark["share_used"] = mark.share_used
        if self.agreement:
            content["agreement"]["holds"] = self.agreement.holds
        return content | {"warnings": list(self.warnings())}

    def summary(self) -> str:
        """Returns a table with a line a mark and, below it, what became of the genes."""
        return "\n".join([*mark_table(self.marks), *_gene_lines(self)])


def measure_quality(
    signal: np.ndarray,
    marks: Sequence[str],
    strand: np.ndarray,
    *,
    flank_bp: int,
    bin_bp: int,
    is_oriented: bool = False,
    chrom: np.ndarray | None = None,
    tss: np.ndarray | None = None,
    files: Mapping[str, MarkFile] | None = None,
    label: np.ndarray | None = None,
    expression: MatchedExpression | None = None,
    genes_left_out: Mapping[str, int] | None = None,
    region_share: float | None = None,
) -> Quality:
    """Measures what tells sound signal from damaged.

    Args:
        signal: (genes, bins, marks) float32.
        marks: Names of the marks of `signal`.
        strand: (genes,) str, "+", "-", or anything else where unknown.
        flank_bp: Distance from the gene region's start to the TSS.
        bin_bp: Width of a bin.
        is_oriented: Whether the bins already run in the direction of transcription, and not along
            the genome.
        chrom: (genes,) str, "" where unknown. Without it and `tss` it is not judged whether
            overlapping regions agree.
        tss: (genes,) int, centre of each gene's region; below 0 where unknown.
        files: Where each mark's signal came from, by mark, as far as it is known.
        label: (genes,) int, 1 for high, 0 for low, anything else where unknown.
        expression: What the expression table has for the genes.
        genes_left_out: How many genes or lines of the gene table have no region, by reason.
        region_share: Part of the genome that the gene regions cover; see `share_of_genome`.
            Without it the share of reads on gene regions is not judged.

    Raises:
        InputError: If the lengths of the arrays do not fit.

    Example:
        >>> signal = np.random.default_rng(0).poisson(2.0, size=(50, 100, 1)).astype(np.float32)
        >>> strand = np.tile(["+", "-"], 25)
        >>> quality = measure_quality(signal, ["H3K4me3"], strand, flank_bp=5000, bin_bp=100)
        >>> next(quality.warnings())[:40]
        'H3K4me3 (1.0 x): hardly higher at the TS'
    """
    strand = np.where(np.isin(strand, ("+", "-")), strand, "")
    _check_shapes(signal, marks, strand, label, bin_bp=bin_bp, flank_bp=flank_bp)
    is_mirrored = np.logical_and(strand == "-", not is_oriented)
    is_high, is_low = (None, None) if label is None else (label == 1, label == 0)
    step = -(-len(signal) // _MAX_GENES_OF_BIN_CORRELATION)
    gene_means, some_bins, measured = {}, {}, []
    for column, mark in enumerate(marks):
        of_mark = signal[:, :, column]
        gene_means[mark] = of_mark.mean(axis=1, dtype=np.float64)
        directed = direct(of_mark, is_mirrored)
        some_bins[mark] = directed[::step].ravel()
        measured.append(
            measure_mark(
                mark,
                of_mark,
                directed,
                strand,
                flank_bp=flank_bp,
                bin_bp=bin_bp,
                file=(files or {}).get(mark),
                is_high=is_high,
                is_low=is_low,
            )
        )
    agreement = None
    if chrom is not None and tss is not None:
        agreement = measure_agreement(
            signal, chrom, tss, strand, bin_bp=bin_bp, is_oriented=is_oriented
        )
    return Quality(
        marks=tuple(measured),
        correlation=_matrix(pd.DataFrame(gene_means).corr(method="spearman")),
        bin_correlation=_matrix(pd.DataFrame(some_bins).corr()),
        flank_bp=flank_bp,
        bin_bp=bin_bp,
        num_genes=len(signal),
        num_genes_of={sign: int(np.sum(strand == sign)) for sign in ("+", "-", "")},
        genes_left_out=dict(genes_left_out or {}),
        genes_without_expression=_without_expression(expression),
        num_expressed_without_region=expression.num_genes_without_region if expression else 0,
        num_high=None if is_high is None else int(is_high.sum()),
        num_low=None if is_low is None else int(is_low.sum()),
        region_share=region_share,
        is_directed=bool(is_oriented or (strand != "").any()),
        agreement=agreement,
    )


def share_of_genome(bins: RegionBins, genome: str) -> float:
    """Returns the part of a genome of `GENOMES` that gene regions cover, overlaps once."""
    width_bp = bins.num_bins * bins.bin_bp
    covered_bp = 0
    for chrom in np.unique(bins.canonical_chrom):
        start = np.sort(np.asarray(bins.start)[bins.canonical_chrom == chrom])
        covered_bp += int(np.minimum(np.diff(start), width_bp).sum()) + width_bp
    return covered_bp / sum(GENOMES[genome].values())


def _check_shapes(
    signal: np.ndarray,
    marks: Sequence[str],
    strand: np.ndarray,
    label: np.ndarray | None,
    *,
    flank_bp: int,
    bin_bp: int,
) -> None:
    num_genes = len(strand) if label is None else len(label)
    expected = (num_genes, 2 * flank_bp // bin_bp, len(set(marks)))
    if signal.shape != expected or len(strand) != num_genes or num_genes == 0:
        raise InputError(
            "Expected a signal of (genes, bins, marks) with a strand and a label of each of at "
            f"least one gene, and marks of different names. Received: signal.shape={signal.shape}, "
            f"{len(strand)} strands, {'no' if label is None else len(label)} labels, "
            f"marks={', '.join(marks)}, flank_bp={flank_bp}, bin_bp={bin_bp}."
        )


def _matrix(correlation: pd.DataFrame) -> tuple[tuple[float | None, ...], ...]:
    return tuple(
        tuple(None if np.isnan(value) else float(value) for value in row)
        for row in correlation.to_numpy()
    )


def _without_expression(expression: MatchedExpression | None) -> dict[str, int]:
    if expression is None:
        return {}
    by_reason = {
        "not in the expression table": expression.num_regions_not_in_table,
        "without a value in the expression table": expression.num_regions_unknown,
    }
    return {reason: number for reason, number in by_reason.items() if number}


def _gene_lines(quality: Quality) -> Iterator[str]:
    strands = {"+ strand": "+", "- strand": "-", "strand unknown": ""}
    parts = [f"{quality.num_genes_of[strand]:,} {name}" for name, strand in strands.items()]
    if quality.num_high is not None:
        parts += [f"{quality.num_high:,} high", f"{quality.num_low:,} low"]
    yield f"{quality.num_genes:,} gene regions: {', '.join(parts)}"
    for reason, number in quality.genes_left_out.items():
        yield f"{number:,} left out: {reason}"
    for reason, number in quality.genes_without_expression.items():
        yield f"{number:,} gene regions {reason}"
    if quality.num_expressed_without_region:
        yield f"{quality.num_expressed_without_region:,} genes with expression have no gene region"
    if quality.agreement:
        yield from quality.agreement.lines()
    if quality.balance:
        yield from quality.balance.lines()
    if quality.overlap:
        yield str(quality.overlap)
