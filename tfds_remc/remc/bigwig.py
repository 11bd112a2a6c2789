"""Mean depth a bin from a bigWig file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pybigtools

from .binning import RegionBins
from .file_types import SignalFileError


def open_bigwig(path: Path) -> Any:
    """Returns an open bigWig file, a context manager.

    Raises:
        SignalFileError: If the file is damaged.
    """
    try:
        return pybigtools.open(str(path))
    except pybigtools.BBIReadError as error:
        raise _damaged(path, error) from error


def mean_depth(bigwig: Any, bins: RegionBins, names: list[str | None], path: Path) -> np.ndarray:
    """Returns the mean value over the bases of each bin; bases without data count as 0.

    Args:
        bigwig: The open file.
        bins: Bins of gene regions.
        names: (genes,) chromosome as the file names it; None where the file has none such.
        path: The file, for errors.

    Returns:
        (genes, bins) float64, in genome orientation.

    Raises:
        SignalFileError: If the file is damaged, or a value is not a number.
    """
    values = np.zeros((len(bins.start), bins.num_bins))
    starts = np.asarray(bins.start).tolist()
    sizes = bigwig.chroms()
    try:
        for row, (name, start) in enumerate(zip(names, starts, strict=True)):
            end = start + bins.num_bins * bins.bin_bp
            if name is None:
                continue
            if start >= 0 and end <= sizes[name]:
                # Exact: the zoom levels are so only where they happen to fit the bins.
                values[row] = bigwig.values(
                    name, start, end, bins=bins.num_bins, exact=True, uncovered=0.0, fillna=None
                )
            else:
                # By base: pybigtools would drop a bin of which any base is past the end.
                by_base = bigwig.values(name, start, end, oob=0.0, fillna=0.0)
                values[row] = by_base.reshape(bins.num_bins, bins.bin_bp).mean(axis=1)
    except pybigtools.BBIReadError as error:
        raise _damaged(path, error) from error
    at_fault = np.argwhere(~np.isfinite(values))
    if len(at_fault):
        row, column = at_fault[0]
        raise SignalFileError(
            f"Expected a number for every bin in {path.name}. Received: {values[row, column]} at "
            f"{names[row]}:{bins.start[row] + column * bins.bin_bp}."
        )
    return values


def _damaged(path: Path, error: Exception) -> SignalFileError:
    return SignalFileError(
        f"Expected a complete bigWig file. Received: {path.name}, damaged ({error}). "
        "Fetch it again."
    )
