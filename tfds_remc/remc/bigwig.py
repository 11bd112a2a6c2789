"""Mean depth a bin from a bigWig file."""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pybigtools

from .binning import RegionBins
from .file_types import BIGWIG_MAGIC, NOT_NEGATIVE, SignalFileError

# Kent et al. 2010, supplementary table 5, after the magic number: version, zoom levels, offsets of
# the chromosome tree, the data and the index, two field counts, offsets of the autoSql text and of
# the total summary.
_HEADER = "HHQQQHHQQ"
_COUNT = "Q"


def open_bigwig(path: Path) -> Any:
    """Returns an open bigWig file, a context manager.

    Raises:
        SignalFileError: If the file is damaged or has no data.
    """
    try:
        _require_data(path)
        return pybigtools.open(str(path))
    except (pybigtools.BBIReadError, struct.error) as error:
        raise _damaged(path, error) from error


def chromosome_sizes(path: Path) -> dict[str, int]:
    """Returns the chromosome sizes of a bigWig file's header, by the file's own names.

    Raises:
        SignalFileError: If the file is damaged or has no data.
    """
    with open_bigwig(path) as bigwig:
        return dict(bigwig.chroms())


def mean_depth(bigwig: Any, bins: RegionBins, names: list[str | None], path: Path) -> np.ndarray:
    """Returns the mean value over the bases of each bin.

    Bases without data count as 0, also those of which the file says that they are "not a number".

    Args:
        bigwig: The open file.
        bins: Bins of gene regions.
        names: (genes,) chromosome as the file names it; None where the file has none such.
        path: The file, for errors.

    Returns:
        (genes, bins) float64, in genome orientation.

    Raises:
        SignalFileError: If the file is damaged, or a value is negative or infinite.
    """
    values = np.zeros((len(bins.start), bins.num_bins))
    starts = np.asarray(bins.start).tolist()
    sizes = bigwig.chroms()
    is_sound = _is_sound(bigwig.info()["summary"])
    try:
        for row, (name, start) in enumerate(zip(names, starts, strict=True)):
            if name is None:
                continue
            end = start + bins.num_bins * bins.bin_bp
            if is_sound and start >= 0 and end <= sizes[name]:
                # Exact: the zoom levels are so only where they happen to fit the bins.
                values[row] = bigwig.values(
                    name, start, end, bins=bins.num_bins, exact=True, uncovered=0.0, fillna=None
                )
            else:
                # By base: for bins pybigtools would take what is not a number, or past the end, for
                # the value of all of a bin's bases.
                by_base = bigwig.values(name, start, end, oob=0.0, fillna=0.0)
                _require_signal(by_base, name, start, path)
                values[row] = by_base.reshape(bins.num_bins, bins.bin_bp).mean(axis=1)
    except pybigtools.BBIReadError as error:
        raise _damaged(path, error) from error
    return values


def _is_sound(summary: dict[str, float]) -> bool:
    """Whether every value of a file is a number of at least 0, by what its header sums up."""
    return summary["basesCovered"] > 0 and summary["min"] >= 0 and math.isfinite(summary["sum"])


def _require_signal(by_base: np.ndarray, name: str, start: int, path: Path) -> None:
    is_at_fault = ~((by_base >= 0) & np.isfinite(by_base))
    if is_at_fault.any():
        base = int(is_at_fault.argmax())
        raise SignalFileError(
            f"Expected values of at least 0 in {path.name}. Received: {by_base[base]:g} at "
            f"{name}:{start + base}-{start + base + 1}. {NOT_NEGATIVE}"
        )


def _require_data(path: Path) -> None:
    """Refuses a file that is cut off before its index, or in which no base has a value."""
    num_bytes = path.stat().st_size
    with path.open("rb") as file:
        order = "<" if file.read(4) == BIGWIG_MAGIC[0] else ">"

        def read(layout: str) -> tuple[int, ...]:
            return struct.unpack(order + layout, file.read(struct.calcsize(order + layout)))

        _, _, tree, data, index, _, _, _, summary = read(_HEADER)
        if max(tree, data, index, summary) >= num_bytes:
            raise struct.error("truncated")
        counts: list[int] = []
        for offset in filter(None, (summary, data)):
            file.seek(offset)
            counts += read(_COUNT)
    if not any(counts):
        raise SignalFileError(
            f"Expected a bigWig file with data. Received: {path.name}, which has no data: no base "
            "has a value. Write it again."
        )


def _damaged(path: Path, error: Exception) -> SignalFileError:
    return SignalFileError(
        f"Expected a complete bigWig file. Received: {path.name}, damaged ({error}). "
        "Fetch it again."
    )
