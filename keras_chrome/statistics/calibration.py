"""How well predicted probabilities agree with observed shares, bin by bin."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import binomtest


class CalibrationBin(NamedTuple):
    """The genes whose predicted probability lies in [low, high), or [low, 1] in the last bin.

    Attributes:
        low: Lower edge.
        high: Upper edge.
        num_genes: Their number.
        num_high: How many of them are labelled high.
        predicted: Mean of their predicted probabilities.
        observed: `num_high / num_genes`.
        observed_low: Lower end of Wilson's 95 % interval of `observed`.
        observed_high: Upper end.
    """

    low: float
    high: float
    num_genes: int
    num_high: int
    predicted: float
    observed: float
    observed_low: float
    observed_high: float


class Calibration(NamedTuple):
    """How well probabilities agree with labels, in three numbers.

    Attributes:
        ece: Expected calibration error, in ten bins.
        mean_probability: Mean of the predicted probabilities.
        positive_rate: Share of the genes labelled high, which it equals if they are calibrated.
    """

    ece: float
    mean_probability: float
    positive_rate: float


def calibration(label: np.ndarray, probability: np.ndarray) -> Calibration:
    """Compare probabilities with labels, on the whole.

    Args:
        label: Integers `(genes,)`, 0 or 1.
        probability: Floats `(genes,)` in [0, 1].
    """
    return Calibration(
        expected_calibration_error(calibration_bins(label, probability)),
        float(np.mean(probability, dtype=np.float64)),
        float(np.mean(label)),
    )


def calibration_bins(
    label: np.ndarray, probability: np.ndarray, *, num_bins: int = 10
) -> list[CalibrationBin]:
    """Compare probabilities with labels in bins of equal width; empty ones are left out.

    Args:
        label: Integers `(genes,)`, 0 or 1.
        probability: Floats `(genes,)` in [0, 1].
        num_bins: Number of bins.

    Reference: Wilson, Probable Inference, the Law of Succession, and Statistical Inference, 1927.
    """
    # In float64, or 0.7 * 10 of a float32 falls on the other side of 7.
    position = np.floor(np.float64(probability) * num_bins).astype(int).clip(0, num_bins - 1)
    bins = []
    for i in np.unique(position):
        of_bin = position == i
        num_genes, num_high = int(of_bin.sum()), int(label[of_bin].sum())
        interval = binomtest(num_high, num_genes).proportion_ci(0.95, method="wilson")
        bins.append(
            CalibrationBin(
                low=float(i / num_bins),
                high=float((i + 1) / num_bins),
                num_genes=num_genes,
                num_high=num_high,
                predicted=float(np.mean(probability[of_bin], dtype=np.float64)),
                observed=num_high / num_genes,
                observed_low=float(interval.low),
                observed_high=float(interval.high),
            )
        )
    return bins


def expected_calibration_error(bins: Sequence[CalibrationBin]) -> float:
    """Mean over genes of how far the observed share of their bin is from the predicted one.

    Reference: Naeini et al., Obtaining Well Calibrated Probabilities Using Bayesian Binning, 2015.
    """
    num_genes = sum(of_bin.num_genes for of_bin in bins)
    return sum(b.num_genes * abs(b.observed - b.predicted) for b in bins) / num_genes
