"""Whether gene regions that overlap agree on where: a check of coordinates by the signal alone.

Two regions that overlap hold the same stretch of the chromosome: put side by side as their TSSs
say, their signal is the same there. Where it agrees better at another lag, one of the two was cut
at another TSS than the gene table has.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from .quality_summary import percent

MAX_AGREEING_LAG = 1.0
"""In bins. TSSs are rarely whole bins apart, and signal is known by the bin."""

MIN_PAIRS = 30
"""Fewer pairs are not judged."""

MIN_AGREEING = 0.9
"""Share of pairs. Sound coordinates: 100 % of 4,275 pairs as peaks, at least 98 % as reads of which
all but one in a hundred were thrown away."""

_MAX_PAIRS = 5000
_MIN_OVERLAP = 0.5
_LAG_SHARE = 0.2
# With fewer lags to choose from, too many pairs agree by chance.
_LEAST_MAX_LAG = 5
# Of what float64 leaves of a constant less its mean.
_ROUNDING = 1e-9


@dataclasses.dataclass(frozen=True)
class PairLags:
    """At which lag pairs of overlapping regions agree best, relative to what their TSSs say.

    Attributes:
        num_pairs: Pairs whose overlap has signal to tell.
        num_agreeing: Those that agree best within `MAX_AGREEING_LAG` of their TSSs.
        median_abs_lag_bins: Median size of the lag in bins; None without pairs.
        num_at_lag: Pairs by the lag, each number over a width of two bins; the middle one is of
            those that agree.
    """

    num_pairs: int
    num_agreeing: int
    median_abs_lag_bins: float | None
    num_at_lag: tuple[int, ...]

    @property
    def share(self) -> float | None:
        """Part of the pairs that agree; None without pairs."""
        return self.num_agreeing / self.num_pairs if self.num_pairs else None


@dataclasses.dataclass(frozen=True)
class OverlapAgreement:
    """How many pairs of overlapping regions agree on where they overlap.

    Attributes:
        same_strand: Pairs of genes of one strand.
        opposite_strands: Pairs of genes of both strands.
        max_lag_bins: How far from their TSSs pairs were compared, to either side.
        chance: Part of the pairs that would agree had one of the two another gene's signal; None
            where there are too few pairs.
    """

    same_strand: PairLags
    opposite_strands: PairLags
    max_lag_bins: int
    chance: float | None

    @property
    def num_pairs(self) -> int:
        """All pairs."""
        return self.same_strand.num_pairs + self.opposite_strands.num_pairs

    @property
    def share(self) -> float | None:
        """Part of all pairs that agree; None without pairs."""
        num_agreeing = self.same_strand.num_agreeing + self.opposite_strands.num_agreeing
        return num_agreeing / self.num_pairs if self.num_pairs else None

    @property
    def holds(self) -> bool | None:
        """Whether the coordinates hold; None where there are too few pairs to say so."""
        if self.share is None or self.num_pairs < MIN_PAIRS:
            return None
        return self.share >= MIN_AGREEING

    @property
    def by_strands(self) -> dict[str, PairLags]:
        """The two kinds of pairs by name."""
        return {"same strand": self.same_strand, "opposite strands": self.opposite_strands}

    def lines(self) -> Iterator[str]:
        """Yields a line on all pairs and, if they are enough, one on the two kinds apart."""
        if self.holds is None:
            yield (
                f"{self.num_pairs:,} pairs of overlapping gene regions are too few to judge the "
                f"coordinates by; that takes {MIN_PAIRS}"
            )
            return
        yield f"{self._all()} (by chance {percent(self.chance)})"
        yield "; ".join(
            f"{name}: {lags.num_pairs:,} pairs, {percent(lags.share)} agree, median lag "
            f"{lags.median_abs_lag_bins:.1f} bins"
            for name, lags in self.by_strands.items()
            if lags.num_pairs
        )

    def warnings(self) -> Iterator[str]:
        """Yields a line if the coordinates do not hold."""
        if self.holds is False:
            yield (
                f"{self._all()}; with sound coordinates nearly all do. Was the signal of some "
                "genes cut at another TSS than the gene table's, or do the bins not run as they "
                "are taken to?"
            )

    def as_metadata(self) -> dict[str, Any]:
        """Returns what the dataset's metadata hold of it."""
        return {
            "measured": (
                "pairs of gene regions that share half or more of their bins and do not have the "
                "same TSS; a pair agrees if the correlation of log(1 + signal) over the bins that "
                f"both have, of all lags of up to {self.max_lag_bins} bins, is highest within "
                f"{MAX_AGREEING_LAG:g} bin of where the TSSs are"
            ),
            "holds": self.holds,
            "num_pairs": self.num_pairs,
            "share_agreeing": self.share,
            "share_by_chance": self.chance,
            **{
                name.replace(" ", "_"): {
                    "num_pairs": lags.num_pairs,
                    "share_agreeing": lags.share,
                    "median_abs_lag_bins": lags.median_abs_lag_bins,
                }
                for name, lags in self.by_strands.items()
            },
        }

    def _all(self) -> str:
        return (
            f"{percent(self.share)} of {self.num_pairs:,} pairs of overlapping gene regions agree "
            "on where they overlap"
        )


