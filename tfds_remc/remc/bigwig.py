"""Mean depth a bin from a bigWig file."""

from __future__ import annotations

import contextlib
import math
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pybigtools

from .apart import read_apart
from .binning import RegionBins
from .file_types import BIGWIG_MAGIC, NOT_NEGATIVE, SignalFileError

# Kent et al. 2010, supplementary table 5, after the magic number: version, zoom levels, offsets of
# the chromosome tree, the data and the index, two field counts, offsets of the autoSql text and of
# the total summary.
_HEADER = "HHQQQHHQQ"
_COUNT = "Q"
_PART = 100  # gene regions


def chromosome_sizes(path: Path) -> dict[str, int]:
    """Returns the chromosome sizes of a bigWig file's header, by the file's own names.

    Raises:
        SignalFileError: If the file is damaged or has no data.
    """
    (sizes,) = read_apart("bigWig", _read_sizes, path)
    return sizes


def _read_sizes(path: Path) -> Iterator[dict[str, int]]:
    with _open(path) as bigwig:
        yield dict(bigwig.chroms())


@contextlib.contextmanager
def _open(path: Path) -> Iterator[Any]:
    # Given a name, pybigtools refuses what does not end in ".bw".
    with path.open("rb") as file:
        _require_data(file, path.name)
        file.seek(0)
        yield pybigtools.open(file)


def mean_depth(path: Path, bins: RegionBins, names: list[str | None]) -> np.ndarray:
    """Returns the mean value over the bases of each bin.

    Bases without data count as 0, also those of which the file says that they are "not a number".

    Args:
        path: The file.
        bins: Bins of gene regions.
        names: (genes,) chromosome as the file names it; None where the file has none such.

    Returns:
        (genes, bins) float64, in genome orientation.

    Raises:
        SignalFileError: If the file is damaged, or a value is negative or infinite.
    """
    starts = np.asarray(bins.start).tolist()
    regions = list(zip(names, starts, strict=True))
    parts = read_apart("bigWig", _read_means, path, regions, bins.num_bins, bins.bin_bp)
    return np.concatenate([np.zeros((0, bins.num_bins)), *parts])


def _read_means(
    path: Path, regions: list[tuple[str | None, int]], num_bins: int, bin_bp: int
) -> Iterator[np.ndarray | None]:
    """In parts, which travel while the next are read."""
    with _open(path) as bigwig:
        sizes = bigwig.chroms()
        summary = bigwig.info()["summary"]
        if summary["min"] < 0 or math.isinf(summary["sum"]):
            yield from _require_signal_everywhere(bigwig, path)
        is_sound = summary["basesCovered"] > 0 and math.isfinite(summary["sum"])
        for first in range(0, len(regions), _PART):
            part = regions[first : first + _PART]
            values = np.zeros((len(part), num_bins))
            for row, (name, start) in enumerate(part):
                end = start + num_bins * bin_bp
                if name is None:
                    continue
                if is_sound and start >= 0 and end <= sizes[name]:
                    # Exact: the zoom levels are so only where they happen to fit the bins.
                    values[row] = bigwig.values(
                        name, start, end, bins=num_bins, exact=True, uncovered=0.0, fillna=None
                    )
                else:
                    by_base = _values_by_base(bigwig, name, start, end, path)
                    values[row] = by_base.reshape(num_bins, bin_bp).mean(axis=1)
            yield values


def _values_by_base(bigwig: Any, name: str, start: int, end: int, path: Path) -> np.ndarray:
    """Where pybigtools would take a bin's NaN, or what is past the end, for all of its bases."""
    by_base: np.ndarray = bigwig.values(name, start, end, oob=0.0, fillna=0.0)
    is_at_fault = ~_is_signal(by_base)
    if is_at_fault.any():
        base = int(is_at_fault.argmax())
        raise _no_signal(by_base[base], name, start + base, start + base + 1, path)
    return by_base


def _require_signal_everywhere(bigwig: Any, path: Path) -> Iterator[None]:
    """Looks through a file whose header sums up what no signal has, also where no gene lies."""
    for name in bigwig.chroms():
        for start, end, value in bigwig.records(name):
            if not (_is_signal(value) or math.isnan(value)):
                raise _no_signal(value, name, start, end, path)
            yield None


def _is_signal(value: Any) -> Any:
    return (value >= 0) & (value < math.inf)


def _no_signal(value: float, name: str, start: int, end: int, path: Path) -> SignalFileError:
    return SignalFileError(
        f"Expected numbers of at least 0 in {path.name}. Received: {value:g} at "
        f"{name}:{start}-{end}. {NOT_NEGATIVE if value < 0 else 'Leave out what has no data.'}"
    )


def _require_data(file: BinaryIO, name: str) -> None:
    """Refuses a file that is cut off before its index, or in which no base has a value."""
    order = "<" if file.read(4) == BIGWIG_MAGIC[0] else ">"

    def read(layout: str) -> tuple[int, ...]:
        return struct.unpack(order + layout, file.read(struct.calcsize(order + layout)))

    _, _, tree, data, index, _, _, _, summary = read(_HEADER)
    if max(tree, data, index, summary) >= file.seek(0, os.SEEK_END):
        raise struct.error("truncated")
    counts: list[int] = []
    for offset in filter(None, (summary, data)):
        file.seek(offset)
        counts += read(_COUNT)
    if not any(counts):
        raise SignalFileError(
            f"Expected a bigWig file with data. Received: {name}, which has no data: no base has "
            "a value. Write it again."
        )
