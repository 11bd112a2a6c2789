"""One mark's signal in numbers: where it lies around the TSS, and how much there is of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from .orientation import t_statistic
from .reads import BinnedSignal

MAX_PEAK_BP = 1000
"""A promoter mark peaks within this distance of the TSS. Sound marks: 150 to 450 bp."""

FAR_SHARE = 0.8
"""From this part of a flank on, signal is far from the TSS."""

_SMOOTHING_BP = 500
_CAP_QUANTILE = 0.999


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
    do not make the profile.

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


def measure_mark(
    mark: str,
    signal: np.ndarray,
    directed: np.ndarray,
    strand: np.ndarray,
    *,
    flank_bp: int,
    bin_bp: int,
    file: MarkFile | None = None,
    is_high: np.ndarray | None = None,
    is_low: np.ndarray | None = None,
) -> MarkQuality:
    """Measures one mark's signal.

    Args:
        mark: Name of the mark.
        signal: (genes, bins) float32.
        directed: What `direct` makes of it.
        strand: (genes,) str, "+", "-" or "".
        flank_bp: Distance from the gene region's start to the TSS.
        bin_bp: Width of a bin.
        file: Where the signal came from, if that is known.
        is_high: (genes,) bool, labelled high; None without labels.
        is_low: (genes,) bool, labelled low.
    """
    gene_mean = signal.mean(axis=1, dtype=np.float64)
    axis = _Axis.of(signal.shape[1], flank_bp=flank_bp, bin_bp=bin_bp)
    return MarkQuality(
        mark=mark,
        **_file_fields(file),
        mean_signal=float(gene_mean.mean()),
        zero_share=float(np.mean(signal == 0)),
        **_profile_fields(directed, strand, axis),
        auroc=_auroc(gene_mean, is_high, is_low),
        profile=_profile(directed),
        profile_high=_profile_of(directed, is_high),
        profile_low=_profile_of(directed, is_low),
    )


def direct(signal: np.ndarray, is_mirrored: np.ndarray) -> np.ndarray:
    """Returns a mark's signal in the direction of transcription, without its few artefacts.

    Args:
        signal: (genes, bins) float32.
        is_mirrored: (genes,) bool, whether the bins run against transcription.

    Returns:
        (genes, bins) float32, from 0 to the 99.9th percentile of the values above 0.
    """
    directed = np.where(is_mirrored[:, None], signal[:, ::-1], signal)
    positive = directed[directed > 0]
    if len(positive) == 0:
        return np.zeros_like(directed)
    highest = np.quantile(positive, _CAP_QUANTILE, method="higher")
    capped: np.ndarray = np.minimum(directed, highest)
    return capped


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
            is_far=distance >= max(2 * MAX_PEAK_BP, min(FAR_SHARE * flank_bp, distance.max())),
            num_smoothed=min(num_bins, max(1, _SMOOTHING_BP // bin_bp)),
        )


def _is_near(centre: np.ndarray) -> np.ndarray:
    distance = np.abs(centre)
    is_near: np.ndarray = distance <= max(MAX_PEAK_BP, distance.min())
    return is_near


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


def _profile(directed: np.ndarray) -> tuple[float, ...]:
    return tuple(directed.mean(axis=0, dtype=np.float64).tolist())


def _profile_of(directed: np.ndarray, is_chosen: np.ndarray | None) -> tuple[float, ...] | None:
    if is_chosen is None or not is_chosen.any():
        return None
    return _profile(directed[is_chosen])


def _auroc(
    gene_mean: np.ndarray, is_high: np.ndarray | None, is_low: np.ndarray | None
) -> float | None:
    if is_high is None or is_low is None or not (is_high.any() and is_low.any()):
        return None
    num_high, num_low = int(is_high.sum()), int(is_low.sum())
    ranks = pd.Series(np.concatenate([gene_mean[is_high], gene_mean[is_low]])).rank()
    lowest_sum = num_high * (num_high + 1) / 2
    return float((ranks[:num_high].sum() - lowest_sum) / (num_high * num_low))
