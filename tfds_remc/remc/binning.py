"""From intervals to one value a bin: read counts and mean depth, a chunk of intervals at a time.

Coordinates are 0-based and half-open throughout.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from .chromosomes import canonical_names
from .errors import InputError

# Each chromosome has this long a stretch of the axis to itself. Coordinates stay below MAX_BP, so
# that neither a read nor its extension reaches into another chromosome's.
_CHROM_SPAN = 1 << 40
MAX_BP = 1 << 31


class BinningError(InputError):
    """Gene regions that cannot be binned."""


@dataclasses.dataclass(frozen=True)
class RegionBins:
    """The bins of gene regions, in genome orientation.

    Bin `i` of a gene is `[start + i * bin_bp, start + (i + 1) * bin_bp)`. Regions may overlap, come
    in any order and reach over the ends of their chromosomes.

    Attributes:
        chrom: (genes,) str, in either style, "chr1" or "1".
        start: (genes,) int64, first base of the region.
        num_bins: Bins a region.
        bin_bp: Width of a bin.
    """

    chrom: np.ndarray
    start: np.ndarray
    num_bins: int = 100
    bin_bp: int = 100

    def __post_init__(self) -> None:
        if len(self.chrom) == 0 or len(self.chrom) != len(self.start):
            raise BinningError(
                "Expected a chromosome and a start for each of at least one gene region. "
                f"Received: {len(self.chrom)} chromosomes and {len(self.start)} starts."
            )
        for name in ("num_bins", "bin_bp"):
            if getattr(self, name) < 1:
                raise BinningError(
                    f"Expected {name} of at least 1. Received: {name}={getattr(self, name)}."
                )

    @functools.cached_property
    def canonical_chrom(self) -> np.ndarray:
        """(genes,) str chromosomes in UCSC's style.

        Raises:
            ChromosomeError: If the regions name chromosomes in two styles.
        """
        names, code = np.unique(np.asarray(self.chrom), return_inverse=True)
        return np.array(list(canonical_names(names.tolist(), "the gene regions").values()))[code]

    @property
    def edges(self) -> np.ndarray:
        """(genes, bins + 1) int64 edges of the bins."""
        starts = np.asarray(self.start, dtype=np.int64)[:, None]
        return starts + self.bin_bp * np.arange(self.num_bins + 1)


class Intervals(NamedTuple):
    """A chunk of a file's records, as parallel arrays over records.

    Attributes:
        names: Names of chromosomes, as the file has them.
        code: (records,) int, place in `names`.
        start: (records,) int64.
        end: (records,) int64, greater than `start`.
        is_reverse: (records,) bool, whether a read is on the minus strand; None where not asked.
        value: (records,) float64, depth or peak signal; None for reads.
        left_out: How many further records were left out, by reason.
        num_paired: How many of the records are mates that both are mapped.
    """

    names: list[str]
    code: np.ndarray
    start: np.ndarray
    end: np.ndarray
    is_reverse: np.ndarray | None = None
    value: np.ndarray | None = None
    left_out: Mapping[str, int] = MappingProxyType({})
    num_paired: int = 0


class BinAxis:
    """The edges of all bins on one axis, on which the chromosomes lie one after another.

    The distinct edges cut the axis into segments: segment `k` ends at edge `k`, and each bin is a
    run of segments. This costs memory in proportion to the bins, whatever is counted in them.
    """

    def __init__(self, bins: RegionBins) -> None:
        names, code = np.unique(bins.canonical_chrom, return_inverse=True)
        origin = _CHROM_SPAN * np.arange(1, len(names) + 1)
        self.origin_of: dict[str, int] = dict(zip(names.tolist(), origin.tolist(), strict=True))
        """Where each chromosome begins on the axis, by canonical name."""
        self.bin_bp = bins.bin_bp
        self.edges, index = np.unique(bins.edges + origin[code, None], return_inverse=True)
        index = index.reshape(-1, bins.num_bins + 1)
        self.left, self.right = index[:, :-1], index[:, 1:]
        """(genes, bins) edges of each bin, as places in `edges`."""
        self.num_segments = len(self.edges) + 1
        depth = np.zeros(self.num_segments + 1, dtype=np.int64)
        np.add.at(depth, self.left + 1, 1)
        np.add.at(depth, self.right + 1, -1)
        is_binned = np.cumsum(depth) > 0
        self._num_binned_before = np.concatenate([[0], np.cumsum(is_binned)])

    def segments(self, start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the first and the last segment that each interval of the axis touches."""
        first = np.searchsorted(self.edges, start, side="right")
        last = np.searchsorted(self.edges, end, side="left")
        return first, last

    def touches_bin(self, first: np.ndarray, last: np.ndarray) -> np.ndarray:
        """Returns whether any segment from `first` to `last` lies in a bin."""
        is_touching: np.ndarray = self._num_binned_before[last + 1] > self._num_binned_before[first]
        return is_touching


