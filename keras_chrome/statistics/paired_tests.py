"""Whether two models differ by more than chance: paired tests over genes and over epigenomes."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit
from scipy.stats import rankdata, wilcoxon

from keras_chrome.errors import InputError

# With five, even five differences of one sign have a two-sided p of 1/16.
MIN_EPIGENOMES = 6
# What is equal but for rounding, since means are taken, differs by less.
ROUNDING = 1e-12


class Placements(NamedTuple):
    """How each gene stands against the genes of the other class.

    A gene's placement is the share of the other class's genes with which it is in the right
    order, ties counting half. Its mean over either class is the AUROC.

    Attributes:
        high: Floats `(high genes,)` in [0, 1].
        low: Floats `(low genes,)` in [0, 1].
    """

    high: np.ndarray
    low: np.ndarray


class DelongTest(NamedTuple):
    """DeLong's test of two AUROCs on the same genes.

    Attributes:
        auroc_a: AUROC of the first model.
        auroc_b: AUROC of the second.
        difference: `auroc_a - auroc_b`.
        standard_error: Standard error of the difference over genes; NaN if a class has one gene.
        p_value: Two-sided. 1 for equal AUROCs; NaN if the standard error is unknown, or zero
            although the AUROCs differ: such genes are too few for the test.
    """

    auroc_a: float
    auroc_b: float
    difference: float
    standard_error: float
    p_value: float


def placements(label: np.ndarray, probability: np.ndarray) -> Placements:
    """The placement of each gene, averaged over seeds.

    Among all genes, a gene's rank counts those below it; among its own class, those of its class.
    The difference counts those of the other class.

    Args:
        label: Integers `(genes,)`, 0 or 1, both present.
        probability: Floats `(genes,)` or `(seeds, genes)`.

    Raises:
        InputError: If a class is missing, shapes do not fit or a probability is not finite.
    """
    label, probability = np.asarray(label), np.atleast_2d(probability)
    if label.ndim != 1 or probability.shape[1:] != label.shape or not len(probability):
        raise InputError(
            "Expected a label and a probability for each gene. "
            f"Received: shapes {label.shape} and {probability.shape}"
        )
    if set(np.unique(label)) != {0, 1}:
        raise InputError(
            "Expected genes labelled 0 and 1, and some of each. "
            f"Received: labels {np.unique(label).tolist()}"
        )
    if not np.isfinite(probability).all():
        raise InputError("Expected finite probabilities. Received: nan or infinity among them")
    rank = rankdata(probability, axis=1)
    is_high = label == 1
    high, low = (
        (rank[:, own] - rankdata(probability[:, own], axis=1)).mean(axis=0) / np.sum(~own)
        for own in (is_high, ~is_high)
    )
    return Placements(high, 1 - low)


def auroc_with_error(folds: Sequence[Placements]) -> tuple[float, float]:
    """The AUROC, averaged over folds, and its standard error over genes.

    Args:
        folds: Placements in each fold, or differences of placements. No gene is in two folds.

    Returns:
        The mean over folds, and its standard error: NaN if a class has one gene in some fold.
    """
    auroc = float(np.mean([fold.high.mean() for fold in folds]))
    if min(len(genes) for fold in folds for genes in fold) < 2:
        return auroc, math.nan
    variance = sum(float(genes.var(ddof=1)) / len(genes) for fold in folds for genes in fold)
    return auroc, math.sqrt(variance) / len(folds)


def delong_interval(auroc: float, standard_error: float) -> tuple[float, float]:
    """The 95 % interval of an AUROC, symmetric on the logit scale so that it stays in [0, 1]."""
    if not 0 < auroc < 1:
        return auroc, auroc
    half_width = 1.96 * standard_error / (auroc * (1 - auroc))
    low, high = expit(logit(auroc) + half_width * np.array([-1, 1]))
    return float(low), float(high)


def compare_placements(a: Sequence[Placements], b: Sequence[Placements]) -> DelongTest:
    """DeLong's test of whether two models have the same AUROC.

    Of models trained with several seeds, the AUROCs' means over seeds are compared. This is
    DeLong's contrast of several AUROCs, and leaves the number of seeds of the two models free;
    averaging predictions instead would favour the model with more seeds, as an ensemble.
    The test counts chance in the genes, not in the training.

    Args:
        a: `placements` of one model, fold by fold.
        b: The same of the other, for the same genes in the same order.

    References:
        DeLong, DeLong & Clarke-Pearson, Biometrics 1988 (the test); Sun & Xu, IEEE Signal
        Processing Letters 2014 (from ranks, in O(n log n) rather than over all pairs of genes).
    """
    difference, standard_error = auroc_with_error(
        [
            Placements(of_a.high - of_b.high, of_a.low - of_b.low)
            for of_a, of_b in zip(a, b, strict=True)
        ]
    )
    if difference == 0:
        p_value = 1.0
    elif standard_error > ROUNDING:
        p_value = math.erfc(abs(difference) / standard_error / math.sqrt(2))
    else:
        p_value = math.nan
    return DelongTest(
        auroc_with_error(a)[0], auroc_with_error(b)[0], difference, standard_error, p_value
    )


def wilcoxon_test(auroc_a: np.ndarray, auroc_b: np.ndarray) -> float:
    """The two-sided p-value of Wilcoxon's signed-rank test over epigenomes.

    Args:
        auroc_a: Floats `(epigenomes,)` of one model.
        auroc_b: The same of the other, on the same epigenomes in the same order.

    Returns:
        The p-value; 1 if no epigenome tells the models apart, NaN with fewer epigenomes than
        `MIN_EPIGENOMES`.
    """
    difference = np.subtract(auroc_a, auroc_b)
    if len(difference) < MIN_EPIGENOMES:
        return math.nan
    difference = difference[abs(difference) > ROUNDING]
    return float(wilcoxon(difference).pvalue) if len(difference) else 1.0


def holm(p_values: npt.ArrayLike) -> np.ndarray:
    """Holm's correction of p-values for their number; NaN stays NaN and is not counted."""
    values = np.asarray(p_values, dtype=float)
    adjusted = np.full(values.shape, math.nan)
    order = np.argsort(values)[: np.sum(~np.isnan(values))]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(values[order] * factors), 1)
    return adjusted