class _Pairs(NamedTuple):
    """Pairs of genes, the one further left on the chromosome first.

    Attributes:
        left: (pairs,) int64, rows of genes.
        right: (pairs,) int64.
        offset: (pairs,) float64, bins from the left gene's TSS to the right gene's.
    """

    left: np.ndarray
    right: np.ndarray
    offset: np.ndarray

    def subset(self, chosen: np.ndarray | slice) -> _Pairs:
        return _Pairs(*(column[chosen] for column in self))


def measure_agreement(
    signal: np.ndarray,
    chrom: np.ndarray,
    tss: np.ndarray,
    strand: np.ndarray,
    *,
    bin_bp: int,
    is_oriented: bool = False,
) -> OverlapAgreement:
    """Finds the lag at which overlapping gene regions agree best.

    Pairs of one TSS have one region and say nothing. Of more than 5,000 pairs every nth is taken.
    Lags reach to a fifth of a region; where that is less than five bins, no pair is looked at.

    Args:
        signal: (genes, bins, marks) float32.
        chrom: (genes,) str, "" where unknown.
        tss: (genes,) int, centre of each gene's region; below 0 where unknown.
        strand: (genes,) str; genes of neither "+" nor "-" are not looked at.
        bin_bp: Width of a bin.
        is_oriented: Whether the bins run in the direction of transcription, and not along the
            genome.
    """
    num_bins = signal.shape[1]
    max_lag = int(_LAG_SHARE * num_bins)
    is_known = (chrom != "") & (tss >= 0) & np.isin(strand, ("+", "-"))
    is_known &= max_lag >= _LEAST_MAX_LAG
    pairs = _overlapping(chrom, tss, is_known, num_bins=num_bins, bin_bp=bin_bp)
    is_turned = np.logical_and(strand == "-", is_oriented)
    lag = _best_lags(signal, is_turned, pairs, max_lag)
    is_told = ~np.isnan(lag)
    pairs, lag = pairs.subset(is_told), lag[is_told]
    is_same = strand[pairs.left] == strand[pairs.right]
    chance = None
    if len(lag) >= MIN_PAIRS:
        strangers = pairs._replace(right=_others(pairs.right, strand))
        by_chance = _best_lags(signal, is_turned, strangers, max_lag)
        chance = _pair_lags(by_chance[~np.isnan(by_chance)], max_lag).share
    return OverlapAgreement(
        same_strand=_pair_lags(lag[is_same], max_lag),
        opposite_strands=_pair_lags(lag[~is_same], max_lag),
        max_lag_bins=max_lag,
        chance=chance,
    )


