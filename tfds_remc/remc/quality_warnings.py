"""Which numbers of the signal look wrong: what each is, and what it may mean.

Thresholds are set so that sound data pass with room to spare: the tests hold them against four real
epigenomes, as reads, depth and peaks, and against damaged copies of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from .file_types import READ_TYPES
from .mark_quality import FAR_SHARE, MAX_PEAK_BP, MarkQuality
from .orientation import MIN_ABS_T
from .quality_summary import distance, percent, times

PROMOTER_MARKS = ("H3K4me3", "H3K27ac", "H3K9ac")
"""Marks that are highest beside the TSS of an active gene. H3K4me1 is not: it dips there."""

BODY_MARK = "H3K36me3"
"""The mark of the transcribed body, downstream of the TSS."""

MIN_GENES = 30
"""Profiles of fewer genes are not judged."""

MAX_ZERO_SHARE = 0.99
"""An empty mark has more bins without signal. Sound marks: 22 to 83 %, the latter of peaks."""

MIN_RELATIVE_SIGNAL = 1 / 20
"""A faint mark has less than this part of the other marks' median. Sound marks: at least 1/10."""

MIN_TSS_ENRICHMENT = 1.5
"""Of a promoter mark. Sound marks: 2.8 to 5.1 as peaks, 4.1 to 21 as reads or depth."""

MAX_BIN_CORRELATION = 0.99
"""Two marks beyond are one file. Sound marks: at most 0.88."""

MIN_OVER_CHANCE = 0.5
"""Part of the reads that reads strewn evenly over the genome would have on gene regions."""

MIN_PROMOTER_OVER_CHANCE = 1.2
"""The same for a promoter mark, whose reads gather there."""

MIN_AUROC = 0.65
"""By which a promoter mark tells high from low genes. Sound marks: at least 0.8."""


def strand_warnings(num_genes_of: Mapping[str, int]) -> Iterator[str]:
    """Yields a line if strands are unknown or all the same.

    Args:
        num_genes_of: Gene regions by strand, "+" and "-".
    """
    num_plus, num_minus = num_genes_of["+"], num_genes_of["-"]
    num_known = num_plus + num_minus
    if num_known == 0:
        yield "no gene has a strand: what lies upstream and what downstream of the TSS is unknown"
    elif num_known >= MIN_GENES and 0 in (num_plus, num_minus):
        yield (
            f"all {num_known:,} genes with a strand are on the {'+' if num_plus else '-'} strand. "
            "Is the strand of the gene table right?"
        )


def missing_expression_warnings(num_without: int, num_genes: int) -> Iterator[str]:
    """Yields a line if most of the gene regions have no expression."""
    if num_without > num_genes / 2:
        yield (
            f"{num_without:,} of {num_genes:,} gene regions have no expression. Are the "
            "gene ids of the expression table of another annotation?"
        )


def empty_warnings(marks: Sequence[MarkQuality]) -> Iterator[str]:
    """Yields a line on each mark without signal."""
    for mark in marks:
        if is_empty(mark):
            yield (
                f"{mark.mark}: {percent(mark.zero_share)} of the bins are 0. Is its file empty, "
                "cut short or of another genome?"
            )


def amount_warnings(marks: Sequence[MarkQuality], region_share: float | None) -> Iterator[str]:
    """Yields a line on each mark of too little signal, or of too few reads on gene regions.

    Args:
        marks: Marks that have signal.
        region_share: Part of the genome that the gene regions cover; None if unknown.
    """
    for mark in marks:
        others = [other.mean_signal for other in marks if other is not mark]
        # The median of one other mark is no measure: strong marks differ from weak ones.
        if len(others) > 1 and mark.mean_signal < MIN_RELATIVE_SIGNAL * np.median(others):
            yield (
                f"{mark.mark}: {mark.mean_signal:.3g} a bin on average, where the other marks have "
                f"{np.median(others):.3g}. Has it too few reads, or values on another scale?"
            )
        if mark.share_used is None or mark.file_type not in READ_TYPES or not region_share:
            continue
        is_promoter_mark = is_named(mark, *PROMOTER_MARKS)
        least = MIN_PROMOTER_OVER_CHANCE if is_promoter_mark else MIN_OVER_CHANCE
        if mark.share_used < least * region_share:
            yield (
                f"{mark.mark}: {percent(mark.share_used)} of the reads lie on gene regions, where "
                f"{percent(region_share)} would by chance. Are they of another genome build, or "
                "did the ChIP fail?"
            )


def twin_warnings(
    marks: Sequence[MarkQuality], bin_correlation: Sequence[Sequence[float | None]]
) -> Iterator[str]:
    """Yields a line on each two marks that are one file.

    Args:
        marks: All marks.
        bin_correlation: Pearson correlation between them over bins.
    """
    for row, mark in enumerate(marks):
        for column in range(row):
            correlation = bin_correlation[row][column]
            if correlation is not None and correlation > MAX_BIN_CORRELATION:
                yield (
                    f"{marks[column].mark} and {mark.mark} are the same over bins "
                    f"(correlation {correlation:.3f}). Is one file given twice?"
                )


