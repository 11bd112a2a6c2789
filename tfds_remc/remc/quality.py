"""Whether the signal looks as that of its marks should: numbers, warnings and a table.

What goes wrong between reads and records rarely stops a build: genes of another genome build, gene
starts taken for TSSs, swapped strands, a file given twice. It does show in the mean signal around
the TSS. Thresholds are set so that sound data pass with room to spare: the tests hold them against
four real epigenomes, as reads, depth and peaks, and against damaged copies of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from .binning import RegionBins
from .chromosomes import GENOMES
from .errors import InputError
from .expression import MatchedExpression
from .orientation import MIN_ABS_T, t_statistic
from .reads import READ_TYPES, BinnedSignal

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

MAX_PEAK_BP = 1000
"""A promoter mark peaks within this distance of the TSS. Sound marks: 150 to 450 bp."""

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

_SMOOTHING_BP = 500
_FAR_SHARE = 0.8
_CAP_QUANTILE = 0.999
_MAX_GENES_OF_BIN_CORRELATION = 2000


class MarkFile(NamedTuple):
    """Where a mark's signal came from.

    Attributes:
        path: The file.
        read: What `read_signal` made of it.
    """

    path: Path
    read: BinnedSignal


@dataclasses.dataclass(frozen=True)
class MarkQuality:
    """One mark's signal in numbers; None where a number is unknown or has no meaning.

    Profiles are means over genes, a value a bin, in the direction of transcription; distances
    from the TSS are positive downstream. A gene of unknown strand is taken along the genome. What
    exceeds the mark's 99.9th percentile of values above 0 counts as that, so that a few artefacts
    do not make the profile; what is below 0 counts as 0.

    Attributes:
        mark: Name of the mark.
        file: Name of its file.
        file_type: What the file holds, one of the values of `reads.FILE_TYPES`.
        num_records: Reads in the file, or other records where it holds none.
        num_used: Those that overlap a bin.
        left_out: Those that do not count, by reason.
        mean_signal: Mean over all bins, in the unit of the signal.
        zero_share: Part of the bins without signal, 0 to 1.
        peak_bp: Where the profile is highest, the centre of a window of 500 bp.
        peak_height: Mean of the profile in that window.
        peak_t: If that is further than `MAX_PEAK_BP` from the TSS, t statistic over genes of the
            log signal there against the highest window near the TSS; otherwise 0.
        tss_enrichment: The profile within `MAX_PEAK_BP` of the TSS over that of the outermost
            fifth of both flanks.
        tss_enrichment_of: The same for the genes of each strand, "+" and "-".
        downstream_t: t statistic over genes of the log signal downstream minus upstream.
        downstream_t_of: The same for the genes of each strand.
        auroc: Of telling high from low genes by their mean signal.
        profile: Over all genes.
        profile_high: Over the genes that are labelled high.
        profile_low: Over the genes that are labelled low.
    """

    mark: str
    file: str | None
    file_type: str | None
    num_records: int | None
    num_used: int | None
    left_out: Mapping[str, int]
    mean_signal: float
    zero_share: float
    peak_bp: float | None
    peak_height: float | None
    peak_t: float
    tss_enrichment: float | None
    tss_enrichment_of: Mapping[str, float | None]
    downstream_t: float
    downstream_t_of: Mapping[str, float]
    auroc: float | None
    profile: tuple[float, ...]
    profile_high: tuple[float, ...] | None
    profile_low: tuple[float, ...] | None

    @property
    def share_used(self) -> float | None:
        """Part of the file's records that overlap a bin."""
        if self.num_used is None or not self.num_records:
            return None
        return self.num_used / self.num_records


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

    def warnings(self) -> Iterator[str]:
        """Yields a line on each thing that looks wrong: what it is, and what it may mean."""
        yield from _gene_warnings(self)
        empty = [mark for mark in self.marks if mark.zero_share > MAX_ZERO_SHARE]
        for mark in empty:
            yield (
                f"{mark.mark}: {_percent(mark.zero_share)} of the bins are 0. Is its file empty, "
                "cut short or of another genome?"
            )
        filled = [mark for mark in self.marks if mark not in empty]
        yield from _amount_warnings(filled, self.region_share)
        yield from _twin_warnings(self)
        if self.num_genes < MIN_GENES:
            yield (
                f"{self.num_genes} gene regions are too few to judge the profiles around the TSS "
                f"by; that takes {MIN_GENES}"
            )
            return
        promoter_marks = [mark for mark in filled if _is_named(mark, *PROMOTER_MARKS)]
        peak_warnings = list(_peak_warnings(promoter_marks, self))
        yield from peak_warnings
        if not peak_warnings:  # What lies downstream of another place than the TSS says nothing.
            yield from _body_warnings([mark for mark in filled if _is_named(mark, BODY_MARK)])
        yield from _expression_warnings(promoter_marks, self)

    def as_dict(self) -> dict[str, Any]:
        """Returns all of it, the warnings included, as what JSON can hold."""
        content = dataclasses.asdict(self)
        for mark, of_mark in zip(self.marks, content["marks"], strict=True):
            of_mark["share_used"] = mark.share_used
        return content | {"warnings": list(self.warnings())}

    def summary(self) -> str:
        """Returns a table with a line a mark and, below it, what became of the genes."""
        is_reads = all(mark.file_type in (None, *READ_TYPES) for mark in self.marks)
        what = "reads" if is_reads else "records"
        rows = [
            (
                *("mark", f"{what} in", "used", "share", "mean a bin", "zero bins"),
                *("TSS enrichment", "peak", "AUROC"),
            ),
            *(_summary_row(mark) for mark in self.marks),
        ]
        # A column that no mark has a number for says nothing.
        columns = [
            column
            for column in zip(*rows, strict=True)
            if any(cell != _UNKNOWN for cell in column[1:])
        ]
        widths = [max(map(len, column)) for column in columns]
        lines = [
            "  ".join(
                cell.rjust(width) if place else cell.ljust(width)
                for place, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in zip(*columns, strict=True)
        ]
        return "\n".join([*lines, *_gene_lines(self)])


def measure_quality(
    signal: np.ndarray,
    marks: Sequence[str],
    strand: np.ndarray,
    *,
    flank_bp: int,
    bin_bp: int,
    is_oriented: bool = False,
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
    axis = _Axis.of(signal.shape[1], flank_bp=flank_bp, bin_bp=bin_bp)
    step = -(-len(signal) // _MAX_GENES_OF_BIN_CORRELATION)
    gene_means, some_bins, measured = {}, {}, []
    for column, mark in enumerate(marks):
        of_mark = signal[:, :, column]
        directed = _capped(np.where(is_mirrored[:, None], of_mark[:, ::-1], of_mark))
        gene_means[mark] = of_mark.mean(axis=1, dtype=np.float64)
        some_bins[mark] = directed[::step].ravel()
        file = (files or {}).get(mark)
        measured.append(
            MarkQuality(
                mark=mark,
                **_file_fields(file),
                mean_signal=float(gene_means[mark].mean()),
                zero_share=float(np.mean(of_mark <= 0)),
                **_profile_fields(directed, strand, axis),
                auroc=_auroc(gene_means[mark], is_high, is_low),
                profile=_profile(directed),
                profile_high=_profile_of(directed, is_high),
                profile_low=_profile_of(directed, is_low),
            )
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
    )


def share_of_genome(bins: RegionBins, genome: str) -> float:
    """Returns the part of a genome of `GENOMES` that gene regions cover, overlaps once."""
    width_bp = bins.num_bins * bins.bin_bp
    covered_bp = 0
    for chrom in np.unique(bins.canonical_chrom):
        start = np.sort(np.asarray(bins.start)[bins.canonical_chrom == chrom])
        covered_bp += int(np.minimum(np.diff(start), width_bp).sum()) + width_bp
    return covered_bp / sum(GENOMES[genome].values())


class _Axis(NamedTuple):
    """Where the bins lie, in bp from the TSS.

    Attributes:
        centre: (bins,) float64.
        is_near: (bins,) bool, within `MAX_PEAK_BP` of the TSS; at least the bins next to it.
        is_far: (bins,) bool, the outermost fifth of both flanks, from 2 kb on.
        num_smoothed: Bins of a window.
    """

    centre: np.ndarray
    is_near: np.ndarray
    is_far: np.ndarray
    num_smoothed: int

    @classmethod
    def of(cls, num_bins: int, *, flank_bp: int, bin_bp: int) -> _Axis:
        centre = bin_bp * (np.arange(num_bins) + 0.5) - flank_bp
        distance = np.abs(centre)
        return cls(
            centre,
            is_near=_is_near(centre),
            is_far=distance >= max(2 * MAX_PEAK_BP, min(_FAR_SHARE * flank_bp, distance.max())),
            num_smoothed=min(num_bins, max(1, _SMOOTHING_BP // bin_bp)),
        )


def _is_near(centre: np.ndarray) -> np.ndarray:
    distance = np.abs(centre)
    return distance <= max(MAX_PEAK_BP, distance.min())


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


def _capped(values: np.ndarray) -> np.ndarray:
    positive = values[values > 0]
    if len(positive) == 0:
        return np.zeros_like(values)
    return np.clip(values, 0, np.quantile(positive, _CAP_QUANTILE, method="higher"))


def _profile(directed: np.ndarray) -> tuple[float, ...]:
    return tuple(directed.mean(axis=0, dtype=np.float64).tolist())


def _profile_of(directed: np.ndarray, is_chosen: np.ndarray | None) -> tuple[float, ...] | None:
    if is_chosen is None or not is_chosen.any():
        return None
    return _profile(directed[is_chosen])


def _file_fields(file: MarkFile | None) -> dict[str, Any]:
    if file is None:
        names = ("file", "file_type", "num_records", "num_used")
        return {**dict.fromkeys(names), "left_out": {}}
    # A bigWig is not read record by record.
    is_counted = file.read.file_type != "bigWig"
    return {
        "file": file.path.name,
        "file_type": file.read.file_type,
        "num_records": file.read.num_records if is_counted else None,
        "num_used": file.read.num_used if is_counted else None,
        "left_out": dict(file.read.left_out),
    }


def _profile_fields(directed: np.ndarray, strand: np.ndarray, axis: _Axis) -> dict[str, Any]:
    peak_bp, peak_height, peak_t = _peak(directed, axis)
    half = directed.shape[1] // 2
    log_signal = np.log1p(directed)
    downstream = log_signal[:, -half:].sum(axis=1) - log_signal[:, :half].sum(axis=1)
    is_of = {sign: strand == sign for sign in ("+", "-")}
    return {
        "peak_bp": peak_bp,
        "peak_height": peak_height,
        "peak_t": peak_t,
        "tss_enrichment": _tss_enrichment(directed, axis),
        "tss_enrichment_of": {
            sign: _tss_enrichment(directed[is_chosen], axis) for sign, is_chosen in is_of.items()
        },
        "downstream_t": t_statistic(downstream),
        "downstream_t_of": {
            sign: t_statistic(downstream[is_chosen]) for sign, is_chosen in is_of.items()
        },
    }


def _peak(directed: np.ndarray, axis: _Axis) -> tuple[float | None, float | None, float]:
    """Returns where the profile is highest, its height, and how sure it is that this is far."""
    profile = np.array(_profile(directed))
    if not profile.any():
        return None, None, 0.0
    windows = np.lib.stride_tricks.sliding_window_view
    height = windows(profile, axis.num_smoothed).mean(axis=1)
    centre = windows(axis.centre, axis.num_smoothed).mean(axis=1)
    highest = int(height.argmax())
    highest_near = int(np.where(_is_near(centre), height, -1).argmax())
    there, near = (
        np.log1p(directed[:, first : first + axis.num_smoothed].mean(axis=1))
        for first in (highest, highest_near)
    )
    return float(centre[highest]), float(height[highest]), t_statistic(there - near)


def _tss_enrichment(directed: np.ndarray, axis: _Axis) -> float | None:
    if len(directed) == 0 or not axis.is_far.any():
        return None
    far = directed[:, axis.is_far].mean(dtype=np.float64)
    return float(directed[:, axis.is_near].mean(dtype=np.float64) / far) if far else None


def _auroc(
    gene_mean: np.ndarray, is_high: np.ndarray | None, is_low: np.ndarray | None
) -> float | None:
    if is_high is None or is_low is None or not (is_high.any() and is_low.any()):
        return None
    num_high, num_low = int(is_high.sum()), int(is_low.sum())
    ranks = pd.Series(np.concatenate([gene_mean[is_high], gene_mean[is_low]])).rank()
    lowest_sum = num_high * (num_high + 1) / 2
    return float((ranks[:num_high].sum() - lowest_sum) / (num_high * num_low))


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


def _is_named(mark: MarkQuality, *names: str) -> bool:
    return mark.mark.lower() in map(str.lower, names)


def _gene_warnings(quality: Quality) -> Iterator[str]:
    num_plus, num_minus = quality.num_genes_of["+"], quality.num_genes_of["-"]
    num_known = num_plus + num_minus
    if num_known == 0:
        yield "no gene has a strand: what lies upstream and what downstream of the TSS is unknown"
    elif num_known >= MIN_GENES and 0 in (num_plus, num_minus):
        yield (
            f"all {num_known:,} genes with a strand are on the {'+' if num_plus else '-'} strand. "
            "Is the strand of the gene table right?"
        )
    num_without = sum(quality.genes_without_expression.values())
    if num_without > quality.num_genes / 2:
        yield (
            f"{num_without:,} of {quality.num_genes:,} gene regions have no expression. Are the "
            "gene ids of the expression table of another annotation?"
        )


def _amount_warnings(marks: list[MarkQuality], region_share: float | None) -> Iterator[str]:
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
        is_promoter_mark = _is_named(mark, *PROMOTER_MARKS)
        least = MIN_PROMOTER_OVER_CHANCE if is_promoter_mark else MIN_OVER_CHANCE
        if mark.share_used < least * region_share:
            yield (
                f"{mark.mark}: {_percent(mark.share_used)} of the reads lie on gene regions, where "
                f"{_percent(region_share)} would by chance. Are they of another genome build, or "
                "did the ChIP fail?"
            )


def _twin_warnings(quality: Quality) -> Iterator[str]:
    for row, mark in enumerate(quality.marks):
        for column in range(row):
            correlation = quality.bin_correlation[row][column]
            if correlation is not None and correlation > MAX_BIN_CORRELATION:
                yield (
                    f"{quality.marks[column].mark} and {mark.mark} are the same over bins "
                    f"(correlation {correlation:.3f}). Is one file given twice?"
                )


def _peak_warnings(marks: list[MarkQuality], quality: Quality) -> Iterator[str]:
    def cause(failed: list[MarkQuality]) -> str:
        if len(failed) < len(marks):
            return "Other promoter marks are in place: is this file of another genome build?"
        return "Are the gene regions of the reads' genome build, and centred on TSSs?"

    shifted = [mark for mark in marks if mark.peak_t > MIN_ABS_T]
    if shifted:
        yield (
            f"{_listed((mark.mark, _distance(mark.peak_bp)) for mark in shifted)}: highest away "
            f"from the TSS, not within {MAX_PEAK_BP:,} bp of it as a promoter mark is. "
            f"{cause(shifted)}"
        )
    flat = [mark for mark in marks if mark not in shifted and _is_flat(mark.tss_enrichment)]
    if flat:
        yield (
            f"{_listed((mark.mark, _times(mark.tss_enrichment)) for mark in flat)}: hardly higher "
            f"at the TSS than {_FAR_SHARE * quality.flank_bp:,.0f} bp away. {cause(flat)}"
        )
    if min(quality.num_genes_of["+"], quality.num_genes_of["-"]) < MIN_GENES:
        return
    for strand, other in (("+", "-"), ("-", "+")):
        one_sided = [
            (mark.mark, _times(mark.tss_enrichment_of[strand]))
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


def _body_warnings(marks: list[MarkQuality]) -> Iterator[str]:
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


def _expression_warnings(marks: list[MarkQuality], quality: Quality) -> Iterator[str]:
    if not quality.num_high or not quality.num_low:
        return
    num_labelled = quality.num_high + quality.num_low
    # Of the AUROC where high and low genes do not differ.
    error = np.sqrt((num_labelled + 1) / (12 * quality.num_high * quality.num_low))
    failed = [
        mark for mark in marks if mark.auroc is not None and mark.auroc + 2 * error < MIN_AUROC
    ]
    if failed:
        yield (
            f"{_listed((mark.mark, f'AUROC {mark.auroc:.2f}') for mark in failed)}: hardly more on "
            "genes of high expression than of low. Is the expression of the same sample, and are "
            "its gene ids those of the gene regions?"
        )


def _is_flat(tss_enrichment: float | None) -> bool:
    return tss_enrichment is not None and tss_enrichment < MIN_TSS_ENRICHMENT


_UNKNOWN = "-"


def _listed(numbers_of_marks: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{mark} ({number})" for mark, number in numbers_of_marks)


def _percent(share: float | None) -> str:
    return _UNKNOWN if share is None else f"{100 * share:.1f} %"


def _times(ratio: float | None) -> str:
    return _UNKNOWN if ratio is None else f"{ratio:.1f} x"


def _distance(bp: float | None) -> str:
    if bp is None:
        return _UNKNOWN
    return f"{abs(bp):,.0f} bp {'upstream' if bp < 0 else 'downstream'}"


def _summary_row(mark: MarkQuality) -> tuple[str, ...]:
    return (
        mark.mark,
        _count(mark.num_records),
        _count(mark.num_used),
        _percent(mark.share_used),
        f"{mark.mean_signal:#.3g}",
        _percent(mark.zero_share),
        _times(mark.tss_enrichment),
        _UNKNOWN if mark.peak_bp is None else f"{mark.peak_bp:+,.0f} bp",
        _UNKNOWN if mark.auroc is None else f"{mark.auroc:.2f}",
    )


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


def _count(number: int | None) -> str:
    return _UNKNOWN if number is None else f"{number:,}"
