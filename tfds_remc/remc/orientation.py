"""Which way the bins of a file run, measured from the marks.

The authors' files are in genome orientation: bin 1 is the leftmost on the chromosome, whichever
strand the gene is on. Some processed versions have the genes of one strand mirrored, and no file
says so. Two marks tell: H3K36me3 covers the transcribed body and H3K4me3 reaches further downstream
than upstream, so both lie on the side of the TSS towards which the gene is transcribed.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np

Direction = Literal["genome", "transcription", "against transcription"]

DOWNSTREAM_MARKS = ("H3K36me3", "H3K4me3")
MIN_ABS_T = 4.0
"""A side is called only beyond this t statistic, on both strands."""


@dataclasses.dataclass(frozen=True)
class Orientation:
    """How the bins of a file run, and what says so.

    Attributes:
        direction: "genome" (left to right on the chromosome, for every gene), "transcription"
            (downstream on the right, for every gene) or "against transcription" (downstream on
            the left, for every gene).
        decided_by: "measured"; "configured"; or "assumed", where too few genes or too weak a
            signal leave it open and the publishers' genome orientation is kept.
        t_plus: t statistic of right minus left over genes on the plus strand; 0 with fewer than
            two of them.
        t_minus: The same on the minus strand.
    """

    direction: Direction
    decided_by: Literal["measured", "configured", "assumed"]
    t_plus: float
    t_minus: float


def measure_orientation(
    signal: np.ndarray, strand: np.ndarray, marks: tuple[str, ...]
) -> Orientation:
    """Measures on which side of the TSS the marks of transcription lie, for each strand.

    Args:
        signal: (genes, bins, marks) float32.
        strand: (genes,) str, "+", "-" or "".
        marks: Names of the marks of `signal`.

    Returns:
        The measured orientation.
    """
    columns = [marks.index(mark) for mark in DOWNSTREAM_MARKS]
    half = signal.shape[1] // 2
    log_signal = np.log1p(signal[:, :, columns])
    right_minus_left = log_signal[:, -half:].sum((1, 2)) - log_signal[:, :half].sum((1, 2))
    t_plus = t_statistic(right_minus_left[strand == "+"])
    t_minus = t_statistic(right_minus_left[strand == "-"])
    if abs(t_plus) < MIN_ABS_T or abs(t_minus) < MIN_ABS_T:
        return Orientation("genome", "assumed", t_plus, t_minus)
    direction: Direction = (
        "genome"
        if t_plus * t_minus < 0
        else "transcription"
        if t_plus > 0
        else "against transcription"
    )
    return Orientation(direction, "measured", t_plus, t_minus)


def t_statistic(values: np.ndarray) -> float:
    """The t statistic of a mean over genes against 0; 0 where it is not defined."""
    if len(values) < 2 or not values.std():
        return 0.0
    return float(values.mean() / (values.std(ddof=1) / np.sqrt(len(values))))