def peak_warnings(
    marks: Sequence[MarkQuality], num_genes_of: Mapping[str, int], flank_bp: int
) -> Iterator[str]:
    """Yields lines on promoter marks that are not highest at the TSS.

    Args:
        marks: The promoter marks that have signal.
        num_genes_of: Gene regions by strand, "+" and "-".
        flank_bp: Distance from the gene region's start to the TSS.
    """

    def cause(failed: list[MarkQuality]) -> str:
        if len(failed) < len(marks):
            return "Other promoter marks are in place: is this file of another genome build?"
        return "Are the gene regions of the reads' genome build, and centred on TSSs?"

    shifted = [mark for mark in marks if mark.peak_t > MIN_ABS_T]
    if shifted:
        yield (
            f"{_listed((mark.mark, distance(mark.peak_bp)) for mark in shifted)}: highest away "
            f"from the TSS, not within {MAX_PEAK_BP:,} bp of it as a promoter mark is. "
            f"{cause(shifted)}"
        )
    flat = [mark for mark in marks if mark not in shifted and _is_flat(mark.tss_enrichment)]
    if flat:
        yield (
            f"{_listed((mark.mark, times(mark.tss_enrichment)) for mark in flat)}: hardly higher "
            f"at the TSS than {FAR_SHARE * flank_bp:,.0f} bp away. {cause(flat)}"
        )
    if min(num_genes_of["+"], num_genes_of["-"]) < MIN_GENES:
        return
    for strand, other in (("+", "-"), ("-", "+")):
        one_sided = [
            (mark.mark, times(mark.tss_enrichment_of[strand]))
            for mark in marks
            if mark not in (*shifted, *flat)
            and _is_flat(mark.tss_enrichment_of[strand])
            and not _is_flat(mark.tss_enrichment_of[other])
        ]
        if one_sided:
            yield (
                f"{_listed(one_sided)}: hardly higher at the TSS on genes of the {strand} strand, "
                f"unlike on those of the {other} strand. Are their regions centred on the other "
                "end of the gene?"
            )


def body_warnings(marks: Sequence[MarkQuality]) -> Iterator[str]:
    """Yields a line on each mark of the transcribed body that is not downstream of the TSS."""
    for mark in marks:
        plus, minus = mark.downstream_t_of["+"], mark.downstream_t_of["-"]
        if min(abs(plus), abs(minus)) > MIN_ABS_T and plus * minus < 0:
            yield (
                f"{mark.mark}: higher downstream of the TSS on genes of the "
                f"{'+' if plus > 0 else '-'} strand and upstream on those of the other (t = "
                f"{plus:.1f} and {minus:.1f}). Do the bins run along the genome, as they are taken "
                "to, or is a strand wrong?"
            )
        elif mark.downstream_t < -MIN_ABS_T:
            yield (
                f"{mark.mark}: higher upstream of the TSS than downstream, where genes are "
                f"transcribed (t = {mark.downstream_t:.1f}). Are the strands swapped?"
            )


def expression_warnings(
    marks: Sequence[MarkQuality], num_high: int | None, num_low: int | None
) -> Iterator[str]:
    """Yields a line on promoter marks that do not tell high from low genes.

    Args:
        marks: The promoter marks that have signal.
        num_high: Genes labelled high; None without labels.
        num_low: Genes labelled low.
    """
    if not num_high or not num_low:
        return
    num_labelled = num_high + num_low
    # Of the AUROC where high and low genes do not differ.
    error = np.sqrt((num_labelled + 1) / (12 * num_high * num_low))
    failed = [
        mark for mark in marks if mark.auroc is not None and mark.auroc + 2 * error < MIN_AUROC
    ]
    if failed:
        yield (
            f"{_listed((mark.mark, f'AUROC {mark.auroc:.2f}') for mark in failed)}: hardly more on "
            "genes of high expression than of low. Is the expression of the same sample, and are "
            "its gene ids those of the gene regions?"
        )


def is_empty(mark: MarkQuality) -> bool:
    """Returns whether a mark has next to no signal."""
    return mark.zero_share > MAX_ZERO_SHARE


def is_named(mark: MarkQuality, *names: str) -> bool:
    """Returns whether a mark has one of these names, in whatever case."""
    return mark.mark.lower() in map(str.lower, names)


def _is_flat(tss_enrichment: float | None) -> bool:
    return tss_enrichment is not None and tss_enrichment < MIN_TSS_ENRICHMENT


def _listed(numbers_of_marks: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{mark} ({number})" for mark, number in numbers_of_marks)