def _overlapping(
    chrom: np.ndarray, tss: np.ndarray, is_known: np.ndarray, *, num_bins: int, bin_bp: int
) -> _Pairs:
    """Pairs of known genes whose regions share half or more, but whose TSSs differ."""
    known = np.flatnonzero(is_known)
    order = known[np.lexsort((tss[known], chrom[known]))]
    left, right = [order[:0]], [order[:0]]
    for step in range(1, len(order)):
        first, second = order[:-step], order[step:]
        is_near = chrom[first] == chrom[second]
        is_near &= tss[second] - tss[first] <= (1 - _MIN_OVERLAP) * num_bins * bin_bp
        if not is_near.any():
            break
        is_pair = is_near & (tss[first] < tss[second])
        left.append(first[is_pair])
        right.append(second[is_pair])
    lefts, rights = np.concatenate(left), np.concatenate(right)
    pairs = _Pairs(lefts, rights, (tss[rights] - tss[lefts]) / bin_bp)
    return pairs.subset(slice(None, None, max(1, -(-len(lefts) // _MAX_PAIRS))))


def _others(genes: np.ndarray, strand: np.ndarray) -> np.ndarray:
    """Of each gene another one of its strand, from far away in the same list."""
    others = genes.copy()
    for sign in ("+", "-"):
        rows = np.flatnonzero(strand[genes] == sign)
        others[rows] = np.roll(genes[rows], len(rows) // 2)
    return others


def _best_lags(
    signal: np.ndarray, is_turned: np.ndarray, pairs: _Pairs, max_lag: int
) -> np.ndarray:
    """Bins from where the TSSs say that the regions overlap to where their signal agrees best.

    Returns:
        (pairs,) float64, positive where the TSSs are further apart by the signal than by the gene
        table; NaN where one of the two has no signal that varies in the overlap.
    """
    num_bins = signal.shape[1]
    nearest = np.rint(pairs.offset).astype(np.int64)
    correlation = np.full((len(nearest), 2 * max_lag + 1), np.nan)
    for offset in np.unique(nearest):
        rows = np.flatnonzero(nearest == offset)
        left, right = (
            _log_along_genome(signal[genes[rows]], is_turned[genes[rows]])
            for genes in (pairs.left, pairs.right)
        )
        for column, shift in enumerate(range(offset - max_lag, offset + max_lag + 1)):
            begin, end = max(0, shift), num_bins + min(0, shift)
            correlation[rows, column] = _correlate(
                left[:, begin:end], right[:, begin - shift : end - shift]
            )
    best = np.where(np.isnan(correlation), -1, correlation).argmax(axis=1)
    lag: np.ndarray = nearest + best - max_lag - pairs.offset
    return np.where(np.isnan(correlation[:, max_lag]), np.nan, lag)


def _log_along_genome(signal: np.ndarray, is_turned: np.ndarray) -> np.ndarray:
    turned = np.where(is_turned[:, None, None], signal[:, ::-1], signal)
    log_signal: np.ndarray = np.log1p(turned.astype(np.float64))
    return log_signal


def _correlate(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Pearson correlation over bins and marks, each mark less its mean; NaN where one is even."""
    left, right = (each - each.mean(axis=1, keepdims=True) for each in (left, right))
    size = np.sqrt((left**2).sum(axis=(1, 2)) * (right**2).sum(axis=(1, 2)))
    product = (left * right).sum(axis=(1, 2))
    correlation = np.full(len(size), np.nan)
    np.divide(product, size, out=correlation, where=size > _ROUNDING)
    return correlation


def _pair_lags(lag: np.ndarray, max_lag: int) -> PairLags:
    # A half is rounded to 0, as which a lag of a bin counts.
    step = np.rint(lag / (2 * MAX_AGREEING_LAG)).astype(np.int64)
    num_steps = (max_lag + 1) // 2
    return PairLags(
        num_pairs=len(lag),
        num_agreeing=int(np.sum(np.abs(lag) <= MAX_AGREEING_LAG)),
        median_abs_lag_bins=float(np.median(np.abs(lag))) if len(lag) else None,
        num_at_lag=tuple(np.bincount(step + num_steps, minlength=2 * num_steps + 1).tolist()),
    )