class ReadCounter:
    """Counts the reads that overlap each bin, in any order of the reads.

    A read overlaps a bin if it starts before the bin's end and ends after the bin's start. Of the
    reads that start before its end, those that do not are the ones that end at or before its start;
    two histograms over edges, of starts and of ends, therefore give every bin's count.
    """

    def __init__(self, axis: BinAxis) -> None:
        self._axis = axis
        self._starts = np.zeros(axis.num_segments, dtype=np.int64)
        self._ends = np.zeros(axis.num_segments, dtype=np.int64)

    def add(self, start: np.ndarray, end: np.ndarray) -> int:
        """Adds reads, `[start, end)` on the axis; returns how many of them overlap a bin."""
        if not (start[1:] >= start[:-1]).all():
            # Sorting is many times cheaper than looking up places in a random order.
            order = np.argsort(start)
            start, end = start[order], end[order]
        first, last = self._axis.segments(start, end)
        self._starts += np.bincount(first, minlength=self._axis.num_segments)
        self._ends += np.bincount(last, minlength=self._axis.num_segments)
        return int(np.count_nonzero(self._axis.touches_bin(first, last)))

    def values(self) -> np.ndarray:
        """Returns (genes, bins) int64 counts of all reads added so far."""
        started, ended = np.cumsum(self._starts), np.cumsum(self._ends)
        return started[self._axis.right] - ended[self._axis.left]


class DepthMean:
    """Means of a value over each bin's bases, of intervals apart: 0 without an interval."""

    def __init__(self, axis: BinAxis) -> None:
        self._axis = axis
        self._sums = np.zeros(axis.num_segments + 1, dtype=np.float64)

    def add(self, start: np.ndarray, end: np.ndarray, value: np.ndarray) -> int:
        """Adds intervals, `[start, end)` on the axis; returns how many of them overlap a bin."""
        first, last = self._axis.segments(start, end)
        is_used = self._axis.touches_bin(first, last)
        first, last = first[is_used], last[is_used]
        # Each interval once for every segment it touches.
        num_touched = last - first + 1
        interval = np.repeat(np.flatnonzero(is_used), num_touched)
        run_start = np.repeat(np.cumsum(num_touched) - num_touched, num_touched)
        segment = np.repeat(first, num_touched) + np.arange(len(interval)) - run_start
        borders = np.concatenate([[-_CHROM_SPAN], self._axis.edges, [np.iinfo(np.int64).max]])
        overlap_bp = np.minimum(end[interval], borders[segment + 1]) - np.maximum(
            start[interval], borders[segment]
        )
        self._sums += np.bincount(
            segment, weights=value[interval] * overlap_bp, minlength=len(self._sums)
        )
        return len(first)

    def values(self) -> np.ndarray:
        """Returns (genes, bins) float64 means of all intervals added so far."""
        # Sums of runs, not differences of a running sum: an empty bin is exactly 0.
        runs = np.stack([self._axis.left + 1, self._axis.right + 1], axis=-1)
        sums = np.add.reduceat(self._sums, runs.ravel())[::2]
        return sums.reshape(self._axis.left.shape) / self._axis.bin_bp


class PeakMean:
    """Means of a value over each bin's bases: 0 without a peak, the greatest where peaks overlap.

    Peak callers write a peak once for each of its summits. Unlike the intervals of the other
    classes, the peaks that overlap a bin stay in memory, in whatever order they come.
    """

    def __init__(self, axis: BinAxis) -> None:
        self._axis = axis
        self._peaks: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def add(self, start: np.ndarray, end: np.ndarray, value: np.ndarray) -> int:
        """Adds peaks, `[start, end)` on the axis; returns how many of them overlap a bin."""
        is_used = self._axis.touches_bin(*self._axis.segments(start, end))
        self._peaks.append((start[is_used], end[is_used], value[is_used]))
        return int(np.count_nonzero(is_used))

    def values(self) -> np.ndarray:
        """Returns (genes, bins) float64 means of all peaks added so far."""
        depth = DepthMean(self._axis)
        if self._peaks:
            start, end, value = map(np.concatenate, zip(*self._peaks, strict=True))
            order = np.argsort(start, kind="stable")
            depth.add(*_apart(start[order], end[order], value[order]))
        return depth.values()


Peaks = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Start, end and value of each."""


def _apart(start: np.ndarray, end: np.ndarray, value: np.ndarray) -> Peaks:
    """Returns sorted peaks as intervals apart, of which each has the greatest value there."""
    reach = np.maximum.accumulate(end)
    overlaps_before = np.concatenate([[False], start[1:] < reach[:-1]])
    is_alone = ~overlaps_before & ~np.concatenate([overlaps_before[1:], [False]])
    if is_alone.all():
        return start, end, value
    painted = _painted(start[~is_alone], end[~is_alone], value[~is_alone])
    alone = start[is_alone], end[is_alone], value[is_alone]
    start, end, value = (np.concatenate(arrays) for arrays in zip(alone, painted, strict=True))
    return start, end, value


def _painted(start: np.ndarray, end: np.ndarray, value: np.ndarray) -> Peaks:
    """Returns the intervals between all edges of peaks, with the greatest value of each."""
    edges = np.sort(np.concatenate([start, end]))
    edges = edges[np.concatenate([[True], edges[1:] > edges[:-1]])]
    first, last = np.searchsorted(edges, start).tolist(), np.searchsorted(edges, end).tolist()
    greatest = np.zeros(len(edges) - 1)
    for peak in np.argsort(value).tolist():  # A greater value covers the smaller ones.
        greatest[first[peak] : last[peak]] = value[peak]
    return edges[:-1], edges[1:], greatest
